"""The floor in the database: loaded whole under the desk's lock, saved set-based, loads moved in the same statement."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from asyncpg import Record

from deskstream.contracts.facts import Stage
from deskstream.contracts.ids import AgentId, ConversationId, TeamId
from deskstream.contracts.routing import Availability
from deskstream.messaging import Tx
from deskstream.routing.domain import BY_RANK, RANKS, WINDOW, Agent, Assignment, Floor, Policy, Product, Team
from deskstream.routing.store import products

# A statement of its own: one that waits for the lock and reads more would read what held before it waited.
_LOCK = "SELECT rules_version FROM desk FOR UPDATE"

_STAFF = """
SELECT t.id AS team, t.structure, t.planned_owners, a.id, a.name, a.email, a.availability, a.capacity, a.load
FROM teams t
LEFT JOIN agents a ON a.team = t.id
"""

_ASSIGNMENTS = """
SELECT conversation_id, number, stage, weight, priority, since, choice, owner, team, handoffs, part, routed, held
FROM assignments
WHERE conversation_id = ANY($1::uuid[])
UNION ALL
SELECT w.conversation_id, w.number, w.stage, w.weight, w.priority, w.since, w.choice, w.owner, w.team, w.handoffs,
       w.part, w.routed, w.held
FROM teams t
CROSS JOIN LATERAL (
    SELECT conversation_id, number, stage, weight, priority, since, choice, owner, team, handoffs, part, routed, held
    FROM assignments
    WHERE team = t.id AND owner IS NULL AND routed AND stage IN ('new', 'needs_response')
    ORDER BY priority, since, number
    LIMIT $2
) w
"""

_SAVE_ASSIGNMENTS = """
WITH changed AS (
    SELECT conversation_id, number, stage, weight, priority, since, choice, owner, team, handoffs, part, routed, held
    FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::integer[], $5::smallint[], $6::timestamptz[],
                $7::smallint[], $8::text[], $9::text[], $10::integer[], $11::bigint[], $12::boolean[], $13::text[])
        AS c(conversation_id, number, stage, weight, priority, since, choice, owner, team, handoffs, part, routed,
             held)
), before AS (
    SELECT a.owner, a.weight
    FROM assignments a
    JOIN changed USING (conversation_id)
), saved AS (
    INSERT INTO assignments AS a
        (conversation_id, number, stage, weight, priority, since, choice, owner, team, handoffs, part, routed, held)
    SELECT conversation_id, number, stage, weight, priority, since, choice, owner, team, handoffs, part, routed, held
    FROM changed
    ON CONFLICT (conversation_id) DO UPDATE
    SET stage = excluded.stage,
        weight = excluded.weight,
        priority = excluded.priority,
        since = excluded.since,
        choice = excluded.choice,
        owner = excluded.owner,
        team = excluded.team,
        handoffs = excluded.handoffs,
        part = excluded.part,
        routed = excluded.routed,
        held = excluded.held
), moved AS (
    SELECT owner, sum(weight) AS weight
    FROM (
        SELECT owner, weight
        FROM changed
        UNION ALL
        SELECT owner, -weight
        FROM before
    ) m
    WHERE owner IS NOT NULL
    GROUP BY owner
    HAVING sum(weight) <> 0
)
UPDATE agents a
SET load = a.load + m.weight
FROM moved m
WHERE a.id = m.owner
"""

_SAVE_TEAMS = """
INSERT INTO teams (id, structure, planned_owners)
SELECT id, structure, planned_owners
FROM unnest($1::text[], $2::text[], $3::boolean[]) AS new(id, structure, planned_owners)
ON CONFLICT (id) DO UPDATE
SET structure = excluded.structure,
    planned_owners = excluded.planned_owners
"""

# A new agent may own something already; a known one's load is moved where assignments are saved.
_SAVE_AGENTS = """
INSERT INTO agents (id, name, email, team, availability, capacity, load)
SELECT n.id, n.name, n.email, n.team, n.availability, n.capacity, (
    SELECT coalesce(sum(weight), 0)
    FROM assignments
    WHERE owner = n.id
)
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::integer[])
    AS n(id, name, email, team, availability, capacity)
ON CONFLICT (id) DO UPDATE
SET name = excluded.name,
    email = excluded.email,
    team = excluded.team,
    availability = excluded.availability,
    capacity = excluded.capacity
