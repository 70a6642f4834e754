"""What is made of people's words: titles, excerpts, mentions, text that is safe to carry on."""

import re
from typing import Final

from deskstream.contracts import Refused
from deskstream.contracts.conversation import TEXT_LIMIT
from deskstream.contracts.facts import ReceivedMessage
from deskstream.contracts.inbound import Identity

NO_TITLE: Final = "(empty)"
TITLE_LIMIT: Final = 500
TITLE_FROM_TEXT: Final = 80
EXCERPT: Final = 140
MENTIONS_LIMIT: Final = 50

_MENTION: Final = re.compile(r"(?<![\w.+-])@([a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?)", re.IGNORECASE)
# Line feed and tab are text; every other control character is of no use to a reader, and some harm a terminal.
_CONTROLS: Final = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


def title_of(message: ReceivedMessage) -> str:
    """The channel's title, else the first words of the text."""
    return line(message.title or "")[:TITLE_LIMIT] or excerpt(message.text, TITLE_FROM_TEXT) or NO_TITLE


def excerpt(text: str, limit: int = EXCERPT) -> str:
    """The beginning of a text on one line, cut at a word where there is one."""
    beginning = line(text[: limit * 2])
    if len(beginning) <= limit:
        return beginning
    return beginning[: limit - 1].rpartition(" ")[0].rstrip() + "…" if " " in beginning[:limit] else beginning[:limit]


def line(text: str) -> str:
    """A text without line breaks, control characters and doubled blanks."""
    return " ".join(text.split()).translate(_CONTROLS) if text else ""


def written(text: str) -> str:
    """What somebody typed, fit to be carried. Raises `Refused` when nothing is left of it, or too much."""
    clean = text.replace("\r\n", "\n").translate(_CONTROLS).strip()
    if not clean:
        raise Refused("text_is_empty", "There is no text. Write something.")
    size = len(clean.encode())
    if size > TEXT_LIMIT:
        sentence = f"The text has {size} bytes; {TEXT_LIMIT} fit. Shorten it, or attach it as a file."
        raise Refused("text_is_too_long", sentence, size=size, limit=TEXT_LIMIT)
    return clean


def mentions(text: str) -> tuple[str, ...]:
    """The persons and teams that a note names with `@`, each once, in order."""
    return tuple(dict.fromkeys(name.lower() for name in _MENTION.findall(text)))[:MENTIONS_LIMIT]


def label(identity: Identity) -> str:
    """How somebody is shown when only the channel knows them."""
    return (identity.name or identity.email or identity.phone or identity.external_id or "")[:EXCERPT]
