"""The files that an adapter's author wants checked: never more of one is read than a message may have."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from deskstream.contracts.inbound import MESSAGE_LIMIT

STDIN: Final = "-"


def named(given: Sequence[str]) -> Iterator[str]:
    """Files as given, folders as the .json files in them."""
    for name in given:
        if name != STDIN and Path(name).is_dir():
            yield from sorted(str(file) for file in Path(name).rglob("*.json"))
        else:
            yield name


def read(name: str) -> tuple[bytes, int | None]:
    """Its beginning, and its whole size; None for what has more and no end that could be known. Raises OSError."""
    if name == STDIN:
        return _beginning(sys.stdin.buffer)
    with Path(name).open("rb") as file:
        body, size = _beginning(file)
    return body, size or Path(name).stat().st_size or None


def _beginning(file: BinaryIO) -> tuple[bytes, int | None]:
    body = file.read(MESSAGE_LIMIT + 1)
    return body, len(body) if len(body) <= MESSAGE_LIMIT else None
