"""Reading one conversation: its row of the inbox and its part of the feed."""

import json
from collections.abc import Iterable, Sequence
from uuid import UUID

import asyncpg

from deskstream.gateway.domain import Recorded
from deskstream.messaging import Tx

_BY_ID = """
    SELECT conversation_id, facts, owner, routed, priority, first_clock, next_clock, updated_at
    FROM inbox
    WHERE conversation_id = $1 AND stage IS NOT NULL
"""

_ID_OF_NUMBER = "SELECT conversation_id FROM inbox WHERE number = $1"

_REFERENCE = """
    SELECT number, channel
    FROM inbox
    WHERE conversation_id = $1 AND stage IS NOT NULL
"""

_TITLES = """
    SELECT conversation_id, stage, facts::json ->> 'title' AS title
    FROM inbox
    WHERE conversation_id = ANY ($1::uuid[]) AND stage IS NOT NULL
"""

# What a page of the timeline needs besides its own entries, however old: who takes part, why this owner, how far
# replies got. Of messages only who wrote them.
_STANDING = """
    SELECT id, at, service, event, sequence, actor, summary, body
    FROM feed
    WHERE conversation_id = $1
        AND (service = 'routing' OR event IN (
            'participant_added', 'reply_queued', 'reply_withdrawn', 'agent_replied', 'delivery_changed'
        ))
    UNION ALL
    SELECT id, at, service, event, sequence, actor, summary, json_build_object(
        'by', body::json -> 'by',
        'requester', body::json -> 'requester',
        'message', json_build_object(
            'sender', body::json #> '{message,sender}', 'copied', body::json #> '{message,copied}'
        )
    )::text
    FROM feed
    WHERE conversation_id = $1 AND event IN ('conversation_opened', 'customer_replied')
    ORDER BY id
"""

_LATEST = """
    SELECT id, at, service, event, sequence, actor, summary, body
    FROM feed
    WHERE conversation_id = $1 AND ($2::bigint IS NULL OR id < $2)
    ORDER BY id DESC
    LIMIT $3::integer
"""


async def find(tx: Tx, conversation_id: UUID) -> asyncpg.Record | None:
    """The row of a conversation; None while nothing was heard from it."""
    return await tx.fetchrow(_BY_ID, conversation_id)


async def id_of(tx: Tx, number: int) -> UUID | None:
    """The id of the conversation that people see as CONV-<number>."""
    found: UUID | None = await tx.fetchval(_ID_OF_NUMBER, number)
    return found


async def reference(tx: Tx, conversation_id: UUID) -> asyncpg.Record | None:
    """Number and channel of a conversation; None while nothing was heard from it."""
    return await tx.fetchrow(_REFERENCE, conversation_id)


async def titles(tx: Tx, conversation_ids: Sequence[UUID]) -> Sequence[asyncpg.Record]:
    """Title and stage of each of these that something was heard from."""
    return await tx.fetch(_TITLES, conversation_ids)


async def standing(tx: Tx, conversation_id: UUID) -> list[Recorded]:
    """The events of any age by which the others are understood, in order."""
    return _recorded(await tx.fetch(_STANDING, conversation_id))


async def latest(tx: Tx, conversation_id: UUID, *, before: int | None, limit: int) -> list[Recorded]:
    """The last `limit` events, or the last before a place in the feed; in order."""
    rows = await tx.fetch(_LATEST, conversation_id, before, limit)
    return _recorded(reversed(rows))


def _recorded(rows: Iterable[asyncpg.Record]) -> list[Recorded]:
    return [
        Recorded(
            id=row["id"],
            at=row["at"],
            service=row["service"],
            event=row["event"],
            sequence=row["sequence"],
            actor=row["actor"],
            summary=json.loads(row["summary"]),
            body=json.loads(row["body"]),
        )
        for row in rows
    ]
