"""A writer's look at its streams: does what they hold fit the journal, or has one of the two been put back?

A stream only ever grows at its end. So while the last message of ours that we saw in it is still in its place,
everything before is there too, and one question a look is enough.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from nats.aio.client import Client

from deskstream.contracts import subjects
from deskstream.messaging.declare import Tx
from deskstream.messaging.reconcile.lists import MARGIN, compared, is_inbound
from deskstream.messaging.reconcile.stored import Stored, StreamState, last_of, state_of, stored
from deskstream.messaging.topology import KEPT, stream_of

LOOK_BACK: Final = 20
"""Messages at the end of a stream among which those of ours are looked at."""
TAIL: Final = 5000
RECENT: Final = 200
"""So many rows that the broker acknowledged last must be among the last `TAIL` messages of their stream."""
NOTHING_YET: Final = 0
"""The position of a stream that was empty when it was looked at."""
LOST_AT_MOST: Final = timedelta(minutes=10)
"""Adapters share a stream and may not look into it: they publish again what is younger than so long before its end."""

_KNOWN: Final = "SELECT created, seq, message_id, journal_id, at FROM streams_known WHERE lane = $1"

_REMEMBER: Final = """
INSERT INTO streams_known (lane, created, seq, message_id, journal_id, at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (lane) DO UPDATE
SET created = excluded.created, seq = excluded.seq, message_id = excluded.message_id,
    journal_id = excluded.journal_id, at = excluded.at
"""

_ROW: Final = """
SELECT id, at
FROM journal
WHERE lane = $1 AND key = $2 AND seq = $3 AND message_id = $4
"""

_BEYOND: Final = """
SELECT EXISTS (
    SELECT 1
    FROM unnest($2::text[], $3::bigint[]) AS seen(key, seq)
    LEFT JOIN heads h ON h.lane = $1 AND h.key = seen.key
    WHERE seen.seq > coalesce(h.seq, 0)
)
"""

_ANY_PUBLISHED: Final = """
SELECT EXISTS (
    SELECT 1
    FROM journal j
    WHERE j.lane = $1 AND NOT EXISTS (SELECT 1 FROM unpublished u WHERE u.id = j.id)
)
"""

_FORGET: Final = "DELETE FROM streams_known WHERE lane = $1"

_RECENT: Final = """
SELECT message_id
FROM journal j
WHERE lane = $1 AND id > $2 AND id <= $3 AND NOT EXISTS (SELECT 1 FROM unpublished u WHERE u.id = j.id)
ORDER BY id DESC
LIMIT $4
"""

_OWE_SINCE: Final = """
INSERT INTO unpublished (id, at)
SELECT id, at
FROM journal
WHERE lane = $1 AND at > $2
ON CONFLICT DO NOTHING
"""

_NOW: Final = "SELECT clock_timestamp()"


class Fit(StrEnum):
    """How a stream and the journal of its writer fit each other."""

    FITS = "fits"
    NO_STREAM = "no_stream"
    STREAM_OLDER = "stream_older"
    DATABASE_OLDER = "database_older"


@dataclass(frozen=True, slots=True)
class Point:
    """The last message of ours that was seen in a stream."""

    created: str
    position: int
    message_id: UUID
    journal_id: int
    at: datetime


async def look(tx: Tx, client: Client, lane: str, *, upto: int | None = None) -> Fit:
    """Compares the end of a stream with the journal of this schema, and remembers it where they fit.

    With `upto` (on connecting) it also looks for what was acknowledged last of the rows up to this one, which a power
    cut may have taken. Raises a NATS error or `TimeoutError` when the broker cannot say.
    """
    if is_inbound(lane):
        return await _look_inbound(tx, client, lane)
    point = await _point(tx, lane)
    recent = await _acknowledged_since(tx, lane, point, upto) if upto is not None and point else set()
    state = await state_of(client, stream_of(lane))
    if state is None:
        return Fit.NO_STREAM
    numbered = await _last_of_ours(client, state)
    # Not only the last: replicas publish in another order than they commit.
    if await tx.fetchval(_BEYOND, lane, [one.key for one in numbered], [one.sequence for one in numbered]):
        return Fit.DATABASE_OLDER
    last = numbered[-1] if numbered else None
    row = last and await tx.fetchrow(_ROW, lane, last.key, last.sequence, last.message_id)
    if await _is_older(tx, client, lane, state, point) or not await _are_there(client, state, recent):
        return Fit.STREAM_OLDER
    if last and row:
        await _remember(tx, lane, Point(state.created, last.position, _id_of(last), row["id"], row["at"]))
    elif point is None:
        # Nothing was said yet: whatever comes will be at positions from here on.
        await _remember(tx, lane, Point(state.created, NOTHING_YET, UUID(int=0), 0, await tx.fetchval(_NOW)))
    return Fit.FITS


async def mend_older_stream(tx: Tx, client: Client, lane: str) -> int:
    """Owes the stream again whatever it lacks; the sweeper publishes it. Returns how much that is.

    What it lacks is known exactly where we may read it; adapters publish again everything since its end.
    """
    if is_inbound(lane):
        return await _owe_inbound(tx, client, lane)
    state = await state_of(client, stream_of(lane))
    if state is None:
        return 0
    async with compared(tx, client, lane, state) as comparison:
        owed = await comparison.owe()
        # Up to its end the stream fits; what it lacks will be appended.
        await tx.execute(_FORGET, lane)
        await _remember_end(tx, client, lane, state)
    return owed


async def _remember_end(tx: Tx, client: Client, lane: str, state: StreamState) -> None:
    numbered = await _last_of_ours(client, state)
    last = numbered[-1] if numbered else None
    row = last and await tx.fetchrow(_ROW, lane, last.key, last.sequence, last.message_id)
    if last and row:
        await _remember(tx, lane, Point(state.created, last.position, _id_of(last), row["id"], row["at"]))


async def _is_older(tx: Tx, client: Client, lane: str, state: StreamState, point: Point | None) -> bool:
    if point is None:
        # Never looked, or lost: what was said must be there.
        return bool(await tx.fetchval(_ANY_PUBLISHED, lane))
    if point.created != state.created or point.position > state.last:
        return True
    if point.position == NOTHING_YET and state.first <= 1:
        return not state.messages and bool(await tx.fetchval(_ANY_PUBLISHED, lane))
    if point.position < state.first:
        return not await _has_expired(tx, state, point)
    found = [one async for page in stored(client, _only(state, point.position), point.position) for one in page]
    return not found or found[0].message_id != point.message_id


async def _has_expired(tx: Tx, state: StreamState, point: Point) -> bool:
    """A stream drops what is older than it keeps; what is younger somebody has purged."""
    now: datetime = await tx.fetchval(_NOW)
    return state.kept is not None and point.at < now - state.kept + MARGIN


async def _acknowledged_since(tx: Tx, lane: str, point: Point, upto: int) -> set[UUID]:
    return {row["message_id"] for row in await tx.fetch(_RECENT, lane, point.journal_id, upto, RECENT)}


async def _are_there(client: Client, state: StreamState, recent: set[UUID]) -> bool:
    missing = set(recent)
    if missing:
        async for page in stored(client, state, max(state.first, state.last - TAIL)):
            missing -= {message.message_id for message in page if message.message_id}
    return not missing


async def _last_of_ours(client: Client, state: StreamState) -> list[Stored]:
    """The last messages that carry a number of ours, in their order; what has none proves nothing."""
    first = max(state.first, state.last - LOOK_BACK + 1)
    found = [one async for page in stored(client, state, first) for one in page]
    return [one for one in found if one.sequence and one.message_id]


async def _look_inbound(tx: Tx, client: Client, lane: str) -> Fit:
    """An adapter sees the last message on its own subjects only, which may be another adapter's."""
    last = await last_of(client, stream_of(lane), subjects.all_of(lane))
    point = await _point(tx, lane)
    if last is None:
        lost = point is not None or await tx.fetchval(_ANY_PUBLISHED, lane)
        return Fit.STREAM_OLDER if lost else Fit.FITS
    if point and last.position < point.position:
        return Fit.STREAM_OLDER
    if point is None or last.position > point.position:
        await _remember(tx, lane, Point("", last.position, last.message_id or UUID(int=0), 0, last.at))
    return Fit.FITS


async def _owe_inbound(tx: Tx, client: Client, lane: str) -> int:
    last = await last_of(client, stream_of(lane), subjects.all_of(lane))
    now: datetime = await tx.fetchval(_NOW)
    since = last.at - LOST_AT_MOST if last else now - KEPT[subjects.INBOUND]
    async with tx.transaction():
        await tx.execute(_FORGET, lane)
        return int((await tx.execute(_OWE_SINCE, lane, since)).rpartition(" ")[2])


async def _point(tx: Tx, lane: str) -> Point | None:
    row = await tx.fetchrow(_KNOWN, lane)
    return Point(row["created"], row["seq"], row["message_id"], row["journal_id"], row["at"]) if row else None


async def _remember(tx: Tx, lane: str, point: Point) -> None:
    await tx.execute(_REMEMBER, lane, point.created, point.position, point.message_id, point.journal_id, point.at)


def _only(state: StreamState, position: int) -> StreamState:
    return StreamState(state.name, state.created, position, position, 1, state.kept)


def _id_of(message: Stored) -> UUID:
    assert message.message_id is not None
    return message.message_id
