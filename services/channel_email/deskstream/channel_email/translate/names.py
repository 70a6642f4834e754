"""Names that pretend: a badge, never a decision."""

import re
import unicodedata
from collections.abc import Iterator

from deskstream.channel_email.parse.names import INVISIBLE
from deskstream.channel_email.parse.parsed import Address
from deskstream.channel_email.rules import Rules

_WORD = re.compile(r"[^\W\d_]+")
_ADDRESS = re.compile(r"[^\s@<>()\"]+@[^\s@<>()\"]+\.[^\s@<>()\"]+")
# One script's letters that look like Latin ones, as far as names of organisations are faked with them.
_LOOK_ALIKES = str.maketrans("авеёкмнорстухіјѕԁԛɡ0135αβεικνορτυχ", "abeekmhopctyxijsdqgolssabeiknoptux")
_TOGETHER = (frozenset({"HIRAGANA", "KATAKANA", "CJK", "HANGUL", "LATIN", "BOPOMOFO"}),)


def name_flags(sender: Address, rules: Rules) -> Iterator[str]:
    """`name_mixes_scripts`, `name_imitates_us`, `name_shows_other_address`."""
    if INVISIBLE.search(sender.name) or any(_mixes(word) for word in _WORD.findall(sender.name)):
        yield "name_mixes_scripts"
    if not rules.is_agent(sender.email) and _imitates(sender, rules):
        yield "name_imitates_us"
    if any(shown.lower().strip(".,;'") != sender.email for shown in _ADDRESS.findall(sender.name)):
        yield "name_shows_other_address"


def _mixes(word: str) -> bool:
    """Whether one word has letters of several alphabets that nobody writes together."""
    scripts = {unicodedata.name(letter, "?").partition(" ")[0] for letter in unicodedata.normalize("NFKC", word)}
    return len(scripts) > 1 and not any(scripts <= usual for usual in _TOGETHER)


def _imitates(sender: Address, rules: Rules) -> bool:
    seen = _skeleton(sender.name)
    return any(_skeleton(name) in seen for name in (*rules.names, *rules.inboxes) if name)


def _skeleton(name: str) -> str:
    """What is left for the eye of somebody in a hurry."""
    plain = unicodedata.normalize("NFKD", INVISIBLE.sub("", name)).casefold().translate(_LOOK_ALIKES)
    return re.sub(r"[\W_]+", "", "".join(letter for letter in plain if not unicodedata.combining(letter)))
