"""What decisions look up in other objects, for a whole batch at once."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from deskstream.contracts.chain_facts import PartFacts, PartRef
from deskstream.contracts.ids import AgentId, IssueId, PartId, TicketId
from deskstream.contracts.linked import IssueRef
from deskstream.messaging import Tx
from deskstream.ticketing.domain.issue.changing import shown
from deskstream.ticketing.domain.part.people import HANGING, in_the_way, spokespeople
from deskstream.ticketing.store import issues, parts

# Shared with whoever else hangs work on them, in other replicas; whoever deletes one waits for these, or they for him.
# In this one he is not in the same transaction: what deletes or moves parts runs alone.
_PARTS = """
SELECT id, default_since, state
FROM parts
WHERE (id = ANY($1::uuid[]) OR default_since IS NOT NULL) AND NOT deleted
ORDER BY id
FOR SHARE
"""

_ISSUES = "SELECT state FROM issues WHERE id = ANY($1::uuid[])"

_PEOPLE = """
WITH RECURSIVE up AS (
    SELECT asked.id AS asked, p.parent, p.state, 0 AS steps
    FROM unnest($1::uuid[]) AS asked (id)
    LEFT JOIN issues i ON i.id = asked.id
    JOIN parts p ON p.id = coalesce(i.part_id, asked.id)
    UNION ALL
    SELECT up.asked, p.parent, p.state, up.steps + 1
    FROM up
    JOIN parts p ON p.id = up.parent
    WHERE up.steps < 100
)
SELECT asked, state
FROM up
ORDER BY asked, steps
"""

# Links between issues are made by one transaction at a time: two halves of a circle must see each other. So are moves
# of parts, and default ones.
_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtext('ticketing'), $1)"
ISSUES_AT_A_TIME, PARTS_AT_A_TIME = 1, 2

_BLOCKERS = """
WITH RECURSIVE up AS (
    SELECT other_id, issue_id
    FROM issue_relations
    WHERE other_id = ANY($1::uuid[]) AND kind = 'blocks'
    UNION
    SELECT r.other_id, r.issue_id
    FROM up
    JOIN issue_relations r ON r.other_id = up.issue_id AND r.kind = 'blocks'
)
SELECT other_id, issue_id
FROM up
"""

_ORIGINALS = """
WITH RECURSIVE up AS (
    SELECT id, duplicate_of
    FROM issues
    WHERE id = ANY($1::uuid[])
    UNION
    SELECT i.id, i.duplicate_of
    FROM up
    JOIN issues i ON i.id = up.duplicate_of
)
SELECT id, duplicate_of
FROM up
"""

_DEFAULTS = "SELECT id FROM parts WHERE default_since IS NOT NULL ORDER BY default_since"

_PARENTS = "SELECT id, parent FROM parts WHERE id = ANY($1::uuid[]) AND parent IS NOT NULL"

# As above, for what is put below a part.
_SHARE_PARTS = "SELECT id FROM parts WHERE id = ANY($1::uuid[]) ORDER BY id FOR SHARE"

_ABOVE = "SELECT id, state FROM parts_above($1)"

_LOCK_PARTS = "SELECT id FROM parts WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE"

_HANGING = """
SELECT
    asked.id,
    (SELECT count(*) FROM parts p WHERE p.parent = asked.id AND NOT p.deleted) AS parts,
    (
        SELECT count(*)
        FROM tickets t
        WHERE t.part_id = asked.id AND NOT t.deleted AND t.stage = ANY($2::text[])
    ) AS tickets,
    (
        SELECT count(*)
        FROM issues i
        WHERE i.part_id = asked.id AND NOT i.deleted AND i.stage = ANY($3::text[])
    ) AS issues
