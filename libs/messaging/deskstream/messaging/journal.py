"""The journal: one statement writes what a batch said and how far it read; pages of it serve who missed something."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from deskstream.contracts import Event
from deskstream.contracts.envelope import Stamp, encode, event_type
from deskstream.contracts.journal import ReadHeads, ReadJournal
from deskstream.messaging.declare import Tx
from deskstream.messaging.fates import Raced
from deskstream.messaging.frames import is_safe
from deskstream.messaging.item import Said
from deskstream.messaging.positions import Position

PAGE_BYTES: Final = 90_000
"""Of an answer, escapes and all: with its envelope it must stay under the broker's 128 KB."""

BODY_LIMIT: Final = 120_000
"""Bytes of an event with its envelope; the broker takes 128 KB with headers. What is larger belongs to the blobs."""

# One round trip for everything that every batch writes. Rows that exist are locked by this transaction, so updating
# them needs no condition; inserting the others may find that another replica was first, which the counts show.
_WRITE = """
WITH said AS (
    INSERT INTO journal (message_id, lane, key, seq, subject, type, correlation, causation, actor, at, body)
    SELECT message_id, lane, key, seq, subject, type, correlation, causation, actor, $1, body
    FROM unnest($2::uuid[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::uuid[], $9::uuid[],
                $10::text[], $11::text[])
        WITH ORDINALITY
        AS new(message_id, lane, key, seq, subject, type, correlation, causation, actor, body, position)
    ORDER BY position
    RETURNING id, message_id, at
), owed AS (
    INSERT INTO unpublished (id, at)
    SELECT id, at
    FROM said
), marked AS (
    DELETE FROM unpublished
    WHERE id = ANY($12::bigint[])
), read_on AS (
    UPDATE progress p
    SET seq = new.seq
    FROM unnest($13::text[], $14::text[], $15::bigint[]) AS new(lane, key, seq)
    WHERE p.lane = new.lane AND p.key = new.key
), read_first AS (
    INSERT INTO progress (lane, key, seq)
    SELECT lane, key, seq
    FROM unnest($16::text[], $17::text[], $18::bigint[]) AS new(lane, key, seq)
    ON CONFLICT (lane, key) DO NOTHING
    RETURNING 1
), wrote_on AS (
    UPDATE heads h
    SET seq = new.seq
    FROM unnest($19::text[], $20::text[], $21::bigint[]) AS new(lane, key, seq)
    WHERE h.lane = new.lane AND h.key = new.key
), wrote_first AS (
    INSERT INTO heads (lane, key, seq)
    SELECT lane, key, seq
    FROM unnest($22::text[], $23::text[], $24::bigint[]) AS new(lane, key, seq)
    ON CONFLICT (lane, key) DO NOTHING
    RETURNING 1
)
SELECT id, message_id FROM said
UNION ALL
SELECT count(*), NULL FROM read_first
UNION ALL
SELECT count(*), NULL FROM wrote_first
"""

_MARK = "DELETE FROM unpublished WHERE id = ANY($1::bigint[])"

_OWED = """
SELECT j.id, j.message_id, j.lane, j.key, j.seq, j.subject, j.type, j.correlation, j.causation, j.actor, j.body
FROM (
    SELECT id, at
    FROM unpublished
    WHERE at < clock_timestamp() - $1::interval
    ORDER BY id
    LIMIT $2
) owed
JOIN journal j USING (id, at)
ORDER BY j.id
"""

_PAGE = """
SELECT id, key, seq, subject, body
FROM journal
WHERE lane = $1 AND id > $2
ORDER BY id
LIMIT $3
"""

_PAGE_OF_KEY = """
SELECT id, key, seq, subject, body
FROM journal
WHERE lane = $1 AND key = $4 AND seq > $5 AND id > $2
ORDER BY id
LIMIT $3
"""

_HEADS = """
SELECT key, seq
FROM heads
WHERE lane = $1 AND key > $2 AND seq > 0
ORDER BY key
LIMIT $3
"""

Moves = tuple[Sequence[tuple[Position, int]], Sequence[tuple[Position, int]]]
"""(existing rows, new rows)."""


