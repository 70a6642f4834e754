"""Reading the inbox a page at a time, from where the last page ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

import asyncpg

from deskstream.contracts.facts import Kind, Priority, Stage
from deskstream.gateway.domain import RANKS
from deskstream.messaging import Tx


class Sort(StrEnum):
    URGENCY = "urgency"
    """Who waits most urgently first; whom nobody keeps waiting last."""
    RECEIVED = "received"
    """The latest first; a conversation never moves in this order."""
    UPDATED = "updated"
    """The last touched first."""


Place: TypeAlias = tuple[int | datetime, UUID]
"""Where a conversation stands in an order: what it is sorted by, then its id."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What the list is narrowed to; None or empty is no matter. `owner` is the empty text for nobody's."""

    stages: tuple[Stage, ...] = ()
    owner: str | None = None
    channel: str | None = None
    inbox: str | None = None
    account: UUID | None = None
    kind: Kind | None = None
    priority: Priority | None = None
    snoozed: bool = False

    def arguments(self) -> tuple[object, ...]:
        """In the order of the statements' first parameters."""
        one = self.stages[0] if len(self.stages) == 1 else None
        several = list(self.stages) if len(self.stages) > 1 else None
        rank = None if self.priority is None else RANKS[self.priority]
        return one, several, self.owner, self.channel, self.inbox, self.account, self.kind, rank, self.snoozed


# The same columns and conditions thrice: an order is part of a statement, and statements are not glued together.
BY_URGENCY = """
    SELECT conversation_id, facts, owner, routed, priority, first_clock, next_clock, updated_at, urgency AS sorted_by
    FROM inbox
    WHERE stage IS NOT NULL
        AND ($1::text IS NULL OR stage = $1)
        AND ($2::text[] IS NULL OR stage = ANY ($2))
        AND ($1::text IS NOT NULL OR $2::text[] IS NOT NULL OR stage <> 'suspended')
        AND ($3::text IS NULL OR owner = $3)
        AND ($4::text IS NULL OR channel = $4)
        AND ($5::text IS NULL OR inbox = $5)
        AND ($6::uuid IS NULL OR account_id = $6)
        AND ($7::text IS NULL OR kind = $7)
        AND ($8::smallint IS NULL OR priority = $8)
        AND (hidden_until IS NOT NULL AND hidden_until > now()) = $9::boolean
        AND ($10::bigint IS NULL OR (urgency, conversation_id) > ($10, $11::uuid))
    ORDER BY urgency, conversation_id
    LIMIT $12::integer
"""

BY_RECEIPT = """
    SELECT conversation_id, facts, owner, routed, priority, first_clock, next_clock, updated_at, created_at AS sorted_by
    FROM inbox
    WHERE stage IS NOT NULL
        AND ($1::text IS NULL OR stage = $1)
        AND ($2::text[] IS NULL OR stage = ANY ($2))
        AND ($1::text IS NOT NULL OR $2::text[] IS NOT NULL OR stage <> 'suspended')
        AND ($3::text IS NULL OR owner = $3)
        AND ($4::text IS NULL OR channel = $4)
        AND ($5::text IS NULL OR inbox = $5)
        AND ($6::uuid IS NULL OR account_id = $6)
        AND ($7::text IS NULL OR kind = $7)
        AND ($8::smallint IS NULL OR priority = $8)
        AND (hidden_until IS NOT NULL AND hidden_until > now()) = $9::boolean
        AND ($10::timestamptz IS NULL OR (created_at, conversation_id) < ($10, $11::uuid))
    ORDER BY created_at DESC, conversation_id DESC
    LIMIT $12::integer
"""

BY_UPDATE = """
    SELECT conversation_id, facts, owner, routed, priority, first_clock, next_clock, updated_at, updated_at AS sorted_by
    FROM inbox
    WHERE stage IS NOT NULL
        AND ($1::text IS NULL OR stage = $1)
        AND ($2::text[] IS NULL OR stage = ANY ($2))
        AND ($1::text IS NOT NULL OR $2::text[] IS NOT NULL OR stage <> 'suspended')
        AND ($3::text IS NULL OR owner = $3)
        AND ($4::text IS NULL OR channel = $4)
        AND ($5::text IS NULL OR inbox = $5)
        AND ($6::uuid IS NULL OR account_id = $6)
        AND ($7::text IS NULL OR kind = $7)
        AND ($8::smallint IS NULL OR priority = $8)
        AND (hidden_until IS NOT NULL AND hidden_until > now()) = $9::boolean
        AND ($10::timestamptz IS NULL OR (updated_at, conversation_id) < ($10, $11::uuid))
    ORDER BY updated_at DESC, conversation_id DESC
    LIMIT $12::integer
"""

STATEMENTS = {Sort.URGENCY: BY_URGENCY, Sort.RECEIVED: BY_RECEIPT, Sort.UPDATED: BY_UPDATE}


async def page(tx: Tx, filters: Filters, sort: Sort, *, after: Place | None, limit: int) -> Sequence[asyncpg.Record]:
    """At most `limit` rows behind `after` in that order."""
    behind = after or (None, None)
    return await tx.fetch(STATEMENTS[sort], *filters.arguments(), *behind, limit)
