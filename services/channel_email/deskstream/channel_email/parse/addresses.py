"""Addresses, message ids and dates, from fields that may be broken on purpose."""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC
from email.utils import getaddresses, parsedate_to_datetime

from deskstream.channel_email.parse.charsets import clean_line
from deskstream.channel_email.parse.headers import decode_words
from deskstream.channel_email.parse.parsed import Address

MAXADDRESSES = 100
MAX_IDS = 50
# With the mark on a repeated one it stays within the 998 of the contract.
MAX_ID_LENGTH = 980
MAX_NAME_LENGTH = 200

ADDRESS = re.compile(r"[^\s@<>()\[\]\\,;:\"\x00-\x20\x7f]{1,64}@[^\s@<>()\[\]\\,;:\"\x00-\x20\x7f]{1,253}")
_ID = re.compile(r"<[^<>\s@]{1,500}@[^<>\s@]{1,500}>")


def read_addresses(fields: Iterable[bytes]) -> tuple[Address, ...]:
    """At most `MAXADDRESSES`, each address once, in order."""
    found: dict[str, Address] = {}
    for field in fields:
        for address in _of_field(field):
            found.setdefault(address.email, address)
            if len(found) == MAXADDRESSES:
                return tuple(found.values())
    return tuple(found.values())


def read_ids(fields: Iterable[bytes]) -> tuple[str, ...]:
    """At most the last `MAX_IDS` ids in angle brackets, each once, in order."""
    found = [name for field in fields for name in _ID.findall(field.decode("utf-8", "replace"))]
    return tuple(dict.fromkeys(name for name in found if len(name) <= MAX_ID_LENGTH))[-MAX_IDS:]


def read_message_id(fields: list[bytes]) -> str | None:
    """The mail's own id; None when it is missing, malformed or there are several."""
    ids = read_ids(fields)
    whole = [clean_line(field.decode("utf-8", "replace")) for field in fields]
    return ids[0] if len(ids) == 1 and whole == [ids[0]] else None


def read_date(field: bytes) -> str | None:
    """ISO 8601 with offset, or None where nobody can tell."""
    try:
        read = parsedate_to_datetime(field.decode("ascii", "replace"))
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).isoformat()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _of_field(field: bytes) -> Iterator[Address]:
    text = field.decode("utf-8", "replace")
    try:
        pairs = getaddresses([text])
    # Nested comments take the library's parser down to the bottom of the stack.
    except (RecursionError, ValueError, IndexError):
        pairs = []
    readable = [(name, email) for name, email in pairs if ADDRESS.fullmatch(email)]
    for name, email in readable or [("", email) for email in ADDRESS.findall(text)]:
        yield Address(email.lower(), decode_words(name.encode("utf-8", "replace"))[:MAX_NAME_LENGTH])
