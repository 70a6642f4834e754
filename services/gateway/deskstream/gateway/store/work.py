"""Writing the views of tickets and parts: one statement each, whatever the size of the batch."""

from collections.abc import Sequence

from deskstream.gateway.views.work import Row
from deskstream.messaging import Tx

_TICKETS = """
    INSERT INTO tickets (
        ticket_id, seq, number, stage, triage, tracker, type, severity, part_id, owner, account_id, contact_id, deleted,
        updated, closed, told, facts
    )
    SELECT
        unnest($1::uuid[]), unnest($2::bigint[]), unnest($3::bigint[]), unnest($4::text[]), unnest($5::smallint[]),
        unnest($6::smallint[]), unnest($7::text[]), unnest($8::smallint[]), unnest($9::uuid[]), unnest($10::text[]),
        unnest($11::uuid[]), unnest($12::uuid[]), unnest($13::boolean[]), unnest($14::bigint[]),
        unnest($15::bigint[]), unnest($16::bigint[]), unnest($17::text[])
    ON CONFLICT (ticket_id) DO UPDATE SET
        seq = excluded.seq,
        stage = excluded.stage,
        triage = excluded.triage,
        tracker = excluded.tracker,
        type = excluded.type,
        severity = excluded.severity,
        part_id = excluded.part_id,
        owner = excluded.owner,
        account_id = excluded.account_id,
        contact_id = excluded.contact_id,
        deleted = excluded.deleted,
        updated = GREATEST(tickets.updated, excluded.updated),
        closed = excluded.closed,
        told = GREATEST(tickets.told, excluded.told),
        facts = excluded.facts
    WHERE excluded.seq > tickets.seq
"""

_PARTS = """
    INSERT INTO parts (part_id, seq, number, parent, name, kind, deleted)
    SELECT
        unnest($1::uuid[]), unnest($2::bigint[]), unnest($3::bigint[]), unnest($4::uuid[]), unnest($5::text[]),
        unnest($6::text[]), unnest($7::boolean[])
    ON CONFLICT (part_id) DO UPDATE SET
        seq = excluded.seq,
        parent = excluded.parent,
        name = excluded.name,
        kind = excluded.kind,
        deleted = excluded.deleted
    WHERE excluded.seq > parts.seq
"""


async def upsert_tickets(tx: Tx, rows: Sequence[Row]) -> None:
    """Writes rows of tickets, each once; what is newer there stays."""
    if rows:
        await tx.execute(_TICKETS, *zip(*rows, strict=True))


async def upsert_parts(tx: Tx, rows: Sequence[Row]) -> None:
    """Writes rows of parts, each once; what is newer there stays."""
    if rows:
        await tx.execute(_PARTS, *zip(*rows, strict=True))
