"""The tree of a mail's parts: found in the bytes by offsets, within limits, without recursion that mail can drive."""

import binascii
import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from typing import NamedTuple

from deskstream.channel_email.parse.charsets import clean_line, decode
from deskstream.channel_email.parse.headers import Headers, body_start, decode_words, read_headers
from deskstream.channel_email.parse.parsed import MAX_BODY_BYTES, Unreadable

MAX_DEPTH = 20
MAX_PARTS = 200

_BASE64 = re.compile(rb"[A-Za-z0-9+/]")
_NOT_BASE64 = _BASE64.sub(b"", bytes(range(256)))
# White space after a boundary, put there by servers on the way.
_DELIMITER_TAIL = 200
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,100}/[a-z0-9!#$&^_.+-]{1,100}")


@dataclass(frozen=True, slots=True)
class Part:
    """One node: `start` and `end` delimit its body in the mail's bytes."""

    raw: bytes
    start: int
    end: int
    headers: Headers
    media_type: str
    charset: str | None
    name: str
    disposition: str
    children: tuple["Part", ...] = ()

    @property
    def main_type(self) -> str:
        return self.media_type.partition("/")[0]

    @property
    def content_id(self) -> str | None:
        """Without angle brackets."""
        return self.headers.ascii("content-id").strip("<> ") or None

    def content(self) -> bytes:
        """The body with its transfer encoding undone."""
        return _decoded(memoryview(self.raw)[self.start : self.end], self.headers.ascii("content-transfer-encoding"))

    def beginning(self) -> tuple[str, bool]:
        """The body as text, at most `MAX_BODY_BYTES` of it, and whether there is more."""
        # Base64 and escapes take at most three bytes for one.
        end = min(self.end, self.start + 3 * MAX_BODY_BYTES)
        encoding = self.headers.ascii("content-transfer-encoding")
        body = _decoded(memoryview(self.raw)[self.start : end], encoding)
        return decode(body[:MAX_BODY_BYTES], self.charset), end < self.end or len(body) > MAX_BODY_BYTES


def read_structure(raw: bytes) -> Part:
    """The whole tree. Raises `Unreadable` when it is nested too deep or has too many parts."""
    return _Reader(raw).part(0, len(raw), depth=1)


class _Reader:
    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._parts = 0

    def part(self, start: int, end: int, *, depth: int, default: str = "text/plain") -> Part:
        self._count(depth)
        body = body_start(self._raw, start, end)
        headers = read_headers(self._raw[start:body])
        kind = _Kind(headers, default)
        return Part(
            raw=self._raw,
            start=body,
            end=end,
            headers=headers,
            media_type=kind.media_type,
            charset=kind.charset,
            name=kind.name,
            disposition=kind.disposition,
            children=self._children(kind, body, end, depth + 1),
        )

    def _count(self, depth: int) -> None:
        self._parts += 1
        if depth > MAX_DEPTH:
            raise Unreadable("mime_depth", f"The parts are nested more than {MAX_DEPTH} deep.")
        if self._parts > MAX_PARTS:
            raise Unreadable("mime_parts", f"There are more than {MAX_PARTS} parts.")

    def _children(self, kind: "_Kind", start: int, end: int, depth: int) -> tuple[Part, ...]:
        if kind.media_type == "message/rfc822" and not kind.encoded:
            return (self.part(start, end, depth=depth),)
        if not kind.boundary:
            return ()
        default = "message/rfc822" if kind.media_type == "multipart/digest" else "text/plain"
        return tuple(
            self.part(first, last, depth=depth, default=default)
            for first, last in self._slices(kind.boundary, start, end)
        )

    def _slices(self, boundary: bytes, start: int, end: int) -> list[tuple[int, int]]:
        """Where the parts between the delimiter lines are; an unclosed last one reaches to the end."""
        slices: list[tuple[int, int]] = []
        opened: int | None = None
        for delimiter in self._delimiters(b"--" + boundary, start, end):
            if opened is not None:
                slices.append((opened, max(delimiter.start, opened)))
            if delimiter.closing or len(slices) > MAX_PARTS:
                return slices
            opened = delimiter.end
        if opened is not None:
            slices.append((opened, end))
        return slices

    def _delimiters(self, dashed: bytes, start: int, end: int) -> Iterator["_Delimiter"]:
        # The line break before a delimiter belongs to it, and may be the one that ends the headers.
        position = self._raw.find(b"\n" + dashed, max(start - 1, 0), end)
        while position >= 0:
            after = position + 1 + len(dashed)
            line_end = self._raw.find(b"\n", after, min(after + _DELIMITER_TAIL, end))
            line_end = line_end + 1 if line_end >= 0 else min(after + _DELIMITER_TAIL, end)
            tail = self._raw[after:line_end].strip()
            if tail in (b"", b"--") and (line_end == end or self._raw[line_end - 1 : line_end] == b"\n"):
                before = position - 1 if self._raw[position - 1 : position] == b"\r" else position
                yield _Delimiter(before, line_end, closing=tail == b"--")
            position = self._raw.find(b"\n" + dashed, after - 1, end)


class _Delimiter(NamedTuple):
    start: int
    end: int
    closing: bool


class _Kind:
    """What a part's headers say of it, by the standard library's parser on bounded fields."""

    def __init__(self, headers: Headers, default: str) -> None:
        fields: Message = Message()
        for name in ("content-type", "content-disposition"):
            fields[name] = headers.first(name).decode("utf-8", "replace")
        named = fields.get_content_type() if headers.first("content-type") else default
        self.media_type = named if _MEDIA_TYPE.fullmatch(named) else "application/octet-stream"
        self.charset = _parameter(fields, "charset") or None
        self.disposition = clean_line(headers.ascii("content-disposition").partition(";")[0]).lower()
        self.name = _parameter(fields, "filename", "content-disposition") or _parameter(fields, "name")
        boundary = _parameter(fields, "boundary") if self.media_type.startswith("multipart/") else ""
        self.boundary = boundary.encode("ascii", "replace")
        self.encoded = headers.ascii("content-transfer-encoding").lower() in ("base64", "quoted-printable")


def _parameter(fields: Message, name: str, header: str = "content-type") -> str:
    try:
        found = fields.get_param(name, "", header)
    # The library stumbles over broken RFC 2231 continuations; such a parameter counts as absent.
    except (ValueError, IndexError, TypeError, AttributeError, LookupError):
        return ""
    if isinstance(found, tuple):
        charset, _, value = found
        return decode(value.encode("latin-1", "replace"), charset)
    return decode_words(found.encode("utf-8", "replace"))


def _decoded(body: memoryview, encoding: str) -> bytes:
    match encoding.lower():
        case "base64":
            return _from_base64(body)
        case "quoted-printable":
            return quopri.decodestring(bytes(body))
        case _:
            return bytes(body)


def _from_base64(body: memoryview) -> bytes:
    try:
        return binascii.a2b_base64(body)
    except binascii.Error:
        clean = bytes(body).translate(None, _NOT_BASE64)
        return binascii.a2b_base64(clean[: len(clean) // 4 * 4])
