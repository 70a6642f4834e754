"""Mails as they lie in files, and the envelope that each needs."""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SIZE_LIMIT: Final = 25 * 1024 * 1024
"""Larger mails no desk takes; they are not even read."""

# Only the header is looked at, and only its beginning: mails may be hostile to whoever reads them whole.
_HEADER_LIMIT: Final = 64 * 1024
_VALUE_LIMIT: Final = 2000

_FIELD: Final = re.compile(rb"^[!-9;-~]{1,100}[ \t]*:", re.MULTILINE)
_ENDS: Final = re.compile(rb"\r?\n\r?\n")
_FOLD: Final = re.compile(rb"\r?\n[ \t]+")
_ADDRESS: Final = re.compile(r"<([^<>\s]{1,320})>|([^\s<>,;:\"()]{1,256}@[^\s<>,;:\"()]{1,256})")

NOBODY: Final = "unknown@sender.example"
"""Return path of a mail that names no sender."""


class Unusable(Exception):
    """A file that is not sent; the text says why."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail with its envelope. `name` is the file's."""

    name: str
    raw: bytes
    sender: str
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Envelope:
    """What was said about all mails; what was not comes from each mail, recipients at last from the desk."""

    sender: str | None = None
    recipients: tuple[str, ...] = ()
    inbox: str | None = None


def find_files(given: Sequence[str]) -> list[str]:
    """Files as given, folders as the .eml files in them; `-` is stdin. Raises Unusable for what is not there."""
    found: list[str] = []
    for name in given:
        path = Path(name)
        if name != "-" and path.is_dir():
            inside = sorted(str(file) for file in path.rglob("*.eml"))
            if not inside:
                raise Unusable(f"{name} is a folder without .eml files.")
            found += inside
        else:
            found.append(name)
    return found


def read_letter(name: str, envelope: Envelope, *, any_bytes: bool = False) -> Letter:
    """The mail of one file. Raises Unusable for what cannot be read or is no mail; the latter not with `any_bytes`."""
    raw = _content(name)
    head = _head(raw)
    if not any_bytes and not _FIELD.match(head):
        raise Unusable("It is no mail: it does not begin with a header. --any-bytes sends it all the same.")
    sender = _sender(head) if envelope.sender is None else envelope.sender
    inbox = (envelope.inbox,) if envelope.inbox else ()
    recipients = envelope.recipients or inbox or _addresses(head, b"to")
    if not recipients:
        raise Unusable("It names nobody in To: say --to ADDRESS.")
    return Letter(name, raw, sender, recipients)


def _content(name: str) -> bytes:
    try:
        if name == "-":
            raw = sys.stdin.buffer.read(SIZE_LIMIT + 1)
        else:
            with Path(name).open("rb") as file:
                raw = file.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise Unusable(f"It cannot be read: {error.strerror}.") from None
    if len(raw) > SIZE_LIMIT:
        raise Unusable(f"It is over {SIZE_LIMIT // 1024 // 1024} MiB: no desk takes it.")
    if not raw.strip():
        raise Unusable("It is empty.")
    return raw


def _head(raw: bytes) -> bytes:
    beginning = raw[:_HEADER_LIMIT]
    # Mailboxes put a line of their own before the header.
    if beginning.startswith((b"From ", b">From ")):
        beginning = beginning.partition(b"\n")[2]
    return _ENDS.split(beginning, maxsplit=1)[0]


def _sender(head: bytes) -> str:
    # A bounce's return path is null on purpose, so that nobody answers it.
    if (_value(head, b"return-path") or "").strip() == "<>":
        return ""
    return next(iter(_addresses(head, b"return-path") or _addresses(head, b"from")), NOBODY)


def _addresses(head: bytes, field: bytes) -> tuple[str, ...]:
    found = _ADDRESS.findall(_value(head, field) or "")
    return tuple(bracketed or bare for bracketed, bare in found if "@" in (bracketed or bare))[:100]


def _value(head: bytes, field: bytes) -> str | None:
    """Of the first field of this name, which is given in lower case."""
    for line in _FOLD.sub(b" ", head).splitlines():
        name, colon, value = line[:_VALUE_LIMIT].partition(b":")
        if colon and name.strip().lower() == field:
            return value.decode("utf-8", "replace")
    return None
