"""Which issues no customer may read of (`events.confidential.>`), and how a text names one. No word of any issue."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from html import unescape
from itertools import islice
from typing import Final
from urllib.parse import unquote

from deskstream.contracts.ids import IssueId
from deskstream.contracts.link_forms import link_form, link_forms
from deskstream.contracts.message import Event

LANE = "events.confidential"

# An encoding within an encoding, as links in forwarded mails have; whoever goes deeper hides something on purpose.
_LAYERS: Final = 3

_NUMBER: Final = re.compile(r"(?<![^\W_])iss[\W_]{0,3}0*([0-9]{1,15})(?![0-9])")
_UUID: Final = re.compile(
    r"(?<![0-9a-f])([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})(?![0-9a-f])"
)
_BETWEEN: Final = re.compile(r"[\s<>\"'()\[\]{}|\\^`“”„«»—]+")
# Dashes that are not one on every keyboard, a full stop that hosts have, too, and marks that nobody sees.
_ALIKE: Final = {
    **dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2212"), "-"),
    ord("\N{IDEOGRAPHIC FULL STOP}"): ".",
    **dict.fromkeys((0x034F, *range(0xFE00, 0xFE10))),
}
# What no link holds before it is decoded.
_GAPS: Final = re.compile(r"[\s<>\"'`“”„«»‘’‚—–•…，、]+")
# More than any letter has: whoever writes more hides something on purpose.
_FORMS_LIMIT: Final = 20_000
_TAG: Final = re.compile(r"<[^<>]*>")
# As programs write JSON, people Markdown, and careful people links that nobody shall open by a slip.
_JSON: Final = re.compile(r"\\u([0-9a-f]{4})")
_ESCAPED: Final = re.compile(r"\\(?=[^\w\s\\])")
_DEFANGED: Final = re.compile(r"[\[({](\.|:|dot)[\])}]", re.IGNORECASE)
# As mail programs break long lines.
_BROKEN: Final = re.compile(r"=\r?\n|(?<=[/=&?_-])[ \t]*\r?\n[ \t>]*")
# As a gateway of mails rewrites links: https://urldefense.proofpoint.com/v2/url?u=https-3A__tracker.example_ISS-2D31&d=
_REWRITTEN: Final = "urldefense"
_REWRITTEN_CODE: Final = re.compile(r"-([0-9a-f]{2})")


class ConfidentialityChanged(Event, lane=LANE, key="issue_id"):
    """An issue became confidential, or is so no longer; one that is held until colleagues answered is so, too."""

    issue_id: IssueId
    number: int
    """Shown as ISS-<number>."""
    confidential: bool
    links: tuple[str, ...] = ()
    """The names (`link_name`) of links that it had: whoever hears this can recognise one, and cannot read it."""


def names_of(said: ConfidentialityChanged) -> tuple[str, ...]:
    """All names of an issue that `names_in` may find in a text."""
    return (*own_names(said.issue_id, said.number), *said.links)


def own_names(issue: IssueId, number: int) -> tuple[str, str]:
    """The names that an issue has without any link."""
    return (f"ISS-{number}", str(issue))


def named_in(texts: Iterable[str]) -> frozenset[str]:
    """What may be names of issues in any of these: which of them are confidential has to be looked up."""
    return frozenset().union(*map(names_in, texts))


def names_in(text: str) -> frozenset[str]:
    """What may be names of issues in a text that people or programs read: numbers, ids, links, each in one form.

    Whatever the case, the dash, the encoding of a link or of HTML: `iss 31`, `ISS‑31`, `…/issues/ISS%2D31?tab=1`.
    """
    found: set[str] = set()
    words = {_plain(word) for word in _GAPS.split(text) if _may_hold_link(unquote(word))}
    for plain in _readings(text):
        found.update(f"ISS-{int(number)}" for number in _NUMBER.findall(plain))
        found.update("-".join(groups) for groups in _UUID.findall(plain))
        words.update(_words(plain))
    forms = (form for word in words if _may_hold_link(word) for form in _forms(word))
    found.update(map(_digest, set(islice(forms, _FORMS_LIMIT))))
    return frozenset(found)


def link_name(link: str) -> str:
    """The name of a link, from which nobody learns it: the beginning of a SHA-256."""
    return _digest(link_form(_as_browsers(_plain(link.strip()))))


def _readings(text: str) -> Iterator[str]:
    """With what stands in tags, and as it reads without them."""
    plain = _plain(text)
    yield plain
    if "<" in plain:
        yield _TAG.sub("", plain)
    if "\\" in plain:
        yield _plain(_ESCAPED.sub("", _JSON.sub(_character, plain)))
    if "\n" in plain:
        yield _BROKEN.sub("", plain)
    if _REWRITTEN in plain:
        yield _plain(_REWRITTEN_CODE.sub(r"%\1", plain.replace("_", "/")))


def _plain(text: str) -> str:
    """In small letters, decoded, without characters that nobody sees."""
    for _ in range(_LAYERS):
        decoded = unescape(unquote(text))
        if decoded == text:
            break
        text = decoded
    folded = unicodedata.normalize("NFKC", _DEFANGED.sub(_stop, text)).casefold().translate(_ALIKE)
    return "".join(char for char in folded if unicodedata.category(char) != "Cf")


def _character(found: re.Match[str]) -> str:
    return chr(int(found[1], 16))


def _stop(found: re.Match[str]) -> str:
    return found[1] if found[1] in ".:" else "."


def _words(plain: str) -> Iterator[str]:
    yield from _BETWEEN.split(plain)
    if "\\" in plain:
        yield from _BETWEEN.split(_as_browsers(plain))


def _may_hold_link(word: str) -> bool:
    return "." in word.strip(".,;:!?") or ":/" in word


def _forms(word: str) -> Iterator[str]:
    yield from link_forms(word)
    if "\\" in word:
        yield from link_forms(_as_browsers(word))


def _as_browsers(link: str) -> str:
    return link.replace("\\", "/")


def _digest(link: str) -> str:
    return f"link:{hashlib.sha256(link.encode(errors='replace')).hexdigest()[:32]}"
