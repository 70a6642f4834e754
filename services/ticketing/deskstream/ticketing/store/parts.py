"""Parts in the database: a document each, and the tickets that weigh on enhancements."""

from collections.abc import Sequence
from uuid import UUID

from pydantic import TypeAdapter

from deskstream.contracts.ids import PartId, TicketId
from deskstream.contracts.ticketing import LANE
from deskstream.messaging import Tx
from deskstream.ticketing.domain.issue import Joined
from deskstream.ticketing.domain.part import Part, PartState, Unmade, evolve
from deskstream.ticketing.store.issues import weigh
from deskstream.ticketing.store.taken_back import with_taken_back

_LOAD = """
WITH locked AS (
    SELECT id, state
    FROM parts
    WHERE id = ANY($1::uuid[])
    ORDER BY id
    FOR UPDATE
)
SELECT
    asked.id::text,
    locked.state,
    CASE WHEN locked.id IS NULL THEN nextval('part_numbers') END AS number,
    EXISTS (SELECT 1 FROM recovered) AS recovering
FROM unnest($1::uuid[]) AS asked(id)
LEFT JOIN locked USING (id)
"""

_TICKETS = """
SELECT object_id::text, ticket_id, customer
FROM weights
WHERE object_id = ANY($1::uuid[])
"""

# A part that becomes the default one comes after all that were it before.
_SAVE = """
INSERT INTO parts AS p (id, number, parent, kind, deleted, default_since, tickets, customers, state)
SELECT id, number, parent, kind, deleted, CASE WHEN is_default THEN nextval('part_defaults') END, tickets, customers,
       state
FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::text[], $5::boolean[], $6::boolean[], $7::integer[],
            $8::integer[], $9::text[])
    AS new(id, number, parent, kind, deleted, is_default, tickets, customers, state)
ORDER BY number
ON CONFLICT (id) DO UPDATE
SET parent = excluded.parent,
    deleted = excluded.deleted,
    default_since = CASE
        WHEN excluded.default_since IS NOT NULL THEN coalesce(p.default_since, excluded.default_since)
    END,
    tickets = excluded.tickets,
    customers = excluded.customers,
    state = excluded.state
"""

_STATE: TypeAdapter[Part] = TypeAdapter(Part)
_NOT_KEPT = {"customers", "moved"}


async def load(tx: Tx, keys: Sequence[str]) -> dict[str, PartState]:
    """Every part asked for, locked; one that does not exist comes unmade, with its number."""
    rows = await tx.fetch(_LOAD, keys)
    known = [key for key, document, *_ in rows if document is not None]
    customers: dict[str, dict[TicketId, str]] = {key: {} for key in known}
    for key, ticket, customer in await tx.fetch(_TICKETS, known) if known else ():
        customers[key][ticket] = customer
    states: dict[str, PartState] = {}
    for key, document, number, _ in rows:
        states[key] = (
            Unmade(PartId(UUID(key)), number) if document is None else Part(read(document).facts, customers[key])
        )
    recovering = any(row["recovering"] for row in rows)
    return await with_taken_back(tx, LANE, states, evolve) if recovering else states


async def save(tx: Tx, states: Sequence[PartState]) -> None:
    """Writes parts, and what changed of the tickets that weigh on them."""
    made = [state for state in states if isinstance(state, Part)]
    if not made:
        return
    facts = [state.facts for state in made]
    await tx.execute(
        _SAVE,
        [f.id for f in facts],
        [f.number for f in facts],
        [f.parent for f in facts],
        [f.kind.value for f in facts],
        [f.deleted is not None for f in facts],
        [f.default for f in facts],
        [f.weight.tickets for f in facts],
        [f.weight.customers for f in facts],
        [written(state) for state in made],
    )
    moved = [(s.id, ticket, customer) for s in made for ticket, customer in s.moved.items()]
    await weigh(tx, [(on, ticket, None if who is None else Joined(who)) for on, ticket, who in moved])


def read(document: str) -> Part:
    """A part from its document."""
    return _STATE.validate_json(document)


def written(state: Part) -> str:
    """The document of a part."""
    return _STATE.dump_json(state, exclude=_NOT_KEPT, exclude_defaults=True).decode()
