"""People's words, fit to be carried: without control characters, and small enough for a message."""

from typing import Final

from deskstream.contracts import Refused

TEXT_BYTES: Final = 16 * 1024
PLACEHOLDERS: Final = 10
PLACEHOLDER: Final = "{ticket}"

# Line feed and tab are text; every other control character is of no use to a reader, and some harm a terminal.
_CONTROLS: Final = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


def written(text: str) -> str:
    """What somebody typed. Raises `Refused` when it is too long."""
    clean = text.replace("\r\n", "\n").translate(_CONTROLS)
    size = len(clean.encode(errors="replace"))
    if size > TEXT_BYTES:
        sentence = f"The text has {size} bytes; {TEXT_BYTES} fit. Shorten it, or attach it as a file."
        raise Refused("text_is_too_long", sentence, size=size, limit=TEXT_BYTES)
    return clean


def answer(text: str) -> str:
    """A text for many customers, in which each one's ticket is named. Raises `Refused` for one that would swell."""
    clean = written(text)
    if not clean.strip():
        raise Refused("text_is_empty", "There is no text. Write something.")
    if clean.count(PLACEHOLDER) > PLACEHOLDERS:
        raise Refused("too_many_placeholders", f"{PLACEHOLDER} may stand in a text {PLACEHOLDERS} times. Use fewer.")
    return clean
