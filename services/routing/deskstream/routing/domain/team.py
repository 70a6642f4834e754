"""The structure of a team: chaos, where the least loaded available agent takes what comes."""

from deskstream.contracts.ids import TeamId
from deskstream.routing.domain.floor import Agent, Floor
from deskstream.routing.domain.record import Trail, obstacle


def members(floor: Floor, team: TeamId) -> list[Agent]:
    """Least loaded first; the handle breaks ties, so that the same floor always gives the same owner."""
    found = [agent for agent in floor.agents.values() if agent.team == team]
    found.sort(key=lambda agent: (agent.load, agent.id))
    return found


def free_teams(floor: Floor) -> set[TeamId]:
    """Teams of which somebody can take one more."""
    return {agent.team for agent in floor.agents.values() if agent.takes(1)}


def least_loaded(floor: Floor, team: TeamId, weight: int = 1) -> Agent | None:
    """Whom the team's structure names; None when nobody can take it."""
    return next((agent for agent in members(floor, team) if agent.takes(weight)), None)


def compare(floor: Floor, trail: Trail, team: TeamId, weight: int) -> Agent | None:
    """`least_loaded`, with why the others were passed over."""
    best: Agent | None = None
    for agent in members(floor, team):
        why = obstacle(agent, weight)
        if why is None and best is None:
            best = agent
            trail.chose(agent.id, f"is free and carries least: {agent.load} of {agent.capacity}")
        elif why is None and best is not None:
            trail.passed_over(agent.id, _behind(agent, best))
        elif why is not None:
            trail.passed_over(agent.id, why)
    return best


def _behind(agent: Agent, best: Agent) -> str:
    if agent.load == best.load:
        return f"carries {agent.load} of {agent.capacity} too; {best.id} comes first by handle"
    return f"carries {agent.load} of {agent.capacity}; {best.name} carries {best.load}"
