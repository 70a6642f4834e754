"""The three lists: what the stream lacks, what the journal lacks, and numbers that were given twice."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from nats.aio.client import Client

from deskstream.contracts import subjects
from deskstream.messaging.declare import Tx
from deskstream.messaging.reconcile.stored import StreamState, state_of, stored

Moved = Callable[[int], None]
"""Hears how many messages of the stream were looked at."""

MARGIN: Final = timedelta(minutes=1)
"""At the old end of a stream neighbours are dropped in another order than they were journaled in."""
SHOWN: Final = 20

_FORGET: Final = "DELETE FROM stream_seen WHERE lane = $1"

_LAST_ID: Final = "SELECT coalesce(max(id), 0) FROM journal"

_KNOWN: Final = """
SELECT min(j.at) AS oldest, max(j.id) AS newest
FROM stream_seen s
JOIN journal j ON j.lane = s.lane AND j.key = s.key AND j.seq = s.seq AND j.message_id = s.message_id
WHERE s.lane = $1 AND s.stream_seq > 0
"""

# What is on its way when the comparison begins may arrive behind the end up to which the stream is read.
_ON_ITS_WAY: Final = """
INSERT INTO stream_seen (lane, stream_seq, message_id, key, seq)
SELECT j.lane, 0, j.message_id, j.key, j.seq
FROM unpublished u
JOIN journal j USING (id, at)
WHERE j.lane = $1
"""

# Of two neighbours at the old end the one journaled first may be the one published last: the last two conditions say
# from where on nothing can have been dropped for its age.
_MISSING_IN_STREAM: Final = """
SELECT count(*) OVER () AS number, j.key, j.seq, j.message_id, 0 AS stream_seq
FROM journal j
WHERE j.lane = $1 AND j.at > $2 AND (j.at > $3 OR j.id > $4) AND j.id <= $5
  AND NOT EXISTS (SELECT 1 FROM unpublished u WHERE u.id = j.id)
  AND NOT EXISTS (SELECT 1 FROM stream_seen s WHERE s.lane = $1 AND s.message_id = j.message_id)
ORDER BY j.id
LIMIT $6
"""

_OWE: Final = """
INSERT INTO unpublished (id, at)
SELECT j.id, j.at
FROM journal j
WHERE j.lane = $1 AND j.at > $2 AND (j.at > $3 OR j.id > $4) AND j.id <= $5
  AND NOT EXISTS (SELECT 1 FROM unpublished u WHERE u.id = j.id)
  AND NOT EXISTS (SELECT 1 FROM stream_seen s WHERE s.lane = $1 AND s.message_id = j.message_id)
ON CONFLICT DO NOTHING
"""

_MISSING_IN_JOURNAL: Final = """
SELECT count(*) OVER () AS number, s.key, s.seq, s.message_id, s.stream_seq
FROM stream_seen s
WHERE s.lane = $1 AND NOT EXISTS (
    SELECT 1
    FROM journal j
    WHERE j.lane = s.lane AND j.key = s.key AND j.seq = s.seq AND (s.seq > 0 OR j.message_id = s.message_id)
)
ORDER BY s.stream_seq
LIMIT $2
"""

_GIVEN_TWICE: Final = """
SELECT count(*) OVER () AS number, s.key, s.seq, s.message_id, s.stream_seq
FROM stream_seen s
WHERE s.lane = $1 AND s.seq > 0
  AND EXISTS (SELECT 1 FROM journal j WHERE j.lane = s.lane AND j.key = s.key AND j.seq = s.seq)
  AND NOT EXISTS (
      SELECT 1
      FROM journal j
      WHERE j.lane = s.lane AND j.key = s.key AND j.seq = s.seq AND j.message_id = s.message_id
  )
