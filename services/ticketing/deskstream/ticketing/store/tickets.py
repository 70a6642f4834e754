"""Tickets in the database: a document each, columns for what is searched, and the conversations they are linked to."""

from collections.abc import Sequence
from uuid import UUID

from pydantic import TypeAdapter

from deskstream.contracts.chain_facts import TicketFacts
from deskstream.contracts.ids import TicketId
from deskstream.contracts.ticketing import LANE
from deskstream.contracts.vistas import TRACKERS, TRIAGES, tracker_of, triage_of
from deskstream.messaging import Tx
from deskstream.ticketing.domain.ticket import Ticket, TicketState, Unopened, evolve
from deskstream.ticketing.store.taken_back import with_taken_back

# A row that is missing gets its number here; the lock is taken in the order of ids.
_LOAD = """
WITH locked AS (
    SELECT id, state
    FROM tickets
    WHERE id = ANY($1::uuid[])
    ORDER BY id
    FOR UPDATE
)
SELECT
    asked.id::text,
    locked.state,
    CASE WHEN locked.id IS NULL THEN nextval('ticket_numbers') END AS number,
    EXISTS (SELECT 1 FROM recovered) AS recovering
FROM unnest($1::uuid[]) AS asked(id)
LEFT JOIN locked USING (id)
"""

_SAVE = """
INSERT INTO tickets
    (id, number, stage, triage, tracker, type, severity, part_id, owner, account, contact, internal, deleted, state)
SELECT id, number, stage, triage, tracker, type, severity, part_id, owner, account, contact, internal, deleted, state
FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::smallint[], $5::smallint[], $6::text[], $7::text[], $8::uuid[],
            $9::text[], $10::uuid[], $11::uuid[], $12::boolean[], $13::boolean[], $14::text[])
    AS new(id, number, stage, triage, tracker, type, severity, part_id, owner, account, contact, internal, deleted,
           state)
ORDER BY id
ON CONFLICT (id) DO UPDATE
SET stage = excluded.stage,
    triage = excluded.triage,
    tracker = excluded.tracker,
    type = excluded.type,
    severity = excluded.severity,
    part_id = excluded.part_id,
    owner = excluded.owner,
    account = excluded.account,
    contact = excluded.contact,
    internal = excluded.internal,
    deleted = excluded.deleted,
    state = excluded.state
"""

_RELINK = """
WITH gone AS (
    DELETE FROM ticket_conversations
    WHERE ticket_id = ANY($1::uuid[])
      AND NOT (ticket_id, conversation_id) IN (
          SELECT ticket_id, conversation_id
          FROM unnest($2::uuid[], $3::uuid[]) AS new(ticket_id, conversation_id)
      )
)
INSERT INTO ticket_conversations (ticket_id, conversation_id, number)
SELECT ticket_id, conversation_id, number
FROM unnest($2::uuid[], $3::uuid[], $4::bigint[]) AS new(ticket_id, conversation_id, number)
ON CONFLICT DO NOTHING
"""

_STATE: TypeAdapter[Ticket] = TypeAdapter(Ticket)


async def load(tx: Tx, keys: Sequence[str]) -> dict[str, TicketState]:
    """Every ticket asked for, locked; one that does not exist comes unopened, with its number."""
    rows = await tx.fetch(_LOAD, keys)
    states: dict[str, TicketState] = {}
    for key, document, number, _ in rows:
        states[key] = Unopened(TicketId(UUID(key)), number) if document is None else read(document)
    recovering = any(row["recovering"] for row in rows)
    return await with_taken_back(tx, LANE, states, evolve) if recovering else states


async def save(tx: Tx, states: Sequence[TicketState]) -> None:
    """Writes tickets, and their conversations where these changed."""
    opened = [state for state in states if isinstance(state, Ticket)]
    if not opened:
        return
    facts = [state.facts for state in opened]
    await tx.execute(
        _SAVE,
        [f.id for f in facts],
        [f.number for f in facts],
        [f.stage.value for f in facts],
        [TRIAGES.index(triage_of(f.stage)) for f in facts],
        [TRACKERS.index(tracker_of(f)) for f in facts],
        [f.type.value for f in facts],
        [f.severity.value for f in facts],
        [f.part.id for f in facts],
        [f.owner for f in facts],
        [f.account.id if f.account else None for f in facts],
        [f.requester.id if f.requester else None for f in facts],
        [f.internal for f in facts],
        [f.deleted is not None for f in facts],
        [written(state) for state in opened],
    )
    await _relink(tx, [state.facts for state in opened if state.relinked])


async def _relink(tx: Tx, changed: Sequence[TicketFacts]) -> None:
    if not changed:
        return
    links = [(f.id, c) for f in changed if f.deleted is None for c in f.conversations]
    await tx.execute(
        _RELINK,
        [f.id for f in changed],
        [ticket for ticket, _ in links],
        [conversation.id for _, conversation in links],
        [conversation.number for _, conversation in links],
    )


def read(document: str) -> Ticket:
    """A ticket from its document."""
    return _STATE.validate_json(document)


def written(state: Ticket) -> str:
    """The document of a ticket."""
    return _STATE.dump_json(state, exclude={"relinked"}, exclude_defaults=True).decode()
