"""The waiting table: what waits for an earlier event, behind a failed one, for another try, or for a person."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias
from uuid import UUID

import asyncpg

from deskstream.messaging.declare import Tx
from deskstream.messaging.fates import Failure, next_try_after
from deskstream.messaging.item import Item, Source
from deskstream.messaging.positions import Position

GAP_PATIENCE: Final = timedelta(seconds=5)
"""How long an earlier event may be late before its owner is asked for it."""

Name: TypeAlias = tuple[Position, int, UUID]
"""The primary key of a row."""

BLOCKING: Final = frozenset({"failed", "trying", "dead"})


@dataclass(slots=True)
class Waiter:
    """One row to write: an item and why it waits."""

    item: Item
    state: str
    next_at: datetime
    failure: Failure | None = None
    tries: int = 0


def failed(item: Item, failure: Failure, now: datetime) -> Waiter:
    """The row of an item that failed once more; dead after the last try."""
    tries = item.tries + 1
    pause = next_try_after(tries)
    return Waiter(item, "dead" if pause is None else "failed", now + (pause or timedelta()), failure, tries)


_SAVE = """
INSERT INTO waiting (lane, key, seq, message_id, subject, type, body, state, reason, handler, stack, tries, next_at,
                     since)
SELECT lane, key, seq, message_id, subject, type, body, state, reason, handler, stack, tries, next_at, $14
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::uuid[], $5::text[], $6::text[], $7::bytea[], $8::text[],
            $9::text[], $10::text[], $11::text[], $12::integer[], $13::timestamptz[])
    AS new(lane, key, seq, message_id, subject, type, body, state, reason, handler, stack, tries, next_at)
ORDER BY lane, key, seq
ON CONFLICT (lane, key, seq, message_id) DO UPDATE
SET state = excluded.state,
    reason = excluded.reason,
    handler = excluded.handler,
    stack = excluded.stack,
    tries = excluded.tries,
    next_at = excluded.next_at
WHERE excluded.state IN ('failed', 'trying', 'dead')
RETURNING lane, key, seq, message_id
"""

_BEHIND = """
SELECT w.lane, w.key, w.seq, w.message_id, w.subject, w.type, w.body, w.state, w.tries
FROM unnest($1::text[], $2::text[]) AS asked(lane, key)
JOIN waiting w USING (lane, key)
WHERE w.seq > 0
ORDER BY w.lane, w.key, w.seq
LIMIT 5000
"""

_REMOVE = """
DELETE FROM waiting w
USING unnest($1::text[], $2::text[], $3::bigint[], $4::uuid[]) AS done(lane, key, seq, message_id)
WHERE w.lane = done.lane AND w.key = done.key AND w.seq = done.seq AND w.message_id = done.message_id
"""

# Failed ones whose time has come; and of every key with a gap or a queue, the first row, if it could go on now.
_DUE = """
SELECT w.lane, w.key, w.seq, w.message_id, w.subject, w.type, w.body, w.state, w.tries
FROM waiting w
WHERE w.state IN ('failed', 'trying') AND w.next_at <= $1
UNION ALL
SELECT w.lane, w.key, w.seq, w.message_id, w.subject, w.type, w.body, w.state, w.tries
FROM waiting w
LEFT JOIN progress p USING (lane, key)
WHERE w.state IN ('gap', 'behind') AND w.seq <= coalesce(p.seq, 0) + 1
LIMIT 200
"""

_GAPS = """
SELECT DISTINCT ON (w.lane, w.key) w.lane, w.key, coalesce(p.seq, 0) AS seq
FROM waiting w
LEFT JOIN progress p USING (lane, key)
WHERE w.state = 'gap' AND w.since < $1::timestamptz - $2::interval AND w.seq > coalesce(p.seq, 0) + 1
  AND NOT EXISTS (
      SELECT 1
      FROM waiting b
      WHERE b.lane = w.lane AND b.key = w.key AND b.seq = coalesce(p.seq, 0) + 1
  )
