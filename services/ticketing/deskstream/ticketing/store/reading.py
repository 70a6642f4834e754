"""What people read: one object with its text, lists by filter, counts. Read only."""

from collections.abc import Sequence
from typing import Any, Final, TypeVar

from asyncpg import Record

from deskstream.contracts import Refused
from deskstream.contracts.chain_facts import IssueFacts, TicketFacts
from deskstream.contracts.confidential import named_in
from deskstream.contracts.issues import FindIssue, ListIssues
from deskstream.contracts.part_commands import FindPart, ListParts
from deskstream.contracts.ticket_commands import CountTickets, FindTicket, ListCustomerTickets, ListTickets
from deskstream.contracts.vistas import TRACKERS, TRIAGES
from deskstream.messaging import Tx
from deskstream.ticketing.domain import tasks
from deskstream.ticketing.domain.issue import stages
from deskstream.ticketing.domain.ticket.discretion import is_filed, links_for_customers, names_of, title_for_customers
from deskstream.ticketing.domain.ticket.reporting import linked_ticket
from deskstream.ticketing.domain.ticket.wording import FOR_CUSTOMERS
from deskstream.ticketing.store import issues, parts, tickets
from deskstream.ticketing.store.fitting import FEW, fitting

# A generic plan could not use the index of whichever filter is given.
_PLANNED_ANEW = "SET LOCAL plan_cache_mode = force_custom_plan"

_TICKET = "SELECT state FROM tickets WHERE id = $1 OR ($1::uuid IS NULL AND number = $2)"
_ISSUE = "SELECT state FROM issues WHERE id = $1 OR ($1::uuid IS NULL AND number = $2)"
_PART = "SELECT state FROM parts WHERE id = $1 OR ($1::uuid IS NULL AND number = $2)"
_PARTS_NAMED = "SELECT state FROM parts WHERE id = ANY($1)"

_TICKETS = """
SELECT state
FROM tickets_asked_for($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
WHERE number < $12
ORDER BY number DESC
LIMIT $13
"""

# The same for a part and all below it. The range of both columns makes the index of parts be used, however many
# tickets hang on most parts.
_TICKETS_OF_PART = """
SELECT found.state
FROM parts_below($14) AS part
CROSS JOIN LATERAL (
    SELECT number, state
    FROM tickets_asked_for($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    WHERE (part_id, number) > (part, 0) AND (part_id, number) < (part, $12)
    ORDER BY part_id DESC, number DESC
    LIMIT $13
) found
ORDER BY found.number DESC
LIMIT $13
"""
_NEWEST: Final = 2**62

_COUNTS = """
SELECT t.part_id, p.number, t.stage, count(*) AS tickets
FROM tickets t
LEFT JOIN parts p ON p.id = t.part_id
WHERE NOT t.deleted AND ($1::uuid IS NULL OR t.account = $1)
GROUP BY t.part_id, p.number, t.stage
ORDER BY p.number, t.stage
LIMIT 1000
"""

_CUSTOMER_TICKETS = """
SELECT state
FROM tickets
WHERE contact = $1 AND NOT deleted AND NOT internal AND ($2::bigint IS NULL OR number < $2)
ORDER BY number DESC
LIMIT $3
"""

# A deleted one may come back, and what it found is as dangerous. JSON, not JSONB, which knows no NUL.
_CONFIDENTIAL = """
SELECT id, number, ARRAY(SELECT json_array_elements_text(state::json -> 'withheld')) AS links
FROM issues
WHERE confidential
  AND ('ISS-' || number = ANY($1) OR id::text = ANY($1) OR $2 AND state::json -> 'withheld' IS NOT NULL)
"""

# What is linked is looked up first, as an array, so that a few issues are not looked for among all.
_ISSUES = """
SELECT state
FROM issues
WHERE NOT deleted
  AND ($1::text IS NULL OR stage = $1)
  AND ($2::text[] IS NULL OR stage = ANY($2))
  AND ($3::uuid IS NULL OR part_id = ANY(ARRAY(SELECT part FROM parts_below($3) AS part)))
  AND ($4::text IS NULL OR coalesce(owner, '') = $4)
  AND ($8::text IS NULL OR severity = $8)
  AND ($9::text IS NULL OR security = $9)
  AND ($10::boolean IS NULL OR (tickets > 0) = $10)
  AND ($11::uuid IS NULL OR id = ANY(ARRAY(
      SELECT DISTINCT w.object_id
      FROM tickets t
      JOIN weights w ON w.ticket_id = t.id
      WHERE t.account = $11 AND NOT t.deleted
  )))
ORDER BY CASE WHEN $5 THEN tickets END DESC, CASE WHEN $5 THEN customers END DESC, number DESC
OFFSET $6
LIMIT $7
"""

