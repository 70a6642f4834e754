"""Issues in the database: a document each, the tickets that hang on them, and their links to other issues."""

from collections.abc import Sequence
from uuid import UUID

from pydantic import TypeAdapter

from deskstream.contracts import Event
from deskstream.contracts.ids import IssueId, TicketId
from deskstream.contracts.issues import LANE, AnswerApproved
from deskstream.messaging import Tx
from deskstream.ticketing.domain.issue import Issue, IssueState, Joined, Unfiled, evolve
from deskstream.ticketing.store.taken_back import with_taken_back

_LOAD = """
WITH locked AS (
    SELECT id, state
    FROM issues
    WHERE id = ANY($1::uuid[])
    ORDER BY id
    FOR UPDATE
)
SELECT
    asked.id::text,
    locked.state,
    CASE WHEN locked.id IS NULL THEN nextval('issue_numbers') END AS number,
    EXISTS (SELECT 1 FROM recovered) AS recovering
FROM unnest($1::uuid[]) AS asked(id)
LEFT JOIN locked USING (id)
"""

# A statement of its own: one that waited for the lock would read what held before it waited.
_TICKETS = """
SELECT object_id::text, ticket_id, customer, answered
FROM weights
WHERE object_id = ANY($1::uuid[])
"""

_SAVE = """
INSERT INTO issues
    (id, number, stage, part_id, owner, duplicate_of, tickets, customers, deleted, severity, security, state)
SELECT id, number, stage, part_id, owner, duplicate_of, tickets, customers, deleted, severity, security, state
FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::uuid[], $5::text[], $6::uuid[], $7::integer[], $8::integer[],
            $9::boolean[], $10::text[], $11::text[], $12::text[])
    AS new(id, number, stage, part_id, owner, duplicate_of, tickets, customers, deleted, severity, security, state)
ORDER BY id
ON CONFLICT (id) DO UPDATE
SET stage = excluded.stage,
    part_id = excluded.part_id,
    owner = excluded.owner,
    duplicate_of = excluded.duplicate_of,
    tickets = excluded.tickets,
    customers = excluded.customers,
    deleted = excluded.deleted,
    severity = excluded.severity,
    security = excluded.security,
    state = excluded.state
"""

_WEIGH = """
WITH gone AS (
    DELETE FROM weights w
    USING unnest($5::uuid[], $6::uuid[]) AS left_out(object_id, ticket_id)
    WHERE w.object_id = left_out.object_id AND w.ticket_id = left_out.ticket_id
)
INSERT INTO weights (object_id, ticket_id, customer, answered)
SELECT object_id, ticket_id, customer, answered
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::boolean[]) AS new(object_id, ticket_id, customer, answered)
ON CONFLICT (object_id, ticket_id) DO UPDATE
SET customer = excluded.customer,
    answered = excluded.answered
"""

_RELATE = """
WITH gone AS (
    DELETE FROM issue_relations
    WHERE issue_id = ANY($1::uuid[])
      AND NOT (issue_id, kind, other_id) IN (
          SELECT issue_id, kind, other_id
          FROM unnest($2::uuid[], $3::text[], $4::uuid[]) AS new(issue_id, kind, other_id)
      )
)
INSERT INTO issue_relations (issue_id, kind, other_id)
SELECT issue_id, kind, other_id
FROM unnest($2::uuid[], $3::text[], $4::uuid[]) AS new(issue_id, kind, other_id)
ON CONFLICT DO NOTHING
"""

# Whoever waited once hangs together with the issue from then on.
_WATCH = """
INSERT INTO issue_waiters (issue_id, number)
SELECT issue_id, number
FROM unnest($1::uuid[], $2::bigint[]) AS new(issue_id, number)
ON CONFLICT DO NOTHING
"""

_STATE: TypeAdapter[Issue] = TypeAdapter(Issue)
_NOT_KEPT = {"tickets", "moved", "rerelated", "rewatched"}