LIMIT 100
"""

_START_TRIES = """
INSERT INTO waiting (lane, key, seq, message_id, subject, type, body, state, tries, next_at, since)
SELECT a.lane, a.key, a.seq, a.message_id, a.subject, a.type, a.body, 'trying', 1,
       clock_timestamp() + $9::interval + interval '1 minute', clock_timestamp() + $9::interval
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::uuid[], $5::text[], $6::text[], $7::bytea[])
    AS a(lane, key, seq, message_id, subject, type, body)
LEFT JOIN progress p USING (lane, key)
WHERE a.seq = 0 OR coalesce(p.seq, 0) < a.seq
ORDER BY a.lane, a.key, a.seq, a.message_id
ON CONFLICT (lane, key, seq, message_id) DO UPDATE
SET tries = waiting.tries + 1,
    state = CASE WHEN waiting.tries + 1 > $8 THEN 'dead' ELSE 'trying' END,
    reason = CASE
        WHEN waiting.reason = '' AND waiting.state = 'trying' AND waiting.tries > 0
        THEN 'the process ended while handling it'
        ELSE waiting.reason
    END,
    next_at = excluded.next_at
WHERE waiting.state <> 'dead'
RETURNING lane, key, seq, message_id, tries, state
"""

# What another replica is at is not due any more.
_CLAIM = """
WITH mine AS (
    SELECT w.lane, w.key, w.seq, w.message_id
    FROM unnest($1::text[], $2::text[], $3::bigint[], $4::uuid[]) AS asked(lane, key, seq, message_id)
    JOIN waiting w USING (lane, key, seq, message_id)
    WHERE w.state IN ('gap', 'behind')
       OR w.state IN ('failed', 'trying') AND w.next_at <= clock_timestamp() + $6::interval
    ORDER BY w.lane, w.key, w.seq, w.message_id
    FOR UPDATE OF w SKIP LOCKED
)
UPDATE waiting w
SET tries = w.tries + 1,
    state = CASE WHEN w.tries + 1 > $5 THEN 'dead' ELSE 'trying' END,
    reason = CASE
        WHEN w.reason = '' AND w.state = 'trying' AND w.tries > 0 THEN 'the process ended while handling it'
        ELSE w.reason
    END,
    next_at = clock_timestamp() + $6::interval + interval '1 minute'
FROM mine
WHERE w.lane = mine.lane AND w.key = mine.key AND w.seq = mine.seq AND w.message_id = mine.message_id
RETURNING w.lane, w.key, w.seq, w.message_id, w.tries, w.state
"""

_UNFINISHED = """
SELECT w.lane, w.key, w.seq, w.message_id
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::uuid[]) AS asked(lane, key, seq, message_id)
JOIN waiting w USING (lane, key, seq, message_id)
WHERE w.state = 'trying' AND w.tries > 0
"""

_TAKE_TRIES_BACK = """
UPDATE waiting w
SET tries = w.tries - 1, next_at = clock_timestamp()
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::uuid[]) AS untried(lane, key, seq, message_id)
WHERE w.lane = untried.lane AND w.key = untried.key AND w.seq = untried.seq AND w.message_id = untried.message_id
  AND w.state = 'trying' AND w.tries > 0
