"""An older database takes back from the streams what it lost: no number is given twice, and nothing is unsaid."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from nats.aio.client import Client
from nats.js.api import ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from deskstream.contracts import subjects
from deskstream.contracts.envelope import Stamp, event_type
from deskstream.contracts.ids import effect_id
from deskstream.contracts.journal import NumberLost
from deskstream.contracts.outbound import OutboundMessage
from deskstream.messaging.declare import Declaration, Tx
from deskstream.messaging.journal import row_of
from deskstream.messaging.reconcile.lists import Compared, Moved
from deskstream.messaging.reconcile.stored import Stored, StreamState, stored
from deskstream.messaging.topology import durable_config, stream_of

HEARD_AGAIN: Final = timedelta(minutes=10)
"""What came so long before the last thing that a database knows is heard again too: clocks differ."""
PUT_BACK: Final = "the database was put back to an earlier moment: it may have left"

_FIRST_MISSING: Final = """
SELECT coalesce(min(s.stream_seq), 0)
FROM stream_seen s
WHERE s.lane = $1 AND NOT EXISTS (
    SELECT 1
    FROM journal j
    WHERE j.lane = s.lane AND j.key = s.key AND j.seq = s.seq AND (s.seq > 0 OR j.message_id = s.message_id)
)
"""

# `recovered` remembers the cause of each row, `heads` that its number is given.
_TAKE_BACK: Final = """
WITH inserted AS (
    INSERT INTO journal (message_id, lane, key, seq, subject, type, correlation, causation, actor, at, body)
    SELECT message_id, $1, key, seq, subject, type, correlation, causation, actor, at, body
    FROM unnest($2::uuid[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::uuid[], $8::uuid[], $9::text[],
                $10::timestamptz[], $11::text[])
        WITH ORDINALITY
        AS new(message_id, key, seq, subject, type, correlation, causation, actor, at, body, position)
    WHERE NOT EXISTS (
        SELECT 1
        FROM journal j
        WHERE j.lane = $1 AND j.key = new.key AND j.seq = new.seq
          AND (new.seq > 0 OR j.message_id = new.message_id)
    )
    ORDER BY position
    RETURNING id, key, seq, causation, at
), given AS (
    INSERT INTO heads (lane, key, seq)
    SELECT $1, key, max(seq)
    FROM inserted
    WHERE seq > 0
    GROUP BY key
    ON CONFLICT (lane, key) DO UPDATE
    SET seq = greatest(heads.seq, excluded.seq)
), kept AS (
    INSERT INTO recovered (causation, journal_id, said_at, at)
    SELECT causation, id, at, clock_timestamp()
    FROM inserted
    ON CONFLICT DO NOTHING
)
SELECT count(*)
FROM inserted
"""

_HOLES: Final = """
SELECT h.key, n.seq
FROM (
    SELECT DISTINCT j.key
    FROM recovered r
    JOIN journal j ON j.id = r.journal_id AND j.at = r.said_at
    WHERE j.lane = $1
) touched
JOIN heads h ON h.lane = $1 AND h.key = touched.key
CROSS JOIN LATERAL generate_series(1, h.seq) AS n(seq)
WHERE NOT EXISTS (SELECT 1 FROM journal j WHERE j.lane = $1 AND j.key = h.key AND j.seq = n.seq)
ORDER BY h.key, n.seq
"""

_OWE_LOST: Final = """
INSERT INTO unpublished (id, at)
SELECT j.id, j.at
FROM unnest($1::uuid[], $2::text[], $3::bigint[]) AS lost(message_id, key, seq)
JOIN journal j ON j.lane = $4 AND j.key = lost.key AND j.seq = lost.seq AND j.message_id = lost.message_id
ON CONFLICT DO NOTHING
"""

_LAST_SAID: Final = "SELECT max(at) FROM journal"

_HEAR_AGAIN: Final = "UPDATE lanes_heard SET durable = '' WHERE lane = $1"

_DOUBT: Final = """
UPDATE sends
SET state = 'unknown', reason = $1, next_at = clock_timestamp()
WHERE state IN ('queued', 'sending')
"""

_SENT_PERHAPS: Final = """
INSERT INTO sends (lane, key, seq, message_id, type, body, correlation, state, reason, next_at, at)
SELECT $1, key, seq, message_id, type, body, correlation, 'unknown', $2, clock_timestamp(), clock_timestamp()
FROM unnest($3::text[], $4::bigint[], $5::uuid[], $6::text[], $7::text[], $8::uuid[])
    AS said(key, seq, message_id, type, body, correlation)
ON CONFLICT (lane, key, seq) DO NOTHING
"""

_SAID: Final = """
SELECT j.key, j.seq, j.message_id, j.type, j.body, j.correlation
FROM recovered r
JOIN journal j ON j.id = r.journal_id AND j.at = r.said_at
WHERE j.lane = $1 AND j.type = $2
ORDER BY j.id
"""

# Numbers that people read come from sequences, and these may have been given; gaps are allowed.
_SKIP_NUMBERS: Final = """
SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, last_value + $1)
FROM pg_sequences
WHERE schemaname = current_schema() AND last_value IS NOT NULL AND sequencename <> 'journal_id'
"""

Sent = tuple[str, int, UUID, str, str, UUID]
"""key, seq, message_id, type, body, correlation."""


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What became of one lane: rows that the journal has again, and numbers whose event nobody has any more."""

    events: int = 0
    numbers_lost: int = 0


