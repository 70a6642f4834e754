"""Folding: what somebody wrote, apart from the earlier mails that their program put below or above it."""

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NamedTuple

from mailparser_reply.constants import MAIL_LANGUAGES

# The library's patterns backtrack: they see few lines, none of them long, and only so long.
MAX_LINES = 2_000
MAX_LINE_LENGTH = 200
SECONDS = 0.3

# Polish needs only one line that begins with a word like `Data:`, which people write themselves.
_NEEDS_ONE_LINE = frozenset({"pl"})
_OURS = (
    r"^-{4,} ?(?:Original Message|Ursprüngliche Nachricht|Message d'origine|Mensaje original) ?-{4,}$",
    r"^(?:> ?)*(?:El .{1,150} escribió|Em .{1,150} escreveu):$",
)
_HEADER = re.compile(
    "|".join(
        [patterns["wrote_header"] for patterns in MAIL_LANGUAGES.values() if "wrote_header" in patterns]
        + [patterns["from_header"] for name, patterns in MAIL_LANGUAGES.items() if name not in _NEEDS_ONE_LINE]
        + list(_OURS)
    ),
    re.MULTILINE | re.IGNORECASE,
)
_RULE = re.compile(r"[_-]{10,}|-{5,}[^-]{1,60}-{5,}|(?:Begin forwarded message|Anfang der weitergeleiteten Nachricht):")


class Folded(NamedTuple):
    text: str
    quoted: str | None


class _Span(NamedTuple):
    """Lines, the last one excluded."""

    start: int
    end: int


class _TooSlow(Exception):
    """The patterns took longer than anybody's quoted mail is worth."""


def fold(text: str) -> Folded:
    """The sender's own words and the quoted rest; answers written between quotes stay where they are."""
    lines = text.split("\n")
    seen = [line.strip()[:MAX_LINE_LENGTH] for line in lines[:MAX_LINES]]
    span = _quoted(seen, len(lines))
    if span is None:
        return Folded(text.strip(), None)
    own = "\n".join(lines[: span.start]).rstrip() + "\n\n" + "\n".join(lines[span.end :]).lstrip("\n")
    if not own.strip():
        return Folded(text.strip(), None)
    return Folded(own.strip(), "\n".join(lines[span.start : span.end]).strip())


def _quoted(seen: list[str], total: int) -> _Span | None:
    header = _first_header(seen)
    if header is None:
        return _lone_block(seen)
    blocks = _marked_blocks(seen, header.end)
    if blocks and not any(seen[header.end : blocks[0].start]):
        return _Span(header.start, blocks[0].end) if len(blocks) == 1 else None
    return _Span(header.start, total)


def _lone_block(seen: list[str]) -> _Span | None:
    """A quote without any header, when the sender's words are all above or all below it."""
    blocks = _marked_blocks(seen, 0)
    if len(blocks) != 1:
        return None
    (block,) = blocks
    return None if any(seen[: block.start]) and any(seen[block.end :]) else block


def _first_header(seen: list[str]) -> _Span | None:
    text = "\n".join(seen)
    try:
        with _at_most(SECONDS):
            found = _HEADER.search(text)
    except _TooSlow:
        return None
    if found is None:
        return None
    start = found.start() + len(found.group()) - len(found.group().lstrip())
    first = text.count("\n", 0, start)
    if seen[first].startswith(">"):
        return None
    return _Span(_with_rule(seen, first), text.count("\n", 0, found.start() + len(found.group().rstrip())) + 1)


def _with_rule(seen: list[str], first: int) -> int:
    """Programs draw a line above their header."""
    above = next((at for at in range(first - 1, max(first - 4, -1), -1) if seen[at]), None)
    return above if above is not None and _RULE.fullmatch(seen[above]) else first


def _marked_blocks(seen: list[str], start: int) -> list[_Span]:
    """Runs of lines that begin with `>`; blank lines do not end one."""
    blocks: list[_Span] = []
    for at in range(start, len(seen)):
        if not seen[at].startswith(">"):
            continue
        if blocks and not any(seen[blocks[-1].end : at]):
            blocks[-1] = _Span(blocks[-1].start, at + 1)
        else:
            blocks.append(_Span(at, at + 1))
    return blocks


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Ends the block by `_TooSlow`; pattern matching looks for signals, so even one search can be ended."""
    before = signal.signal(signal.SIGVTALRM, _raise_too_slow)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _raise_too_slow(number: int, frame: FrameType | None) -> None:
    raise _TooSlow