_PARTS = """
WITH RECURSIVE tree AS (
    SELECT id, tickets, customers, number, state, ARRAY[number] AS place
    FROM parts
    WHERE NOT deleted AND ((parent IS NULL AND $1::uuid IS NULL) OR id = $1)
    UNION ALL
    SELECT p.id, p.tickets, p.customers, p.number, p.state, tree.place || p.number
    FROM tree
    JOIN parts p ON p.parent = tree.id
    WHERE NOT p.deleted AND cardinality(tree.place) < 100
)
SELECT state
FROM tree
ORDER BY CASE WHEN $2 THEN tickets END DESC, CASE WHEN $2 THEN customers END DESC, place
OFFSET $3
LIMIT $4
"""

_TICKET_ROW: Final = {
    "id", "number", "version", "stage", "type", "severity", "title", "owner", "internal", "channel",
    "customer_engineer", "needs_code_change", "asks", "follow_ups", "undecided", "resolution", "created_at",
    "solved_at", "deleted",
}  # fmt: skip
_ISSUE_ROW: Final = {
    "id", "number", "version", "stage", "title", "part", "owner", "severity", "security", "weight", "created_at",
    "ended_at",
}  # fmt: skip

Hung = TypeVar("Hung", TicketFacts, IssueFacts)


async def find_ticket(tx: Tx, asked: FindTicket) -> dict[str, Any]:
    """One ticket. Raises `Refused` when there is none."""
    document = await tx.fetchval(_TICKET, asked.ticket_id, asked.number)
    if document is None:
        raise Refused("ticket_not_found", "There is no ticket of that id or number.")
    found = tickets.read(document)
    (facts,) = await _on_parts_as_they_are(tx, [found.facts])
    return {"ticket": facts.model_dump(mode="json"), "text": found.text}


async def find_issue(tx: Tx, asked: FindIssue) -> dict[str, Any]:
    """One issue. Raises `Refused` when there is none."""
    document = await tx.fetchval(_ISSUE, asked.issue_id, asked.number)
    if document is None:
        raise Refused("issue_not_found", "There is no issue of that id or number.")
    found = issues.read(document)
    (facts,) = await _on_parts_as_they_are(tx, [found.facts])
    return {"issue": facts.model_dump(mode="json"), "text": found.text}


async def find_part(tx: Tx, asked: FindPart) -> dict[str, Any]:
    """One part. Raises `Refused` when there is none."""
    document = await tx.fetchval(_PART, asked.part_id, asked.number)
    if document is None:
        raise Refused("part_not_found", "There is no part of that id or number.")
    return {"part": parts.read(document).facts.model_dump(mode="json")}


async def list_tickets(tx: Tx, asked: ListTickets) -> dict[str, Any]:
    """A page of tickets; `more` is the number to ask for what comes before, or nothing."""
    tracker = None if asked.tracker is None else TRACKERS.index(asked.tracker)
    triage = None if asked.triage is None else TRIAGES.index(asked.triage)
    values = (
        asked.deleted, tracker, triage, asked.stage, asked.type, asked.severity, asked.owner,
        asked.account_id, asked.contact_id, asked.conversation_id, asked.issue_id,
        asked.before or _NEWEST, asked.limit + 1,
    )  # fmt: skip
    if asked.part_id is None:
        rows = await _planned_anew(tx, _TICKETS, *values)
    else:
        rows = await _planned_anew(tx, _TICKETS_OF_PART, *values, asked.part_id)
    found = await _on_parts_as_they_are(tx, [tickets.read(row["state"]).facts for row in rows[: asked.limit]])
    shown = fitting([_row(facts) for facts in found])
    return {"tickets": shown, "more": shown[-1]["number"] if len(rows) > len(shown) else None}


