"""Where readers and writers stand in each (lane, key): the rows that make order and once true."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from deskstream.messaging.declare import Tx

Position = tuple[str, str]

# FOR UPDATE above a sort locks in the order of the sort, so that two replicas never wait for each other crosswise.
# The branches of UNION ALL run one after the other: progress, then heads, then the clock.
_LOCK = """
WITH read AS (
    SELECT p.lane, p.key, p.seq
    FROM unnest($1::text[], $2::text[]) AS asked(lane, key)
    JOIN progress p USING (lane, key)
    ORDER BY p.lane, p.key
    FOR UPDATE OF p
), written AS (
    SELECT h.lane, h.key, h.seq
    FROM unnest($3::text[], $4::text[]) AS asked(lane, key)
    JOIN heads h USING (lane, key)
    ORDER BY h.lane, h.key
    FOR UPDATE OF h
)
SELECT 'read' AS what, lane, key, seq, NULL::timestamptz AS now
FROM read
UNION ALL
SELECT CASE WHEN first.state IN ('failed', 'trying', 'dead') THEN 'blocked' ELSE 'waits' END,
       asked.lane, asked.key, first.seq, NULL::timestamptz
FROM unnest($1::text[], $2::text[]) AS asked(lane, key)
CROSS JOIN LATERAL (
    SELECT w.seq, w.state
    FROM waiting w
    WHERE w.lane = asked.lane AND w.key = asked.key AND w.seq > 0
    ORDER BY w.seq
    LIMIT 1
) first
UNION ALL
SELECT 'written', lane, key, seq, NULL::timestamptz
FROM written
UNION ALL
SELECT 'now', NULL, NULL, NULL, clock_timestamp()
"""

_LOCK_HEADS = """
SELECT h.lane, h.key, h.seq
FROM unnest($1::text[], $2::text[]) AS asked(lane, key)
JOIN heads h USING (lane, key)
ORDER BY h.lane, h.key
FOR UPDATE OF h
"""

_NOW = "SELECT clock_timestamp()"


@dataclass(slots=True)
class Standing:
    """Sequences by position. `known` are rows that exist (and are locked by this transaction)."""

    at: dict[Position, int] = field(default_factory=dict)
    known: set[Position] = field(default_factory=set)
    asked: set[Position] = field(default_factory=set)
    """Those the database was asked for: what it did not know stands at 0."""

    def of(self, position: Position) -> int:
        return self.at.get(position, 0)

    def changed(self, before: dict[Position, int]) -> tuple[list[tuple[Position, int]], list[tuple[Position, int]]]:
        """What moved: rows to update, rows to insert; each sorted."""
        moved = sorted((p, seq) for p, seq in self.at.items() if seq != before.get(p, 0))
        return [m for m in moved if m[0] in self.known], [m for m in moved if m[0] not in self.known]


@dataclass(slots=True)
class Locked:
    """What a batch's first statement found."""

    progress: Standing
    heads: Standing
    waits: set[Position]
    """Positions for which something waits in the table."""
    blocked: set[Position]
    """Those of them whose next event is the one that failed: what waits behind it need not be read."""
    now: datetime


async def lock(tx: Tx, read: Iterable[Position], written: Iterable[Position], offset: timedelta) -> Locked:
    """Where this reader and this writer stand, locked; what waits; and the time, read after locking.

    A position without a row stands at 0 and is not locked: whoever inserts it first wins, the other tries again.
    The clock is the database's, plus an offset that is 0 outside tests and what-if; nothing else reads one.
    """
    asked = sorted(set(read)), sorted(set(written))
    *rows, last = await tx.fetch(_LOCK, *_columns(asked[0]), *_columns(asked[1]))
    found = Locked(Standing(asked=set(asked[0])), Standing(asked=set(asked[1])), set(), set(), last["now"] + offset)
    # The branch with what was read came first, so progress is known when what waits is looked at.
    for what, lane, key, seq, _ in rows:
        if what in ("waits", "blocked"):
            found.waits.add((lane, key))
            if what == "blocked" and seq == found.progress.of((lane, key)) + 1:
                found.blocked.add((lane, key))
            continue
        standing = found.progress if what == "read" else found.heads
        standing.at[lane, key] = seq
        standing.known.add((lane, key))
    return found


async def lock_heads(tx: Tx, standing: Standing, positions: Iterable[Position]) -> None:
    """Adds the writer's sequences of these positions to `standing`, locked."""
    wanted = sorted(set(positions) - standing.asked)
    if not wanted:
        return
    standing.asked.update(wanted)
    for lane, key, seq in await tx.fetch(_LOCK_HEADS, *_columns(wanted)):
        standing.at[lane, key] = seq
        standing.known.add((lane, key))


async def read_now(tx: Tx, offset: timedelta) -> datetime:
    """The same clock, where nothing is locked."""
    now: datetime = await tx.fetchval(_NOW)
    return now + offset


def _columns(positions: list[Position]) -> tuple[list[str], list[str]]:
    return [lane for lane, _ in positions], [key for _, key in positions]