async def load(tx: Tx, keys: Sequence[str]) -> dict[str, IssueState]:
    """Every issue asked for, locked, with the tickets on it; one that does not exist comes unfiled, with its number."""
    rows = await tx.fetch(_LOAD, keys)
    known = [key for key, document, *_ in rows if document is not None]
    joined: dict[str, dict[TicketId, Joined]] = {key: {} for key in known}
    for key, ticket, customer, answered in await tx.fetch(_TICKETS, known) if known else ():
        joined[key][ticket] = Joined(customer, answered)
    states: dict[str, IssueState] = {}
    for key, document, number, _ in rows:
        states[key] = Unfiled(IssueId(UUID(key)), number) if document is None else read(document, joined[key])
    recovering = any(row["recovering"] for row in rows)
    return await with_taken_back(tx, LANE, states, _evolved) if recovering else states


def _evolved(state: IssueState, event: Event) -> IssueState:
    """Tickets that it does not know yet join by messages that are heard again."""
    if isinstance(event, AnswerApproved) and isinstance(state, Issue):
        known = tuple(ticket for ticket in event.tickets if ticket in state.tickets)
        event = event.model_copy(update={"tickets": known})
    return evolve(state, event)


async def save(tx: Tx, states: Sequence[IssueState]) -> None:
    """Writes issues, and what changed of the tickets and issues that they are linked to."""
    filed = [state for state in states if isinstance(state, Issue)]
    if not filed:
        return
    facts = [state.facts for state in filed]
    await tx.execute(
        _SAVE,
        [f.id for f in facts],
        [f.number for f in facts],
        [f.stage.value for f in facts],
        [f.part.id for f in facts],
        [f.owner for f in facts],
        [f.duplicate_of for f in facts],
        [f.weight.tickets for f in facts],
        [f.weight.customers for f in facts],
        [f.deleted is not None for f in facts],
        [f.severity.value for f in facts],
        [f.security for f in facts],
        [written(state) for state in filed],
    )
    await weigh(tx, [(s.id, ticket, joined) for s in filed for ticket, joined in s.moved.items()])
    await _relate(tx, [state for state in filed if state.rerelated])
    await _watch(tx, [state for state in filed if state.rewatched])


async def weigh(tx: Tx, moved: Sequence[tuple[UUID, TicketId, Joined | None]]) -> None:
    """Writes which tickets came to, and which left, an issue or an enhancement."""
    if not moved:
        return
    came = [(on, ticket, joined) for on, ticket, joined in moved if joined is not None]
    left = [(on, ticket) for on, ticket, joined in moved if joined is None]
    await tx.execute(
        _WEIGH,
        [on for on, _, _ in came],
        [ticket for _, ticket, _ in came],
        [joined.customer for _, _, joined in came],
        [joined.answered for _, _, joined in came],
        [on for on, _ in left],
        [ticket for _, ticket in left],
    )


async def _relate(tx: Tx, changed: Sequence[Issue]) -> None:
    if not changed:
        return
    relations = [(state.id, relation) for state in changed for relation in state.facts.relations]
    await tx.execute(
        _RELATE,
        [state.id for state in changed],
        [issue for issue, _ in relations],
        [relation.kind for _, relation in relations],
        [relation.to for _, relation in relations],
    )


async def _watch(tx: Tx, changed: Sequence[Issue]) -> None:
    if not changed:
        return
    waiters = [(state.id, watcher.conversation.number) for state in changed for watcher in state.watchers]
    await tx.execute(_WATCH, [issue for issue, _ in waiters], [number for _, number in waiters])


def read(document: str, tickets: dict[TicketId, Joined] | None = None) -> Issue:
    """An issue from its document, and the tickets that hang on it."""
    found = _STATE.validate_json(document)
    return Issue(
        found.facts,
        text=found.text,
        watchers=found.watchers,
        original=found.original,
        withheld=found.withheld,
        tickets=tickets or {},
    )


def written(state: Issue) -> str:
    """The document of an issue."""
    return _STATE.dump_json(state, exclude=_NOT_KEPT, exclude_defaults=True).decode()
