"""What is to leave by the provider: queued in the handler's transaction, claimed in order per (lane, key)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from deskstream.contracts.envelope import event_type
from deskstream.messaging.declare import Heard, Tx

CLAIM_LASTS: Final = timedelta(minutes=2)
"""A claim older than this belonged to a process that died: whether it was sent is unknown."""

_QUEUE = """
INSERT INTO sends (lane, key, seq, message_id, type, body, correlation, state, next_at, at)
SELECT lane, key, seq, message_id, type, body, correlation, 'queued', $8, $8
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::uuid[], $5::text[], $6::text[], $7::uuid[])
    AS new(lane, key, seq, message_id, type, body, correlation)
ON CONFLICT (lane, key, seq) DO NOTHING
"""

_CLAIM = """
UPDATE sends s
SET state = 'sending', tries = s.tries + 1, next_at = $1::timestamptz + $2::interval
FROM (
    SELECT c.lane, c.key, c.seq
    FROM sends c
    WHERE c.state IN ('queued', 'sending', 'unknown')
      AND c.next_at <= $1
      AND NOT EXISTS (
          SELECT 1
          FROM sends earlier
          WHERE earlier.lane = c.lane AND earlier.key = c.key AND earlier.seq < c.seq
            AND earlier.state IN ('queued', 'sending', 'unknown')
      )
    ORDER BY c.next_at, c.seq
    LIMIT $3
    FOR UPDATE SKIP LOCKED
) due
WHERE s.lane = due.lane AND s.key = due.key AND s.seq = due.seq
RETURNING s.lane, s.key, s.seq, s.message_id, s.type, s.body, s.correlation, s.tries, old.state AS was
"""

_SETTLE = """
UPDATE sends
SET state = $4, reason = $5, external_id = coalesce($6, external_id), next_at = $7
WHERE lane = $1 AND key = $2 AND seq = $3
"""


@dataclass(frozen=True, slots=True)
class Send:
    """One claimed row. `uncertain`: an earlier try may have succeeded."""

    lane: str
    key: str
    sequence: int
    message_id: UUID
    type: str
    body: str
    correlation: UUID
    tries: int
    uncertain: bool


async def queue(tx: Tx, deliveries: Sequence[Heard[Any]], now: datetime) -> None:
    """Queues outbound messages, in the transaction that heard them."""
    if deliveries:
        await tx.execute(
            _QUEUE,
            [d.lane for d in deliveries],
            [d.key for d in deliveries],
            [d.sequence for d in deliveries],
            [d.id for d in deliveries],
            [event_type(d.data) for d in deliveries],
            [d.body for d in deliveries],
            [d.correlation for d in deliveries],
            now,
        )


async def claim(tx: Tx, now: datetime, limit: int) -> list[Send]:
    """The next ones due, at most one per (lane, key), now marked as being sent."""
    rows = await tx.fetch(_CLAIM, now, CLAIM_LASTS, limit)
    return [
        Send(
            lane=row["lane"], key=row["key"], sequence=row["seq"], message_id=row["message_id"], type=row["type"],
            body=row["body"], correlation=row["correlation"], tries=row["tries"],
            uncertain=row["was"] != "queued",
        )
        for row in rows
    ]  # fmt: skip


async def settle(tx: Tx, send: Send, state: str, *, reason: str, external_id: str | None, next_at: datetime) -> None:
    """Writes what became of it."""
    await tx.execute(_SETTLE, send.lane, send.key, send.sequence, state, reason[:1000], external_id, next_at)