"""


async def save(tx: Tx, waiters: Sequence[Waiter], now: datetime) -> list[Item]:
    """Writes rows; one that only waits never replaces one that failed. Returns the items that waited already."""
    if not waiters:
        return []
    # The same event twice in one batch waits once.
    waiters = list({(w.item.position, w.item.sequence, w.item.id): w for w in waiters}.values())
    items = [w.item for w in waiters]
    failures = [w.failure or Failure("", "", "") for w in waiters]
    rows = await tx.fetch(
        _SAVE,
        [i.lane for i in items],
        [i.key for i in items],
        [i.sequence for i in items],
        [_id(i) for i in items],
        [_storable(i.subject) for i in items],
        [_storable(i.type) for i in items],
        [i.body for i in items],
        [w.state for w in waiters],
        [_storable(f.reason) for f in failures],
        [f.handler for f in failures],
        [_storable(f.stack) for f in failures],
        [w.tries for w in waiters],
        [w.next_at for w in waiters],
        now,
    )
    written = {((row["lane"], row["key"]), row["seq"], row["message_id"]) for row in rows}
    return [item for item in items if (item.position, item.sequence, item.id) not in written]


async def behind(tx: Tx, positions: Iterable[Position]) -> list[tuple[Item, str]]:
    """Everything that waits for these positions, in order, each with its state."""
    wanted = sorted(positions)
    rows = await tx.fetch(_BEHIND, [lane for lane, _ in wanted], [key for _, key in wanted])
    return [_item(row) for row in rows]


async def remove(tx: Tx, items: Sequence[Item]) -> None:
    """These were applied, or fell behind what was applied."""
    if items:
        await tx.execute(_REMOVE, *_names(items))


async def due(tx: Tx, now: datetime) -> list[Item]:
    """What may be tried now."""
    found = [_item(row) for row in await tx.fetch(_DUE, now)]
    for item, state in found:
        item.retry, item.suspect = state in BLOCKING, True
    return [item for item, _ in found]


async def gaps(tx: Tx, now: datetime) -> list[tuple[Position, int]]:
    """Positions whose next event has been missing for longer than `GAP_PATIENCE`, and how far they were read."""
    return [((lane, key), seq) for lane, key, seq in await tx.fetch(_GAPS, now, GAP_PATIENCE)]


async def start_tries(
    tx: Tx, items: Sequence[Item], max_tries: int, offset: timedelta = timedelta()
) -> dict[Item, str]:
    """Counts a try of each before any handler runs; returns which are `trying` and which `dead` now. There is nothing
    to try about the others: they were applied, or are dead already."""
    once = {_name(item): item for item in items}
    if not once:
        return {}
    rows = await tx.fetch(
        _START_TRIES,
        *_names(once.values()),
        [i.subject for i in once.values()],
        [i.type for i in once.values()],
        [i.body for i in once.values()],
        max_tries,
        offset,
    )
    return _counted(once, rows)


async def claim(tx: Tx, items: Sequence[Item], max_tries: int, offset: timedelta) -> dict[Item, str]:
    """The same for items that were read from the table: one that went since, or that somebody else tries now, is left
    out."""
    once = {_name(item): item for item in items}
    return _counted(once, await tx.fetch(_CLAIM, *_names(items), max_tries, offset)) if once else {}


async def unfinished(tx: Tx, items: Sequence[Item]) -> set[Item]:
    """Those of the items a try of which was counted and never came to an end."""
    found = {((lane, key), seq, name) for lane, key, seq, name in await tx.fetch(_UNFINISHED, *_names(items))}
    return {item for item in items if _name(item) in found}


async def take_tries_back(tx: Tx, items: Collection[Item]) -> None:
    """What `start_tries` counted came to no end, and not because the process died: it may be tried again at once."""
    if items:
        await tx.execute(_TAKE_TRIES_BACK, *_names(items))


def _item(row: asyncpg.Record) -> tuple[Item, str]:
    item = Item(
        Source.WAITING, row["lane"], row["key"], row["seq"], row["type"], row["subject"], row["body"],
        id=row["message_id"], tries=row["tries"],
    )  # fmt: skip
    return item, row["state"]


def _counted(once: Mapping[Name, Item], rows: Iterable[asyncpg.Record]) -> dict[Item, str]:
    states = dict[Item, str]()
    for row in rows:
        item = once[(row["lane"], row["key"]), row["seq"], row["message_id"]]
        item.tries = row["tries"] - 1
        states[item] = row["state"]
    return states


def _name(item: Item) -> Name:
    return item.position, item.sequence, _id(item)


def _names(items: Collection[Item]) -> tuple[list[str], list[str], list[int], list[UUID]]:
    """The columns of the primary key."""
    return [i.lane for i in items], [i.key for i in items], [i.sequence for i in items], [_id(i) for i in items]


def _id(item: Item) -> UUID:
    assert item.id is not None
    return item.id


def _storable(text: str) -> str:
    """PostgreSQL's text takes no NUL, UTF-8 no lone surrogate."""
    return text.replace("\x00", "\ufffd").encode(errors="replace").decode()
