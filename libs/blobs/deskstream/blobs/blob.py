"""A blob: bytes that are named by what they are."""

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

LIMIT: Final = 25 * 1024 * 1024
"""Bytes of one blob."""

# What may stand in an HTTP header, which is where a media type ends up.
_MEDIA_TYPE: Final = re.compile(r"[\x20-\x7e]{1,255}")
_ANYTHING: Final = "application/octet-stream"


class BlobTooLarge(ValueError):
    """It is over the limit; nothing was kept."""

    def __init__(self, size: int) -> None:
        super().__init__(f"{size:,} bytes are over the limit of {LIMIT:,} bytes (25 MiB) for one body")
        self.size = size


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes with their SHA-256 (64 lower-case hex digits) and media type."""

    sha256: str
    media_type: str
    body: bytes

    @property
    def size(self) -> int:
        return len(self.body)

    @classmethod
    def of(cls, body: bytes, media_type: str = _ANYTHING) -> "Blob":
        """The blob of these bytes; a media type that no header could carry becomes `application/octet-stream`.

        Raises `BlobTooLarge` over 25 MiB.
        """
        if len(body) > LIMIT:
            raise BlobTooLarge(len(body))
        return cls(sha256(body).hexdigest(), media_type if _MEDIA_TYPE.fullmatch(media_type) else _ANYTHING, body)