async def take_back(compared: Compared, client: Client, state: StreamState, moved: Moved) -> TakenBack:
    """Journals again, as the stream has them, the events that the journal lacks, in the transaction of the comparison.

    Their numbers are given for good. A number before them whose event was never published gets a `NumberLost`, without
    which every reader would wait for it for ever.
    """
    first: int = await compared.tx.fetchval(_FIRST_MISSING, compared.lane)
    events = 0
    if not first:
        return TakenBack()
    async for page in stored(client, state, first):
        rows = list(_rows(page))
        events += await compared.tx.fetchval(_TAKE_BACK, compared.lane, *_columns(rows))
        moved(len(page))
    return TakenBack(events, await _close_holes(compared.tx, compared.lane))


async def prepare_reader(tx: Tx, client: Client, declaration: Declaration) -> None:
    """Makes a service of an older database hear again what its durables have passed. Before anything is taken back:
    where a service last was is read from its journal."""
    for lane in declaration.hears:
        await hear_again(tx, lane)
    await tx.execute(_DOUBT, PUT_BACK)
    if subjects.INBOUND in declaration.hears:
        last: datetime | None = await tx.fetchval(_LAST_SAID)
        await _rewind(client, declaration.name, last)


async def hear_again(tx: Tx, lane: str) -> None:
    """Has the service of this schema compare a lane with the journal of its owner. Once more in the transaction that
    mends that journal: who runs meanwhile may have compared too early."""
    await tx.execute(_HEAR_AGAIN, lane)


async def taken_back(tx: Tx, lane: str) -> list[Sent]:
    """The replies that were taken back on an outbound lane: they may have left."""
    return [tuple(row) for row in await tx.fetch(_SAID, lane, event_type(OutboundMessage))]


async def doubt_sends(tx: Tx, lane: str, sent: Sequence[Sent]) -> None:
    """In the schema of the lane's channel: these are looked up before they are sent again."""
    await tx.execute(_SENT_PERHAPS, lane, PUT_BACK, *([one[n] for one in sent] for n in range(6)))


async def skip_numbers(tx: Tx, given: int) -> None:
    """Sequences of this schema go on behind every number that may have been given: at most one an event."""
    await tx.execute(_SKIP_NUMBERS, given)


async def _rewind(client: Client, reader: str, last: datetime | None) -> None:
    """What adapters published is no event of a journal: only the stream has it, so the durable is put back in it."""
    manager, stream = client.jsm(), stream_of(subjects.INBOUND)
    config: ConsumerConfig = durable_config(reader)
    if last is not None:
        config = config.evolve(deliver_policy=DeliverPolicy.BY_START_TIME, opt_start_time=last - HEARD_AGAIN)
    try:
        await manager.delete_consumer(stream, reader)
    except NotFoundError:
        return
    await manager.add_consumer(stream, config)


async def _close_holes(tx: Tx, lane: str) -> int:
    now: datetime = await tx.fetchval("SELECT clock_timestamp()")
    holes = await tx.fetch(_HOLES, lane)
    rows = [_lost(lane, hole["key"], hole["seq"], now) for hole in holes]
    await tx.fetchval(_TAKE_BACK, lane, *_columns(rows))
    await tx.execute(_OWE_LOST, [r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows], lane)
    return len(rows)


Row = tuple[UUID, str, int, str, str, UUID, UUID, str | None, datetime, str]
"""message_id, key, seq, subject, type, correlation, causation, actor, at, body."""


def _lost(lane: str, key: str, sequence: int, now: datetime) -> Row:
    cause = effect_id(UUID(int=0), f"{lane}/{key}", sequence)
    said = row_of(NumberLost(at=now, said_on=lane, about=key), Stamp(cause, sequence, cause, cause, None, now))
    return cause, key, sequence, said.subject, said.type, cause, cause, None, now, said.body


def _rows(page: Iterable[Stored]) -> Iterator[Row]:
    """What of a page is ours and readable; of two events with one number the earlier."""
    seen = set[tuple[str, int] | UUID]()
    for message in page:
        name = (message.key, message.sequence) if message.sequence else message.message_id
        row = _row(message)
        if row is not None and name is not None and name not in seen:
            seen.add(name)
            yield row


def _row(message: Stored) -> Row | None:
    try:
        about: dict[str, Any] = json.loads(message.body)
        return (
            UUID(about["id"]), message.key, message.sequence, message.subject, str(about["type"]),
            UUID(about["correlationid"]), UUID(about["causationid"]), about.get("actor"),
            datetime.fromisoformat(about["time"]), message.body.decode(),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError):
        return None


def _columns(rows: Sequence[Row]) -> list[list[object]]:
    return [[row[n] for row in rows] for n in range(10)]
