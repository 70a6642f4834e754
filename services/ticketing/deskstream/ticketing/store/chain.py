"""W10: conversation, ticket, issue, part and account, as they hang together, from any one of them. Read only."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final
from uuid import UUID

from deskstream.contracts import Refused
from deskstream.contracts.ticket_commands import ReadChain
from deskstream.messaging import Tx
from deskstream.ticketing.store.fitting import ANSWER_BYTES, FEW, size_of

_OF_TICKET = "SELECT state FROM tickets WHERE number = $1 LIMIT $2"

# Of a crowd of tickets some: to find the newest would take a look at each.
_OF_ISSUE = """
SELECT t.state
FROM (
    SELECT w.ticket_id
    FROM issues i
    JOIN weights w ON w.object_id = i.id
    WHERE i.number = $1
    ORDER BY w.object_id, w.ticket_id
    LIMIT $2
) w
JOIN tickets t ON t.id = w.ticket_id
ORDER BY t.number DESC
"""

# As a range of both columns, so that the index of parts is used, however many tickets hang on most parts.
_OF_PART = """
WITH RECURSIVE below AS (
    SELECT id
    FROM parts
    WHERE number = $1
    UNION
    SELECT p.id
    FROM below
    JOIN parts p ON p.parent = below.id
)
SELECT t.state
FROM below
CROSS JOIN LATERAL (
    SELECT number, state
    FROM tickets
    WHERE (part_id, number) > (below.id, 0) AND (part_id, number) <= (below.id, 9223372036854775807) AND NOT deleted
    ORDER BY part_id DESC, number DESC
    LIMIT $2
) t
ORDER BY t.number DESC
LIMIT $2
"""

_OF_CONVERSATION = """
SELECT t.state
FROM ticket_conversations c
JOIN tickets t ON t.id = c.ticket_id
WHERE c.number = $1
ORDER BY t.number DESC
LIMIT $2
"""

_OF_ACCOUNT = """
SELECT state
FROM tickets
WHERE account = $1 AND NOT deleted
ORDER BY number DESC
LIMIT $2
"""

# Issues that hang together with a member although no ticket of its does.
_WAITED_FOR = """
SELECT issue_id AS id
FROM issue_waiters
WHERE number = $1
ORDER BY issue_id
LIMIT $2
"""

_HUNG_ON = """
WITH RECURSIVE below AS (
    SELECT id
    FROM parts
    WHERE number = $1
    UNION
    SELECT p.id
    FROM below
    JOIN parts p ON p.parent = below.id
)
SELECT i.id
FROM below
JOIN issues i ON i.part_id = below.id AND NOT i.deleted
ORDER BY i.id
LIMIT $2
"""

# The issues themselves first: of a crowd of neighbours some are left out. Each step takes an index, however many there
# are.
_ISSUES = """
WITH named AS (
    SELECT id, duplicate_of
    FROM issues
    WHERE id = ANY($1::uuid[]) OR number = $2
), around AS (
    SELECT id, 0 AS steps
    FROM named
    UNION ALL
    SELECT duplicate_of, 1
    FROM named
    WHERE duplicate_of IS NOT NULL
    UNION ALL
    SELECT r.other_id, 1
    FROM named n
    JOIN issue_relations r ON r.issue_id = n.id
    UNION ALL
    SELECT r.issue_id, 1
    FROM named n
    JOIN issue_relations r ON r.other_id = n.id
), nearest AS (
    SELECT id, min(steps) AS steps
    FROM around
    GROUP BY id
)
SELECT i.state, i.tickets, i.customers, nearest.steps
FROM nearest
JOIN issues i USING (id)
ORDER BY nearest.steps, i.number
LIMIT 100
"""

_PARTS = """
WITH RECURSIVE up AS (
    SELECT id, parent, number, state
    FROM parts
    WHERE id = ANY($1::uuid[]) OR number = $2
    UNION
    SELECT p.id, p.parent, p.number, p.state
    FROM up
    JOIN parts p ON p.id = up.parent
)
SELECT state
FROM up
ORDER BY number
LIMIT 100
"""

_TICKETS_OF: Final = (
    ("ticket", _OF_TICKET),
    ("issue", _OF_ISSUE),
    ("part", _OF_PART),
    ("conversation", _OF_CONVERSATION),
    ("account_id", _OF_ACCOUNT),
)

_WITHOUT_TICKET: Final = {"conversation": _WAITED_FOR, "part": _HUNG_ON}

Found = dict[str, Any]


async def read_chain(tx: Tx, asked: ReadChain) -> dict[str, Any]:
    """All members of the chain, each once, with the numbers by which they name each other.

    Raises `Refused` when no member, or more than one, is named, or when there is no such member.
    """
    kind, value, statement = _start(asked)
    rows = await tx.fetch(statement, value, asked.limit + 1)
    found = [json.loads(row["state"])["facts"] for row in rows]
    limit = asked.limit
    alone = await _without_ticket(tx, kind, value, limit)
    while size_of(chain := await _chain(tx, kind, value, found[:limit], alone[:limit])) > ANSWER_BYTES and limit > 1:
        limit //= 2
    return {**chain, "more": len(rows) > limit}


async def _without_ticket(tx: Tx, kind: str, value: Any, limit: int) -> list[str]:
    statement = _WITHOUT_TICKET.get(kind)
    return [str(row["id"]) for row in await tx.fetch(statement, value, limit)] if statement else []


async def _chain(tx: Tx, kind: str, value: Any, tickets: Sequence[Found], alone: Sequence[str]) -> Found:
    """What hangs together with these tickets and issues, and with the member that was asked for."""
    linked = {issue["id"] for ticket in tickets for issue in ticket.get("issues", ())}
    issues = await _issues(tx, linked.union(alone), value if kind == "issue" else None)
    hung_on = {ticket["part"]["id"] for ticket in tickets} | {issue["part"]["id"] for issue in issues}
    parts = await _parts(tx, hung_on, value if kind == "part" else None)
    _insist_on_member(kind, tickets, issues, parts)
    return {
        "of": kind,
        "tickets": [_ticket(ticket) for ticket in tickets],
        "issues": [_issue(issue) for issue in issues],
        "parts": [_part(part, parts) for part in parts],
        "conversations": _each_once(_conversations(tickets, issues)),
        "accounts": _each_once(ticket["account"] for ticket in tickets if ticket.get("account")),
    }


def _start(asked: ReadChain) -> tuple[str, Any, str]:
    named = [(kind, getattr(asked, kind), statement) for kind, statement in _TICKETS_OF]
    given = [one for one in named if one[1] is not None]
    if len(given) != 1:
        raise Refused("name_one_member", "Name one member of the chain: ticket, issue, part, conversation or account.")
    return given[0]


def _insist_on_member(kind: str, tickets: Sequence[Found], issues: Sequence[Found], parts: Sequence[Found]) -> None:
    """A conversation or account without a ticket is a chain of one, and not for us to deny."""
    found = {"ticket": tickets, "issue": issues, "part": parts}.get(kind)
    if found is not None and not found:
        raise Refused(f"{kind}_not_found", f"There is no {kind} of that number.")


async def _issues(tx: Tx, ids: Iterable[str], number: int | None) -> list[Found]:
    wanted = [UUID(one) for one in ids]
    if not wanted and number is None:
        return []
    rows = await tx.fetch(_ISSUES, wanted, number)
    return [
        {
            **(state := json.loads(row["state"]))["facts"],
            "original": state.get("original"),
            "weight": {"tickets": row["tickets"], "customers": row["customers"]},
            # Of a neighbour nobody asked who waits for it.
            "waiting": [] if row["steps"] else [watcher[0] for watcher in state.get("watchers", ())[:FEW]],
        }
        for row in rows
    ]


async def _parts(tx: Tx, ids: Iterable[str], number: int | None) -> list[Found]:
    wanted = [UUID(one) for one in ids]
    if not wanted and number is None:
        return []
    return [json.loads(row["state"])["facts"] for row in await tx.fetch(_PARTS, wanted, number)]


def _ticket(facts: Found) -> Found:
    return {
        **_named(facts, "title"),
        "stage": facts["stage"],
        "owner": facts.get("owner"),
        "part": facts["part"]["number"],
        "account": facts["account"]["name"] if facts.get("account") else None,
        "conversations": [one["number"] for one in facts.get("conversations", ())[:FEW]],
        "issues": [one["number"] for one in facts.get("issues", ())],
        "waits": [one["name"] for one in facts.get("waits", ())],
    }


def _issue(facts: Found) -> Found:
    relations = [{"kind": one["kind"], "issue": one["number"]} for one in facts.get("relations", ())[:FEW]]
    if facts["original"]:
        relations.append({"kind": "duplicates", "issue": facts["original"]["number"]})
    return {
        **_named(facts, "title"),
        "stage": facts["stage"],
        "owner": facts.get("owner"),
        "part": facts["part"]["number"],
        "confidential": facts.get("security") == "yes",
        "relations": relations,
        "weight": facts["weight"],
        "waiting": [one["number"] for one in facts["waiting"]],
    }


def _part(facts: Found, parts: Sequence[Found]) -> Found:
    parent = next((one["number"] for one in parts if one["id"] == facts.get("parent")), None)
    return {**_named(facts, "name"), "kind": facts["kind"], "parent": parent}


def _named(facts: Found, title: str) -> Found:
    return {
        "id": facts["id"],
        "number": facts["number"],
        title: facts[title][:120],
        "deleted": bool(facts.get("deleted")),
    }


def _conversations(tickets: Sequence[Found], issues: Sequence[Found]) -> Iterator[Found]:
    for ticket in tickets:
        yield from ticket.get("conversations", ())[:FEW]
    for issue in issues:
        yield from issue["waiting"]


def _each_once(found: Iterable[Found]) -> list[Found]:
    return list({one["id"]: one for one in found}.values())
