"""Which tickets, issues and parts hang together with a member of a chain, each found by an index."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID

from deskstream.messaging import Tx
from deskstream.ticketing.store.fitting import FEW

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
SELECT t.state
FROM parts_below((SELECT id FROM parts WHERE number = $1)) AS part
CROSS JOIN LATERAL (
    SELECT number, state
    FROM tickets
    WHERE (part_id, number) > (part, 0) AND (part_id, number) <= (part, 9223372036854775807) AND NOT deleted
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

_TICKETS: Final = {
    "ticket": "SELECT state FROM tickets WHERE number = $1 LIMIT $2",
    "issue": _OF_ISSUE,
    "part": _OF_PART,
    "conversation": _OF_CONVERSATION,
    "account_id": _OF_ACCOUNT,
}

_WAITED_FOR = """
SELECT issue_id AS id
FROM issue_waiters
WHERE number = $1
ORDER BY issue_id
LIMIT $2
"""

_HUNG_ON = """
SELECT i.id
FROM parts_below((SELECT id FROM parts WHERE number = $1)) AS part
JOIN issues i ON i.part_id = part AND NOT i.deleted
ORDER BY i.id
LIMIT $2
"""

_WITHOUT_TICKET: Final = {"conversation": _WAITED_FOR, "part": _HUNG_ON}

_CHILDREN = """
SELECT p.id
FROM parts top
JOIN parts p ON p.parent = top.id AND NOT p.deleted
WHERE top.number = $1
ORDER BY p.number
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
LIMIT $3
"""

_PARTS = """
SELECT state
FROM parts_above($1::uuid[] || ARRAY(SELECT id FROM parts WHERE number = $2))
ORDER BY number
LIMIT $3
"""

MOST_ISSUES: Final = 100
"""Of one chain, neighbours among them."""
MOST_PARTS: Final = 400
"""All that are above any of them among them."""

Found = dict[str, Any]


async def tickets(tx: Tx, kind: str, value: Any, limit: int) -> list[Found]:
    """The newest that hang on a member, or it itself."""
    return [json.loads(row["state"])["facts"] for row in await tx.fetch(_TICKETS[kind], value, limit)]


async def issues_without_ticket(tx: Tx, kind: str, value: Any, limit: int) -> list[str]:
    """Issues that hang on a member although no ticket of its may: their ids."""
    statement = _WITHOUT_TICKET.get(kind)
    return [str(row["id"]) for row in await tx.fetch(statement, value, limit)] if statement else []


async def child_parts(tx: Tx, number: int, limit: int) -> list[str]:
    """The ids of the parts directly below one."""
    return [str(row["id"]) for row in await tx.fetch(_CHILDREN, number, limit)]


async def issues(tx: Tx, ids: Iterable[str], number: int | None) -> tuple[list[Found], bool]:
    """These, their originals, and what they block or relate to; and whether there are more than are shown."""
    wanted = [UUID(one) for one in ids]
    if not wanted and number is None:
        return [], False
    rows = await tx.fetch(_ISSUES, wanted, number, MOST_ISSUES + 1)
    found = [
        {
            **(state := json.loads(row["state"]))["facts"],
            "original": state.get("original"),
            "weight": {"tickets": row["tickets"], "customers": row["customers"]},
            # Of a neighbour nobody asked who waits for it.
            "waiting": [] if row["steps"] else [watcher[0] for watcher in state.get("watchers", ())[:FEW]],
        }
        for row in rows[:MOST_ISSUES]
    ]
    return found, len(rows) > MOST_ISSUES


async def parts(tx: Tx, ids: Sequence[str], number: int | None) -> tuple[list[Found], bool]:
    """These, and all above them; and whether there are more than are shown."""
    wanted = [UUID(one) for one in ids]
    if not wanted and number is None:
        return [], False
    rows = await tx.fetch(_PARTS, wanted, number, MOST_PARTS + 1)
    return [json.loads(row["state"])["facts"] for row in rows[:MOST_PARTS]], len(rows) > MOST_PARTS