async def count_tickets(tx: Tx, asked: CountTickets) -> dict[str, Any]:
    """Tickets by part, grouped by stage: what the board of R11 shows."""
    counts: dict[str, dict[str, Any]] = {}
    for row in await tx.fetch(_COUNTS, asked.account_id):
        part = counts.setdefault(str(row["part_id"]), {"part": row["number"], "stages": {}})
        part["stages"][row["stage"]] = row["tickets"]
    return {"parts": list(counts.values())}


async def list_customer_tickets(tx: Tx, asked: ListCustomerTickets) -> dict[str, Any]:
    """W12, N9: what a customer may see; no title here names a confidential issue."""
    rows = await tx.fetch(_CUSTOMER_TICKETS, asked.contact_id, asked.before, asked.limit)
    found = [tickets.read(row["state"]).facts for row in rows]
    confidential = await _confidential(tx, named_in(facts.title for facts in found))
    return {
        "tickets": [
            {
                **linked_ticket(facts).model_dump(mode="json", exclude={"internal", "stage"}),
                "title": title_for_customers(facts, confidential),
                "stage": FOR_CUSTOMERS[facts.stage],
                "filed": is_filed(facts),
                "links": links_for_customers(facts),
            }
            for facts in found
        ]
    }


async def _confidential(tx: Tx, named: frozenset[str]) -> frozenset[str]:
    """The names of confidential issues that may be among these."""
    if not named:
        return frozenset()
    links = any(name.startswith("link:") for name in named)
    rows = await tx.fetch(_CONFIDENTIAL, sorted(named), links)
    return frozenset(name for row in rows for name in names_of(row["id"], row["number"], row["links"]))


async def list_issues(tx: Tx, asked: ListIssues) -> dict[str, Any]:
    """A page of issues, newest or heaviest first (W13), and whether there are more."""
    by_weight = asked.sort == "weight"
    among = None if asked.open is None else sorted(stages.UNENDED if asked.open else stages.ENDED)
    values = (asked.stage, among, asked.part_id, asked.owner, by_weight, asked.skip, asked.limit + 1)
    narrowed = (asked.severity, asked.security, asked.linked, asked.account_id)
    rows = await _planned_anew(tx, _ISSUES, *values, *narrowed)
    found = await _on_parts_as_they_are(tx, [issues.read(row["state"]).facts for row in rows[: asked.limit]])
    shown = fitting([facts.model_dump(mode="json", include=_ISSUE_ROW) for facts in found])
    return {"issues": shown, "more": len(rows) > len(shown)}


async def list_parts(tx: Tx, asked: ListParts) -> dict[str, Any]:
    """A page of the product tree, parents before what is below them, or the heaviest first (W13)."""
    rows = await tx.fetch(_PARTS, asked.below, asked.sort == "weight", asked.skip, asked.limit + 1)
    found = [parts.read(row["state"]).facts for row in rows[: asked.limit]]
    shown = fitting([facts.model_dump(mode="json") for facts in found])
    return {"parts": shown, "more": len(rows) > len(shown)}


def _row(facts: TicketFacts) -> dict[str, Any]:
    """What a list shows of a ticket."""
    return {
        **facts.model_dump(mode="json", include=_TICKET_ROW),
        "part": {"number": facts.part.number, "name": facts.part.name},
        "requester": facts.requester.name if facts.requester else None,
        "account": facts.account.name if facts.account else None,
        "conversations": [conversation.number for conversation in facts.conversations[:FEW]],
        "issues": [issue.number for issue in facts.issues[:FEW]],
        "waits": [wait.name for wait in facts.waits],
        "open_tasks": len(tasks.still_open(facts.tasks)),
    }


async def _on_parts_as_they_are(tx: Tx, found: Sequence[Hung]) -> list[Hung]:
    """Each carries its part by the name it had then."""
    rows = await tx.fetch(_PARTS_NAMED, list({facts.part.id for facts in found}))
    names = {part.id: part.name for part in (parts.read(row["state"]).facts for row in rows)}
    parts_now = [facts.part.model_copy(update={"name": names.get(facts.part.id, facts.part.name)}) for facts in found]
    return [facts.model_copy(update={"part": part}) for facts, part in zip(found, parts_now, strict=True)]


async def _planned_anew(tx: Tx, statement: str, *values: object) -> list[Record]:
    async with tx.transaction(readonly=True):
        await tx.execute(_PLANNED_ANEW)
        return await tx.fetch(statement, *values)
