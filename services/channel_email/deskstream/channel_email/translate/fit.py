"""Making a message fit: what is too long for the bus goes to the blobs, what is too much is left in the raw mail."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from deskstream.contracts.inbound import INLINE_BODY_LIMIT
from deskstream.contracts.message import Contract

Item = TypeVar("Item", bound="Contract | str")

# Together with the body and the rest they stay under the 64 KiB of a message.
COPIED_BYTES = 6 * 1024
REFERENCES_BYTES = 4 * 1024
ATTACHMENTS_BYTES = 10 * 1024


@dataclass(frozen=True, slots=True)
class FittedBody:
    """What travels, and the whole where that is not all: bytes and media type."""

    text: str
    quoted: str | None
    html: str | None
    whole: tuple[bytes, str] | None = None


def fit_body(text: str, quoted: str | None, html: str | None) -> FittedBody:
    """HTML is given up first, then the quoted part, then the end of the text."""
    sizes = [_size(part or "") for part in (text, quoted, html)]
    if sum(sizes) <= INLINE_BODY_LIMIT:
        return FittedBody(text, quoted, html)
    whole = (html, "text/html") if html else ("\n\n".join(filter(None, (text, quoted))), "text/plain")
    kept = quoted if sizes[0] + sizes[1] <= INLINE_BODY_LIMIT else None
    return FittedBody(_cut(text), kept, None, (whole[0].encode(), f"{whole[1]}; charset=utf-8"))


def within(items: Iterable[Item], limit: int) -> tuple[Item, ...]:
    """The first ones, as many as `limit` bytes of JSON hold."""
    kept: list[Item] = []
    for item in items:
        limit -= (
            len(item.model_dump_json(exclude_defaults=True).encode()) if isinstance(item, Contract) else _size(item)
        )
        if limit < 0:
            break
        kept.append(item)
    return tuple(kept)


def _cut(text: str) -> str:
    while (size := _size(text)) > INLINE_BODY_LIMIT:
        text = text[: max(len(text) * INLINE_BODY_LIMIT // size - 1, 0)]
    return text


def _size(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode())
