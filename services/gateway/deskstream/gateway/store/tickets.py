"""Reading tickets a page at a time, from where the last page ended; and counting them for the board."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

import asyncpg

from deskstream.contracts.chain_facts import Severity, TicketType
from deskstream.contracts.linked import TicketStage
from deskstream.contracts.vistas import TRACKERS, TRIAGES, Tracker, Triage
from deskstream.gateway.domain import SEVERITIES
from deskstream.gateway.store.lists import Place
from deskstream.messaging import Tx


class TicketSort(StrEnum):
    NEWEST = "newest"
    UPDATED = "updated"
    """The last touched first."""
    CLOSED = "closed"
    """The last closed first, and none that is not."""
    SEVERITY = "severity"
    """The gravest first, and of these the newest."""


@dataclass(frozen=True, slots=True)
class TicketFilters:
    """What the list is narrowed to; None or empty is no matter. `owner` is the empty text for nobody's."""

    triage: Triage | None = None
    tracker: Tracker | None = None
    stages: tuple[TicketStage, ...] = ()
    type: TicketType | None = None
    severity: Severity | None = None
    part: UUID | None = None
    """Everything below it, too."""
    owner: str | None = None
    account: UUID | None = None
    contact: UUID | None = None
    linked: tuple[UUID, ...] = ()
    """Conversations and issues, to each of which it is linked."""
    told: bool | None = None
    deleted: bool = False

    def arguments(self) -> tuple[Any, ...]:
        """In the order of the statement's first parameters; the part last."""
        triage = None if self.triage is None else TRIAGES.index(self.triage)
        tracker = None if self.tracker is None else TRACKERS.index(self.tracker)
        severity = None if self.severity is None else SEVERITIES.index(self.severity)
        stages = [stage.value for stage in self.stages] or None
        return (
            triage, tracker, stages, self.type, severity, self.owner, self.account, self.contact, self.told,
            self.deleted, list(self.linked) or None, self.part,
        )  # fmt: skip


# Asked first, so that the plan knows how many tickets there are on them.
_BELOW = """
    WITH RECURSIVE below AS (
        SELECT $1::uuid AS part_id
        UNION
        SELECT p.part_id
        FROM below
        JOIN parts p ON p.parent = below.part_id
    )
    SELECT part_id FROM below
"""

# Planned for the values at hand, CASE is the one column of the order that is asked for, and an index has it.
PAGE = """
    SELECT
        t.ticket_id, t.triage, t.tracker, t.updated, t.closed, t.is_told, t.facts, p.name AS part_name,
        CASE $13::text
            WHEN 'newest' THEN t.number WHEN 'updated' THEN t.updated WHEN 'closed' THEN t.closed ELSE t.gravity
        END AS sorted_by
    FROM tickets t
    LEFT JOIN parts p USING (part_id)
    WHERE t.deleted = $10
        AND ($1::smallint IS NULL OR t.triage = $1)
        AND ($2::smallint IS NULL OR t.tracker = $2)
        AND ($3::text[] IS NULL OR t.stage = ANY ($3))
        AND ($4::text IS NULL OR t.type = $4)
        AND ($5::smallint IS NULL OR t.severity = $5)
        AND ($6::text IS NULL OR t.owner = $6)
        AND ($7::uuid IS NULL OR t.account_id = $7)
        AND ($8::uuid IS NULL OR t.contact_id = $8)
        AND ($9::boolean IS NULL OR t.is_told = $9)
        AND ($11::uuid[] IS NULL OR t.linked @> $11)
        AND ($12::uuid[] IS NULL OR t.part_id = ANY ($12))
        AND ($13::text <> 'closed' OR t.closed IS NOT NULL)
        AND ($14::bigint IS NULL OR (
            CASE $13::text
                WHEN 'newest' THEN t.number WHEN 'updated' THEN t.updated WHEN 'closed' THEN t.closed ELSE t.gravity
            END,
            t.ticket_id
        ) < ($14, $15::uuid))
    ORDER BY
        CASE $13::text
            WHEN 'newest' THEN t.number WHEN 'updated' THEN t.updated WHEN 'closed' THEN t.closed ELSE t.gravity
        END DESC,
        t.ticket_id DESC
    LIMIT $16::integer
"""

# The part that intake starts with is never said; its tickets know what it is called.
BOARD = """
    SELECT
        c.part_id,
        COALESCE(p.number, (named.part ->> 'number')::bigint) AS number,
        COALESCE(p.name, named.part ->> 'name') AS name,
        COALESCE(p.kind, named.part ->> 'kind') AS kind,
        c.stage,
        c.tickets
    FROM (
        SELECT part_id, stage, count(*) AS tickets
        FROM tickets
        WHERE NOT deleted
            AND ($1::boolean OR triage < 2)
            AND ($2::uuid IS NULL OR account_id = $2)
        GROUP BY part_id, stage
    ) c
    LEFT JOIN parts p USING (part_id)
    LEFT JOIN LATERAL (
        SELECT facts::json -> 'part' AS part
        FROM tickets t
        WHERE p.part_id IS NULL AND t.part_id = c.part_id AND NOT t.deleted
        LIMIT 1
    ) named ON true
    ORDER BY number, c.part_id, c.stage
"""


async def page(
    tx: Tx, filters: TicketFilters, sort: TicketSort, *, after: Place | None, limit: int
) -> Sequence[asyncpg.Record]:
    """At most `limit` rows behind `after` in that order."""
    return await tx.fetch(PAGE, *await arguments(tx, filters, sort, after=after, limit=limit))


async def arguments(
    tx: Tx, filters: TicketFilters, sort: TicketSort, *, after: Place | None, limit: int
) -> tuple[Any, ...]:
    """All parameters of the page's statement; of a part with all below it."""
    *narrowed, part = filters.arguments()
    parts = None if part is None else [row["part_id"] for row in await tx.fetch(_BELOW, part)]
    return *narrowed, parts, sort.value, *(after or (None, None)), limit


async def board(tx: Tx, *, closed: bool, account: UUID | None) -> Sequence[asyncpg.Record]:
    """Part and stage -> how many tickets; with closed ones or without."""
    return await tx.fetch(BOARD, closed, account)
