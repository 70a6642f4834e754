"""Reading another service's journal: for a gap, and for a lane newly heard."""

import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Final
from uuid import UUID

import asyncpg
import structlog

from deskstream.contracts.journal import JournalPage, ReadHeads, ReadJournal
from deskstream.messaging.declare import Tx
from deskstream.messaging.item import Item, Source
from deskstream.messaging.runner import MAX_BATCH, Runner

ReadPage = Callable[[str, ReadJournal], Awaitable[JournalPage]]
"""(lane, what) -> page; asks the lane's owner."""
ReadHeadsOf = Callable[[str, ReadHeads], Awaitable[dict[str, int]]]

PAGE_ROWS: Final = 500

_HEARD = "SELECT lane FROM lanes_heard"
_HEAR = "INSERT INTO lanes_heard (lane, since, at) VALUES ($1, $2, clock_timestamp()) ON CONFLICT DO NOTHING"
_START_AT = """
INSERT INTO progress (lane, key, seq)
SELECT $1, key, seq
FROM unnest($2::text[], $3::bigint[]) AS new(key, seq)
ON CONFLICT DO NOTHING
"""

log = structlog.get_logger()


def items_of(lane: str, page: JournalPage) -> Iterator[Item]:
    """The events of a page as items, as if a stream had delivered them."""
    for row in page.rows:
        about = json.loads(row.body)
        yield Item(
            source=Source.JOURNAL,
            lane=lane,
            key=row.key,
            sequence=row.sequence,
            type=about["type"],
            subject=row.subject,
            body=row.body.encode(),
            id=UUID(about["id"]),
        )


class Bootstrap:
    """Takes up a lane that this reader never heard: its whole history, or its present position."""

    def __init__(self, runner: Runner, read_page: ReadPage, read_heads: ReadHeadsOf) -> None:
        self._runner = runner
        self._read_page = read_page
        self._read_heads = read_heads

    async def take_up(self, pool: "asyncpg.Pool[asyncpg.Record]", lane: str, since: str) -> int:
        """Applies the journal of a lane to its last row (`beginning`), or starts behind it (`now`).

        Called before the stream is pulled; what both hold is applied once. Returns how many events were read.
        """
        async with pool.acquire() as connection:
            if lane in {row["lane"] for row in await connection.fetch(_HEARD)}:
                return 0
        if since == "now":
            async with pool.acquire() as connection, connection.transaction():
                count = await self._start_at_heads(connection, lane)
                await connection.execute(_HEAR, lane, since)
            return count
        count = await self._replay(lane)
        async with pool.acquire() as connection:
            await connection.execute(_HEAR, lane, since)
        log.info("lane_taken_up", lane=lane, since=since, events=count)
        return count

    async def _start_at_heads(self, tx: Tx, lane: str) -> int:
        after, count = "", 0
        while heads := await self._read_heads(lane, ReadHeads(lane=lane, after=after)):
            await tx.execute(_START_AT, lane, list(heads), list(heads.values()))
            after, count = list(heads)[-1], count + len(heads)
        return count

    async def _replay(self, lane: str) -> int:
        after, count = 0, 0
        while True:
            page = await self._read_page(lane, ReadJournal(lane=lane, after=after, limit=PAGE_ROWS))
            if not page.rows:
                return count
            items = list(items_of(lane, page))
            for start in range(0, len(items), MAX_BATCH):
                await self._runner.handle(items[start : start + MAX_BATCH])
            after, count = page.last, count + len(items)