ORDER BY s.stream_seq
LIMIT $2
"""

# Comparing takes as long as it takes; a service's other statements may not.
_TAKE_TIME: Final = "SELECT set_config('statement_timeout', '0', true)"

_ONE_AT_A_TIME: Final = "SELECT pg_advisory_xact_lock(hashtext(current_schema()), hashtext('reconcile'))"


@dataclass(frozen=True, slots=True)
class Difference:
    """One message that is not on both sides."""

    key: str
    sequence: int
    message_id: UUID
    position: int
    """In the stream; 0 for what is not there."""


@dataclass(frozen=True, slots=True)
class Differences:
    """How many there are, and the first of them."""

    number: int = 0
    first: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True)
class Lists:
    """One lane's differences."""

    lane: str
    missing_in_stream: Differences = Differences()
    missing_in_journal: Differences = Differences()
    given_twice: Differences = Differences()
    """(key, sequence) that stream and journal know under different ids."""

    @property
    def none(self) -> bool:
        """Whether stream and journal fit each other."""
        return not (self.missing_in_stream.number or self.missing_in_journal.number or self.given_twice.number)


@dataclass(frozen=True, slots=True)
class Compared:
    """A lane whose stream was read: valid within its transaction."""

    tx: Tx
    lane: str
    window: tuple[str, datetime, datetime, int, int]
    """What the stream would still hold, had it lost nothing: lane, from when, surely from when, surely from which row,
    up to which row."""

    async def lists(self) -> Lists:
        """Counts the differences and names the first ones."""
        missing = await self._differences(_MISSING_IN_STREAM, *self.window)
        if is_inbound(self.lane):
            # Anybody may publish there; only what our own journal has can be missing.
            return Lists(self.lane, missing)
        return Lists(
            self.lane,
            missing,
            await self._differences(_MISSING_IN_JOURNAL, self.lane),
            await self._differences(_GIVEN_TWICE, self.lane),
        )

    async def owe(self) -> int:
        """What the stream lacks is owed to it again: the sweeper publishes it in order. Returns how much that is."""
        return int((await self.tx.execute(_OWE, *self.window)).rpartition(" ")[2])

    async def _differences(self, query: str, *arguments: object) -> Differences:
        rows = await self.tx.fetch(query, *arguments, SHOWN)
        first = tuple(Difference(row["key"], row["seq"], row["message_id"], row["stream_seq"]) for row in rows)
        return Differences(rows[0]["number"] if rows else 0, first)


@asynccontextmanager
async def compared(
    tx: Tx, client: Client, lane: str, state: StreamState, moved: Moved = lambda _: None
) -> AsyncIterator[Compared]:
    """Reads the whole stream into a table beside the journal, in a transaction: memory does not grow with it.

    What a transaction that is just open commits and publishes meanwhile may be listed as missing in the stream:
    published once more it does no harm.
    """
    async with tx.transaction():
        await tx.execute(_TAKE_TIME)
        await tx.execute(_ONE_AT_A_TIME)
        await tx.execute(_FORGET, lane)
        upto: int = await tx.fetchval(_LAST_ID)
        await tx.execute(_ON_ITS_WAY, lane)
        state = await state_of(client, state.name) or state
        await _see(tx, client, lane, state, moved)
        yield Compared(tx, lane, (lane, *await _window(tx, lane, state), upto))
        await tx.execute(_FORGET, lane)


def is_inbound(lane: str) -> bool:
    """Whether it is one of the lanes on which adapters publish, ours and others'."""
    return lane == subjects.INBOUND or lane.startswith(f"{subjects.INBOUND}.")


async def _see(tx: Tx, client: Client, lane: str, state: StreamState, moved: Moved) -> None:
    within = subjects.all_of(lane) if is_inbound(lane) else ">"
    async for page in stored(client, state, state.first, within=within):
        rows = [(lane, m.position, m.message_id, m.key, m.sequence) for m in page if m.message_id is not None]
        await tx.copy_records_to_table(
            "stream_seen", records=rows, columns=["lane", "stream_seq", "message_id", "key", "seq"]
        )
        moved(len(page))


async def _window(tx: Tx, lane: str, state: StreamState) -> tuple[datetime, datetime, int]:
    now: datetime = await tx.fetchval("SELECT clock_timestamp()")
    begin = now - state.kept + MARGIN if state.kept else datetime.min.replace(tzinfo=now.tzinfo)
    known = await tx.fetchrow(_KNOWN, lane)
    assert known is not None
    if state.first <= 1 or known["oldest"] is None:
        return begin, begin, 0
    return begin, known["oldest"] + MARGIN, known["newest"]