async def write(
    tx: Tx, now: datetime, said: Sequence[Said], *, marks: Sequence[int], progress: Moves, heads: Moves
) -> None:
    """Writes a batch's journal rows (setting their ids), marks, progress and heads.

    Raises `Raced` when another replica inserted one of the new positions first.
    """
    rows = await tx.fetch(
        _WRITE, now, *_said_columns(said), marks, *_moves(progress[0]), *_moves(progress[1]), *_moves(heads[0]),
        *_moves(heads[1])
    )  # fmt: skip
    if rows[-2][0] != len(progress[1]) or rows[-1][0] != len(heads[1]):
        raise Raced
    by_message = {said_one.message_id: said_one for said_one in said}
    for row in rows[:-2]:
        by_message[row[1]].id = row[0]


async def mark_published(tx: Tx, ids: Sequence[int]) -> None:
    """The broker has acknowledged these."""
    await tx.execute(_MARK, ids)


async def owed(tx: Tx, *, older_than: object, limit: int) -> list[Said]:
    """What the broker should have acknowledged long ago, oldest first."""
    rows = await tx.fetch(_OWED, older_than, limit)
    return [
        Said(
            message_id=row["message_id"], lane=row["lane"], key=row["key"], sequence=row["seq"],
            subject=row["subject"], type=row["type"], correlation=row["correlation"], causation=row["causation"],
            actor=row["actor"], body=row["body"], id=row["id"],
        )
        for row in rows
    ]  # fmt: skip


async def read_page(tx: Tx, asked: ReadJournal) -> str:
    """The next rows of a lane, a `JournalPage` in JSON: at most `PAGE_BYTES`, but at least one row where there is one.

    A history has a million of them: each is written once, by hand, and checked by whoever reads it.
    """
    extra = () if asked.key is None else (asked.key, asked.beyond)
    query = _PAGE if asked.key is None else _PAGE_OF_KEY
    found = await tx.fetch(query, asked.lane, asked.after, asked.limit, *extra)
    rows, size, last = list[str](), 0, asked.after
    for number, key, sequence, subject, body in found:
        about = {"id": number, "key": key, "sequence": sequence, "subject": subject, "body": body}
        text = json.dumps(about, separators=(",", ":"))
        size += len(text) + 1
        if rows and size > PAGE_BYTES:
            break
        rows.append(text)
        last = number
    return f'{{"rows":[{",".join(rows)}],"last":{last}}}'


async def read_heads(tx: Tx, asked: ReadHeads) -> dict[str, int]:
    """Key -> last sequence of a lane, the next `limit` keys after `after`."""
    return {row[0]: row[1] for row in await tx.fetch(_HEADS, asked.lane, asked.after, asked.limit)}


def row_of(event: Event, stamp: Stamp) -> Said:
    """The journal row of an event. Raises `ValueError` when its key cannot stand in a subject."""
    subject = event.subject()
    if not is_safe(subject):
        raise ValueError(f"{event.NAME} has a key that cannot stand in a subject: {event.key()!r}")
    body = encode(event, stamp)
    if len(body.encode()) > BODY_LIMIT:
        raise ValueError(f"{event.NAME} has {len(body.encode()):,} bytes; a message has at most {BODY_LIMIT:,}")
    return Said(
        message_id=stamp.id, lane=event.lane(), key=event.key(), sequence=stamp.sequence, subject=subject,
        type=event_type(event), correlation=stamp.correlation, causation=stamp.causation, actor=stamp.actor,
        body=body, context=stamp.traceparent,
    )  # fmt: skip


def _said_columns(said: Sequence[Said]) -> tuple[list[object], ...]:
    return (
        [s.message_id for s in said],
        [s.lane for s in said],
        [s.key for s in said],
        [s.sequence for s in said],
        [s.subject for s in said],
        [s.type for s in said],
        [s.correlation for s in said],
        [s.causation for s in said],
        [s.actor for s in said],
        [s.body for s in said],
    )


def _moves(moves: Sequence[tuple[Position, int]]) -> tuple[list[str], list[str], list[int]]:
    return [m[0][0] for m in moves], [m[0][1] for m in moves], [m[1] for m in moves]