"""

_CARRIED = """
SELECT owner, sum(weight) AS weight
FROM assignments
WHERE owner = ANY($1::text[])
GROUP BY owner
"""


async def lock(tx: Tx) -> int:
    """Waits until nobody else decides about owners or rules; returns the version of the rules."""
    version: int = await tx.fetchval(_LOCK)
    return version


async def load(tx: Tx, conversations: Sequence[UUID], policy: Policy) -> Floor:
    """The floor with these conversations on it, as far as they are known, and the first of each queue."""
    await lock(tx)
    staff = await tx.fetch(_STAFF)
    rows = await tx.fetch(_ASSIGNMENTS, conversations, WINDOW)
    teams = {row["team"]: Team(row["structure"], row["planned_owners"]) for row in staff}
    assignments = {row["conversation_id"]: _assignment(row) for row in rows}
    waiting = {known: assignment for known, assignment in assignments.items() if assignment.waits}
    return Floor(
        policy=policy,
        agents={row["id"]: _agent(row) for row in staff if row["id"] is not None},
        teams=teams,
        product=await products.load(tx) if any(team.shares_parts for team in teams.values()) else Product(),
        assignments=assignments,
        waiting=waiting,
        overflowing=_overflowing(waiting.values()),
    )


async def save(tx: Tx, loaded: Floor, floor: Floor) -> None:
    """Writes what differs from what was loaded."""
    teams = [
        (team, settings.structure, settings.planned_owners)
        for team, settings in floor.teams.items()
        if loaded.teams.get(team) != settings
    ]
    if teams:
        await tx.execute(_SAVE_TEAMS, *_columns(teams))
    await products.save(tx, loaded.product, floor.product)
    await _save_assignments(tx, _changed(loaded, floor))
    agents = [agent for agent in floor.agents.values() if _resaved(loaded.agents.get(agent.id), agent)]
    if agents:
        await tx.execute(_SAVE_AGENTS, *_columns(_agent_values(agent) for agent in agents))


async def carried(tx: Tx, agents: Sequence[AgentId]) -> dict[AgentId, int]:
    """What these people own already, known to routing or not."""
    return {row["owner"]: int(row["weight"]) for row in await tx.fetch(_CARRIED, agents)}


def _changed(loaded: Floor, floor: Floor) -> list[Assignment]:
    before = loaded.assignments
    changed = [now for known, now in floor.assignments.items() if before.get(known) is not now]
    changed.sort(key=lambda assignment: assignment.conversation_id)
    return changed


async def _save_assignments(tx: Tx, changed: Sequence[Assignment]) -> None:
    if changed:
        await tx.execute(_SAVE_ASSIGNMENTS, *_columns(_values(assignment) for assignment in changed))


def _columns(rows: Iterable[Sequence[object]]) -> list[tuple[object, ...]]:
    return list(zip(*rows, strict=True))


def _resaved(before: Agent | None, now: Agent) -> bool:
    return before is None or _agent_values(before) != _agent_values(now)


def _overflowing(waiting: Iterable[Assignment]) -> frozenset[TeamId]:
    counts: dict[TeamId, int] = {}
    for assignment in waiting:
        if assignment.team is not None:
            counts[assignment.team] = counts.get(assignment.team, 0) + 1
    return frozenset(team for team, count in counts.items() if count >= WINDOW)


def _assignment(row: Record) -> Assignment:
    return Assignment(
        conversation_id=ConversationId(row["conversation_id"]),
        number=row["number"],
        stage=Stage(row["stage"]),
        weight=row["weight"],
        priority=BY_RANK[row["priority"]],
        since=row["since"],
        choice=None if row["choice"] is None else BY_RANK[row["choice"]],
        owner=row["owner"],
        team=row["team"],
        handoffs=row["handoffs"],
        part=row["part"],
        routed=row["routed"],
        held=row["held"],
    )


def _values(assignment: Assignment) -> tuple[object, ...]:
    return (
        assignment.conversation_id,
        assignment.number,
        assignment.stage.value,
        assignment.weight,
        RANKS[assignment.priority],
        assignment.since,
        None if assignment.choice is None else RANKS[assignment.choice],
        assignment.owner,
        assignment.team,
        assignment.handoffs,
        assignment.part,
        assignment.routed,
        assignment.held,
    )


def _agent(row: Record) -> Agent:
    return Agent(
        id=row["id"],
        name=row["name"],
        email=row["email"],
        team=row["team"],
        availability=Availability(row["availability"]),
        capacity=row["capacity"],
        load=row["load"],
    )


def _agent_values(agent: Agent) -> tuple[object, ...]:
    return (agent.id, agent.name, agent.email, agent.team, agent.availability.value, agent.capacity)