FROM unnest($1::uuid[]) AS asked(id)
"""

_PARTS_OF_TICKETS = "SELECT id, part_id FROM tickets WHERE id = ANY($1::uuid[])"
_PARTS_OF_ISSUES = "SELECT id, part_id FROM issues WHERE id = ANY($1::uuid[])"

_TICKETS_BY_NUMBER = "SELECT number, id FROM tickets WHERE number = ANY($1::bigint[])"
_ISSUES_BY_NUMBER = "SELECT number, id FROM issues WHERE number = ANY($1::bigint[])"


async def parts_for(tx: Tx, asked: Sequence[PartId | None]) -> list[PartRef | None]:
    """The part of each, the default one for None; None for one that does not exist."""
    rows = await tx.fetch(_PARTS, [one for one in asked if one is not None])
    found = {row["id"]: _ref(parts.read(row["state"]).facts) for row in rows}
    since = [(row["default_since"], row["id"]) for row in rows if row["default_since"] is not None]
    default = found[max(since)[1]] if since else None
    return [default if one is None else found.get(one) for one in asked]


async def default_parts(tx: Tx) -> list[PartId]:
    """The part where intake goes that names none; before it, those that did not yet hear that they are it no more."""
    return [row["id"] for row in await tx.fetch(_DEFAULTS)]


async def parts_of_tickets(tx: Tx, asked: Sequence[TicketId]) -> dict[TicketId, PartId]:
    """Ticket -> its part, deleted or not."""
    return {row["id"]: row["part_id"] for row in await tx.fetch(_PARTS_OF_TICKETS, asked)}


async def parts_of_issues(tx: Tx, asked: Sequence[IssueId]) -> dict[IssueId, PartId]:
    """Issue -> its part, deleted or not."""
    return {row["id"]: row["part_id"] for row in await tx.fetch(_PARTS_OF_ISSUES, asked)}


async def issue_refs(tx: Tx, asked: Iterable[IssueId | None]) -> dict[IssueId, IssueRef]:
    """What may be known of these issues, of those that exist."""
    wanted = [one for one in asked if one is not None]
    if not wanted:
        return {}
    found = [issues.read(row["state"]).facts for row in await tx.fetch(_ISSUES, wanted)]
    return {facts.id: shown(facts) for facts in found}


async def people_for(tx: Tx, asked: Iterable[IssueId | PartId]) -> dict[UUID, tuple[AgentId, ...]]:
    """Who speaks for each part, or for the part of each issue."""
    upwards: dict[UUID, list[PartFacts]] = {}
    for one, state in await tx.fetch(_PEOPLE, list(set(asked))):
        upwards.setdefault(one, []).append(parts.read(state).facts)
    return {one: spokespeople(found) for one, found in upwards.items()}


async def one_at_a_time(tx: Tx, what: int) -> None:
    """Waits until nobody else makes links of a kind."""
    await tx.execute(_ONE_AT_A_TIME, what)


async def blockers(tx: Tx, asked: Sequence[IssueId]) -> dict[IssueId, set[IssueId]]:
    """Issue -> those that block it directly, of these and of all that block them by any way."""
    direct: dict[IssueId, set[IssueId]] = {}
    for blocked, by in await tx.fetch(_BLOCKERS, asked):
        direct.setdefault(blocked, set()).add(by)
    return direct


async def originals(tx: Tx, asked: Sequence[IssueId]) -> dict[IssueId, IssueId | None]:
    """Issue -> what it repeats, of these and of all that they repeat."""
    return {row["id"]: row["duplicate_of"] for row in await tx.fetch(_ORIGINALS, asked)}


async def parents_of(tx: Tx, asked: Sequence[PartId]) -> dict[PartId, PartId]:
    """Part -> the one that it stands below, of those that stand below any."""
    return {row["id"]: row["parent"] for row in await tx.fetch(_PARENTS, asked)}


async def parts_above(tx: Tx, asked: Sequence[PartId]) -> dict[PartId, PartFacts]:
    """These parts, and all above them. Nobody deletes one meanwhile."""
    await tx.fetch(_SHARE_PARTS, asked)
    return {row["id"]: parts.read(row["state"]).facts for row in await tx.fetch(_ABOVE, asked)}


async def hanging_on(tx: Tx, asked: Sequence[PartId]) -> dict[PartId, tuple[str, ...]]:
    """What stands in the way of deleting each of these parts. No other replica hangs more on them meanwhile."""
    await tx.fetch(_LOCK_PARTS, asked)
    rows = await tx.fetch(_HANGING, asked, *([stage.value for stage in kind] for kind in HANGING))
    return {row["id"]: in_the_way(row["parts"], row["tickets"], row["issues"]) for row in rows}


async def tickets_numbered(tx: Tx, numbers: Sequence[int]) -> dict[int, TicketId]:
    """Number -> id."""
    return {row["number"]: row["id"] for row in await tx.fetch(_TICKETS_BY_NUMBER, numbers)}


async def issues_numbered(tx: Tx, numbers: Sequence[int]) -> dict[int, IssueId]:
    """Number -> id."""
    return {row["number"]: row["id"] for row in await tx.fetch(_ISSUES_BY_NUMBER, numbers)}


def _ref(facts: PartFacts) -> PartRef:
    return PartRef(id=facts.id, number=facts.number, name=facts.name, kind=facts.kind)
