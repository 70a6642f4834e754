"""What a person does about messages that keep failing: look at them, have them tried again, or drop them.

Everything works on one service's tables: those of the schema that the connection's search path names.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from deskstream.messaging.declare import Tx


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that failed.

    `state` is `dead` (nobody tries it any more), `failed` (tried again at `next_at`) or `trying`.
    """

    lane: str
    key: str
    sequence: int
    """0 where nothing is numbered, as with what adapters publish."""
    message_id: UUID
    subject: str
    type: str
    body: bytes
    state: str
    reason: str
    handler: str
    stack: str
    tries: int
    next_at: datetime
    since: datetime
    behind: int
    """How many later messages of its key wait for it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which ones; all that is given must hold."""

    dead_only: bool = False
    lane: str | None = None
    key: str | None = None
    reason: str | None = None
    """A part of the reason, in any case."""
    prefix: str = ""
    """The first hexadecimal digits of the message's id; dashes do not count."""
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Author:
    """Who drops something, and why: it is written down for good."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Counts:
    """One service's waiting table in numbers."""

    dead: int
    failing: int
    waiting: int
    """What waits for an earlier message that is missing or failing."""
    blocked_keys: int
    oldest_gap: datetime | None


class NotDropped(Exception):
    """Dropping it would break the order of its key, or somebody is handling it; the text says what to do."""


_FIND: Final = """
SELECT w.lane, w.key, w.seq, w.message_id, w.subject, w.type, w.body, w.state, w.reason, w.handler, w.stack, w.tries,
       w.next_at, w.since, (
           SELECT count(*)
           FROM waiting b
           WHERE b.lane = w.lane AND b.key = w.key AND b.seq > w.seq AND w.seq > 0
       ) AS behind
FROM waiting w
WHERE w.state IN ('failed', 'trying', 'dead')
  AND (NOT $1::boolean OR w.state = 'dead')
  AND ($2::text IS NULL OR w.lane = $2)
  AND ($3::text IS NULL OR w.key = $3)
  AND ($4::text IS NULL OR position(lower($4) IN lower(w.reason)) > 0)
  AND starts_with(replace(w.message_id::text, '-', ''), $5)
ORDER BY w.since, w.lane, w.key, w.seq
LIMIT $6
"""

_COUNT: Final = """
SELECT count(*) FILTER (WHERE state = 'dead') AS dead,
       count(*) FILTER (WHERE state IN ('failed', 'trying')) AS failing,
       count(*) FILTER (WHERE state IN ('gap', 'behind')) AS waiting,
       count(DISTINCT (lane, key)) FILTER (WHERE state IN ('failed', 'trying', 'dead') AND seq > 0) AS blocked_keys,
       min(since) FILTER (WHERE state = 'gap') AS oldest_gap
FROM waiting
"""

# A message that is being tried is left alone until its minute is over: the process that tries it may still be alive.
_RETRY: Final = """
UPDATE waiting w
SET state = 'failed', tries = 0, next_at = clock_timestamp()
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::uuid[]) AS chosen(lane, key, seq, message_id)
WHERE w.lane = chosen.lane AND w.key = chosen.key AND w.seq = chosen.seq AND w.message_id = chosen.message_id
  AND (w.state IN ('failed', 'dead') OR w.state = 'trying' AND w.next_at < clock_timestamp())
RETURNING w.message_id
"""

_READ: Final = """
SELECT seq
FROM progress
WHERE lane = $1 AND key = $2
FOR UPDATE
"""

_TAKE: Final = """
DELETE FROM waiting
WHERE lane = $1 AND key = $2 AND seq = $3 AND message_id = $4
  AND (state IN ('failed', 'dead') OR state = 'trying' AND next_at < clock_timestamp())
RETURNING body
"""

_NOTE: Final = """
INSERT INTO dropped (lane, key, seq, message_id, body, author, reason, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, clock_timestamp())
"""

# The row may have been made by a reader since we looked; then somebody else has passed this message.
_READ_ON: Final = """
INSERT INTO progress (lane, key, seq)
VALUES ($1, $2, $3)
ON CONFLICT (lane, key) DO UPDATE
SET seq = excluded.seq
WHERE progress.seq = excluded.seq - 1
RETURNING seq
"""

_HANDLED = "It is being handled just now, or was: look again."


async def find(tx: Tx, wanted: Wanted) -> list[DeadLetter]:
    """The failing messages of this service, oldest first."""
    prefix = wanted.prefix.replace("-", "").lower()
    rows = await tx.fetch(
        _FIND, wanted.dead_only, wanted.lane, wanted.key, wanted.reason, prefix, wanted.limit
    )  # fmt: skip
    return [_letter(row) for row in rows]


async def count(tx: Tx) -> Counts:
    """How much waits and fails in this service."""
    row = await tx.fetchrow(_COUNT)
    assert row is not None
    return Counts(**row)


async def retry(tx: Tx, letters: Sequence[DeadLetter]) -> set[UUID]:
    """Makes them due now, with all their tries before them. Returns which; what is being tried is left alone."""
    chosen = [(letter.lane, letter.key, letter.sequence, letter.message_id) for letter in letters]
    columns = [list(column) for column in zip(*chosen, strict=True)] or [[], [], [], []]
    return {row["message_id"] for row in await tx.fetch(_RETRY, *columns)}


async def drop(tx: Tx, letter: DeadLetter, author: Author) -> None:
    """Goes on without this message: progress passes it, and what it was stands in `dropped` with author and reason.

    What waits behind it is handled next. Raises `NotDropped`; call it in a transaction of its own, which that undoes.
    """
    where = (letter.lane, letter.key, letter.sequence)
    read = await tx.fetchval(_READ, letter.lane, letter.key) or 0
    if letter.sequence > read + 1:
        raise NotDropped(
            f"Number {read + 1} of {letter.lane} {letter.key} was not handled yet, and this is number "
            f"{letter.sequence}: drop or retry the earlier one first."
        )
    body = await tx.fetchval(_TAKE, *where, letter.message_id)
    if body is None:
        raise NotDropped(_HANDLED)
    if letter.sequence > read and await tx.fetchval(_READ_ON, *where) is None:
        raise NotDropped(_HANDLED)
    await tx.execute(_NOTE, *where, letter.message_id, body, author.name, author.reason)


def _letter(row: asyncpg.Record) -> DeadLetter:
    fields = dict(row)
    return DeadLetter(sequence=fields.pop("seq"), **fields)
