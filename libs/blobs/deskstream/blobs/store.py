"""Where blobs are kept: the schema `blobs` of the database that every service shares."""

import asyncio
import re
from collections.abc import Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final, NamedTuple, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from deskstream.blobs.blob import Blob

Tx: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

SCHEMA: Final = "blobs"
MIGRATIONS: Final[Traversable] = files("deskstream.blobs") / "migrations"
"""The SQL files of the schema `blobs`."""

_SHA256: Final = re.compile(r"[0-9a-f]{64}")

# Sorted, so that two writers of the same blobs never wait for each other crosswise. Callers' pools have a search_path
# of their own, so the schema is named. Naming the column of the conflict would need the right to read it.
_WRITE: Final = """
INSERT INTO blobs.blobs (sha256, media_type, size, body)
SELECT sha256, media_type, octet_length(body), body
FROM unnest($1::bytea[], $2::text[], $3::bytea[]) AS new(sha256, media_type, body)
ORDER BY sha256
ON CONFLICT DO NOTHING
"""

_READ: Final = """
SELECT media_type, body
FROM blobs.read_blob($1)
"""

_READ_PIECE: Final = """
SELECT media_type, size, piece
FROM blobs.read_piece($1, $2, $3)
"""


class Piece(NamedTuple):
    """A part of a blob, and what the whole of it is; `size` in bytes."""

    media_type: str
    size: int
    body: bytes


async def write(tx: Tx, blobs: Iterable[Blob]) -> None:
    """Keeps blobs within the caller's transaction, in one statement; those that are there already stay as they are."""
    by_name = {blob.sha256: blob for blob in blobs}
    if by_name:
        await tx.execute(
            _WRITE,
            [bytes.fromhex(name) for name in by_name],
            [blob.media_type for blob in by_name.values()],
            [blob.body for blob in by_name.values()],
        )


async def read(tx: Tx, sha256: str) -> Blob | None:
    """The blob of that name; None when there is none, or when it is no SHA-256 in lower-case hex."""
    if not _SHA256.fullmatch(sha256):
        return None
    row = await tx.fetchrow(_READ, bytes.fromhex(sha256))
    return None if row is None else Blob(sha256, row["media_type"], row["body"])


async def read_piece(tx: Tx, sha256: str, start: int, length: int) -> Piece | None:
    """At most `length` bytes from `start` on; None when there is no such blob."""
    if not _SHA256.fullmatch(sha256):
        return None
    row = await tx.fetchrow(_READ_PIECE, bytes.fromhex(sha256), start, length)
    return None if row is None else Piece(*row)


class Blobs:
    """Blobs outside of anybody's transaction: for adapters, which keep them before they say a message.

    Takes a pool of the caller's, or a URL; with a URL it opens connections of its own on first use, which `close`
    closes. Every method raises asyncpg's errors when the database is unwell.
    """

    def __init__(self, database: "Pool | str") -> None:
        self._pool = None if isinstance(database, str) else database
        self._url = database if isinstance(database, str) else None
        self._opening = asyncio.Lock()

    async def put(self, body: bytes, media_type: str) -> str:
        """Keeps it, once, and returns its SHA-256 in hex. Raises `BlobTooLarge` over 25 MiB."""
        [sha256] = await self.put_many([(body, media_type)])
        return sha256

    async def put_many(self, contents: Iterable[tuple[bytes, str]]) -> list[str]:
        """Keeps (body, media type) pairs, all or none, and returns their SHA-256 in the same order.

        Raises `BlobTooLarge` when one of them is over 25 MiB.
        """
        blobs = [Blob.of(body, media_type) for body, media_type in contents]
        if blobs:
            async with (await self._open()).acquire() as connection:
                await write(connection, blobs)
        return [blob.sha256 for blob in blobs]

    async def get(self, sha256: str) -> Blob | None:
        """The blob of that name; None when there is none, or when it is no SHA-256 in lower-case hex."""
        async with (await self._open()).acquire() as connection:
            return await read(connection, sha256)

    async def close(self) -> None:
        """Closes what it opened itself; a pool that was given stays open."""
        if self._url is not None and self._pool is not None:
            pool, self._pool = self._pool, None
            await pool.close()

    async def _open(self) -> Pool:
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(self._url, min_size=0, max_size=4)
        return self._pool
