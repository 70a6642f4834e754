"""Reading another service's journal: for a gap, for a lane newly heard, and for what a stream lost or never had."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final
from uuid import UUID

import asyncpg
import structlog

from deskstream.contracts.journal import JournalPage, JournalRow, ReadHeads, ReadJournal
from deskstream.messaging.item import Item, Source
from deskstream.messaging.runner import MAX_BATCH, Runner

ReadPage = Callable[[str, ReadJournal], Awaitable[JournalPage]]
"""(lane, what) -> page; asks the lane's owner."""
ReadHeadsOf = Callable[[str, ReadHeads], Awaitable[dict[str, int]]]

KEYS_AT_ONCE: Final = 20
SETTLE_S: Final = 0.5
"""Until a batch that the database would not take is tried again."""
TELL_EVERY: Final = 50_000

_HEAR = """
INSERT INTO lanes_heard (lane, since, at, whole, durable)
VALUES ($1, $2, clock_timestamp(), true, $3)
ON CONFLICT (lane) DO UPDATE
SET whole = true, durable = excluded.durable
"""

_READ_TO = """
INSERT INTO lanes_heard (lane, since, at, whole, read_to)
VALUES ($1, 'beginning', clock_timestamp(), false, $2)
ON CONFLICT (lane) DO UPDATE
SET read_to = excluded.read_to
RETURNING read_to
"""

_WAS_READ_TO = "SELECT read_to FROM lanes_heard WHERE lane = $1"

_START_AT = """
INSERT INTO progress (lane, key, seq)
SELECT $1, key, seq
FROM unnest($2::text[], $3::bigint[]) AS new(key, seq)
ON CONFLICT DO NOTHING
"""

_BEHIND = """
SELECT h.key, coalesce(p.seq, 0) AS seq
FROM unnest($2::text[], $3::bigint[]) AS h(key, seq)
LEFT JOIN progress p ON p.lane = $1 AND p.key = h.key
WHERE coalesce(p.seq, 0) < h.seq
"""

_NOT_TAKEN = """
SELECT i.position
FROM unnest($1::text[], $2::text[], $3::bigint[]) WITH ORDINALITY AS i(lane, key, seq, position)
LEFT JOIN progress p USING (lane, key)
WHERE coalesce(p.seq, 0) < i.seq
  AND NOT EXISTS (SELECT 1 FROM waiting w WHERE w.lane = i.lane AND w.key = i.key AND w.seq = i.seq)
"""

log = structlog.get_logger()


def items_of(lane: str, page: JournalPage) -> Iterator[Item]:
    """The numbered events of a page as items, as if a stream had delivered them."""
    for row in page.rows:
        if not row.sequence:
            continue
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


class NotRead(Exception):
    """The owner of a lane answered, and refused to read it: later, or another version of it, may not."""


class TakeUp:
    """Brings this reader to where a lane is, from the journal of the lane's owner."""

    def __init__(
        self,
        runner: Runner,
        pool: "asyncpg.Pool[asyncpg.Record]",
        read_page: ReadPage,
        read_heads: ReadHeadsOf,
    ) -> None:
        self._runner = runner
        self._pool = pool
        self._read_page = read_page
        self._read_heads = read_heads
        self.read = 0
        """Events read since the start: who waits for a history sees that it comes nearer."""

    async def begin_now(self, lane: str, durable: str) -> int:
        """Starts behind the last event of every key: history is not for this reader. Returns the number of keys."""
        after, count = "", 0
        async with self._pool.acquire() as connection, connection.transaction():
            while heads := await self._read_heads(lane, ReadHeads(lane=lane, after=after)):
                await connection.execute(_START_AT, lane, list(heads), list(heads.values()))
                after, count = list(heads)[-1], count + len(heads)
            await connection.execute(_HEAR, lane, "now", durable)
        return count

    async def read_all(self, lane: str, durable: str) -> int:
        """Applies the whole journal of a lane in the order it was written, and remembers how far it is: started anew it
        goes on there. Returns how many events were read.

        What is written meanwhile comes by the stream, where a durable waits since before.
        """
        page = await self._rows(lane, await self._pool.fetchval(_WAS_READ_TO, lane) or 0)
        while page.rows:
            following = asyncio.create_task(self._rows(lane, page.last))
            try:
                await self._apply(list(items_of(lane, page)))
                await self._pool.execute(_READ_TO, lane, page.last)
            except BaseException:
                following.cancel()
                raise
            told, self.read = self.read // TELL_EVERY, self.read + len(page.rows)
            if self.read // TELL_EVERY > told:
                log.info("reading_history", lane=lane, events=self.read)
            page = await following
        await self._pool.execute(_HEAR, lane, "beginning", durable)
        log.info("lane_taken_up", lane=lane, events=self.read)
        return self.read

    async def catch_up(self, lane: str, durable: str) -> int:
        """Asks the owner for the last number of every key, and reads what this reader lacks. Returns how many keys."""
        after, count = "", 0
        while heads := await self._read_heads(lane, ReadHeads(lane=lane, after=after)):
            rows = await self._pool.fetch(_BEHIND, lane, list(heads), list(heads.values()))
            behind = [(row["key"], row["seq"]) for row in rows]
            for start in range(0, len(behind), KEYS_AT_ONCE):
                wanted = behind[start : start + KEYS_AT_ONCE]
                await asyncio.gather(*(self._read_key(lane, key, seq, heads[key]) for key, seq in wanted))
            after, count = list(heads)[-1], count + len(behind)
        await self._pool.execute(_HEAR, lane, "beginning", durable)
        if count:
            log.info("lane_caught_up", lane=lane, keys=count)
        return count

    async def _read_key(self, lane: str, key: str, beyond: int, head: int) -> None:
        while beyond < head:
            page = await self._read_page(lane, ReadJournal(lane=lane, key=key, beyond=beyond))
            items = list(items_of(lane, page))
            if not items:
                return
            await self._apply(items)
            beyond = items[-1].sequence

    async def _rows(self, lane: str, after: int) -> JournalPage:
        """The next rows, as many as make a full batch; one message of the broker does not hold that many."""
        rows, limit = list[JournalRow](), MAX_BATCH
        while len(rows) < MAX_BATCH:
            page = await self._read_page(lane, ReadJournal(lane=lane, after=after, limit=limit))
            if not page.rows:
                break
            rows += page.rows
            # What does not fit is read in vain.
            after, limit = page.last, min(len(page.rows) + len(page.rows) // 8 + 1, MAX_BATCH)
        return JournalPage(rows=tuple(rows), last=after)

    async def _apply(self, items: Sequence[Item]) -> None:
        """Nobody delivers these again, so this comes back only when each was applied or waits in the table."""
        while items:
            for start in range(0, len(items), MAX_BATCH):
                await self._runner.handle(items[start : start + MAX_BATCH])
            items = await self._not_taken(items)
            if items:
                await asyncio.sleep(SETTLE_S)

    async def _not_taken(self, items: Sequence[Item]) -> list[Item]:
        columns = [i.lane for i in items], [i.key for i in items], [i.sequence for i in items]
        rows = await self._pool.fetch(_NOT_TAKEN, *columns)
        return [items[row["position"] - 1] for row in rows]
