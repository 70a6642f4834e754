"""The header block: cut into bounded fields before anything looks inside them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header

from deskstream.channel_email.parse.charsets import clean_line, decode
from deskstream.channel_email.parse.parsed import Unreadable

MAX_FIELDS = 300
MAX_VALUE_BYTES = 4 * 1024
MAX_BLOCK_BYTES = 4 * 1024 * 1024

_END = re.compile(rb"\r?\n\r?\n")
_NAME = re.compile(rb"[!-9;-~]{1,100}(?=[ \t]*:)")
# Their nearest entry stands last, so they lose their beginning instead of their end.
_CUT_AT_THE_FRONT = frozenset({"references"})
_ADDRESSES = frozenset({"from", "sender", "reply-to", "to", "cc"})


@dataclass(frozen=True, slots=True)
class Headers:
    """Fields in order, names in lower case, values unfolded, at most 4 KiB each and still encoded."""

    fields: tuple[tuple[str, bytes], ...] = ()
    cut: frozenset[str] = frozenset()
    """Names of fields that were longer."""

    def all(self, name: str) -> list[bytes]:
        """Every value of a field."""
        return [value for found, value in self.fields if found == name]

    def first(self, name: str) -> bytes:
        """The first value, or nothing."""
        return next((value for found, value in self.fields if found == name), b"")

    def ascii(self, name: str) -> str:
        """The first value as text for machines."""
        return clean_line(self.first(name).decode("ascii", "replace"))

    def words(self, name: str) -> str:
        """The first value as text for people: decoded, on one line."""
        return decode_words(self.first(name))


def body_start(raw: bytes, start: int, end: int) -> int:
    """Where the body begins; `end` when there is none."""
    if raw[start : start + 1] == b"\n":
        return start + 1
    if raw[start : start + 2] == b"\r\n":
        return start + 2
    found = _END.search(raw, start, end)
    return found.end() if found else end


def read_headers(block: bytes) -> Headers:
    """The fields of a header block. Raises `Unreadable` when there are more than one person or server ever writes."""
    if len(block) > MAX_BLOCK_BYTES:
        raise Unreadable("headers_too_long", f"The headers are longer than {MAX_BLOCK_BYTES // 1024} KiB.")
    fields: list[tuple[str, bytes]] = []
    cut: set[str] = set()
    for name, value, size in _unfolded(block):
        if len(fields) == MAX_FIELDS:
            raise Unreadable("too_many_headers", f"There are more than {MAX_FIELDS} header fields.")
        if size > MAX_VALUE_BYTES:
            cut.add(name)
            value = _cut(name, value)
        fields.append((name, value.strip()))
    return Headers(tuple(fields), frozenset(cut))


def decode_words(value: bytes) -> str:
    """RFC 2047 undone, any charset, on one line; what cannot be decoded stays as it is."""
    text = value.decode("utf-8", "replace")
    if "=?" not in text:
        return clean_line(text)
    try:
        pieces = decode_header(text)
    except (HeaderParseError, ValueError):
        return clean_line(text)
    return clean_line(
        "".join(piece if isinstance(piece, str) else _decode_piece(piece, name) for piece, name in pieces)
    )


def _decode_piece(piece: bytes, charset: str | None) -> str:
    # The library gives unencoded words between encoded ones as raw-unicode-escape.
    return decode(piece, charset) if charset else piece.decode("raw_unicode_escape", "replace")


def _unfolded(block: bytes) -> Iterator[tuple[str, bytes, int]]:
    """Name, value without line breaks, and how long it was; of very long ones only what `_cut` may keep."""
    name, pieces, size = "", [b""], 0
    for line in block.split(b"\n"):
        line = line.rstrip(b"\r")
        if line[:1] in (b" ", b"\t"):
            size += len(line)
            if name in _CUT_AT_THE_FRONT or size - len(line) <= MAX_VALUE_BYTES:
                pieces.append(line)
            continue
        if name:
            yield name, b"".join(pieces), size
        found = _NAME.match(line)
        name = found.group().decode("ascii").lower() if found else ""
        pieces = [line[line.index(b":") + 1 :]] if found else []
        size = sum(map(len, pieces))
    if name:
        yield name, b"".join(pieces), size


def _cut(name: str, value: bytes) -> bytes:
    if name in _CUT_AT_THE_FRONT:
        return value[-MAX_VALUE_BYTES:]
    value = value[:MAX_VALUE_BYTES]
    # Half an address would be somebody else's.
    return value.rpartition(b",")[0] if name in _ADDRESSES else value
