"""Durable timers: when each object wants to be woken, and the loop that wakes it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from deskstream.messaging.declare import Tx
from deskstream.messaging.item import Item, Source

TIMERS: Final = "timers"
"""The lane that timers are counted under."""

_MOVE = """
WITH asked AS (
    SELECT aggregate, key, due_at
    FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS new(aggregate, key, due_at)
), cancelled AS (
    DELETE FROM timers t
    USING asked a
    WHERE a.due_at IS NULL AND t.aggregate = a.aggregate AND t.key = a.key
)
INSERT INTO timers (aggregate, key, due_at)
SELECT aggregate, key, due_at
FROM asked
WHERE due_at IS NOT NULL
ORDER BY aggregate, key
ON CONFLICT (aggregate, key) DO UPDATE
SET due_at = excluded.due_at
"""

_DUE = """
SELECT aggregate, key, due_at
FROM timers
WHERE due_at <= $1
ORDER BY due_at
LIMIT $2
"""

_NEXT = "SELECT min(due_at) FROM timers"

_POSTPONE = """
UPDATE timers
SET due_at = $3
WHERE aggregate = $1 AND key = $2
"""


async def move(tx: Tx, moves: Sequence[tuple[str, str, datetime | None]]) -> None:
    """Sets, moves or cancels timers, in the transaction that changed their objects."""
    if moves:
        await tx.execute(_MOVE, [m[0] for m in moves], [m[1] for m in moves], [m[2] for m in moves])


async def due(tx: Tx, now: datetime, limit: int) -> list[Item]:
    """What is due, oldest first. Nothing is locked: a second replica finds the object no longer due."""
    rows = await tx.fetch(_DUE, now, limit)
    return [
        Item(Source.TIMER, lane=TIMERS, key=key, sequence=0, type=aggregate, subject="", body=b"", due_at=due_at)
        for aggregate, key, due_at in rows
    ]


async def next_due(tx: Tx) -> datetime | None:
    """The earliest moment anybody waits for."""
    moment: datetime | None = await tx.fetchval(_NEXT)
    return moment


async def postpone(tx: Tx, item: Item, until: datetime) -> None:
    """After a failure: the object is woken again later instead of at once."""
    await tx.execute(_POSTPONE, item.type, item.key, until)
