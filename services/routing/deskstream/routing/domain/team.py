"""The structure of a team: chaos, where the least loaded available agent takes what comes."""

from functools import lru_cache

from deskstream.contracts.ids import AgentId, TeamId
from deskstream.contracts.routing import Availability, Candidate
from deskstream.routing.domain.floor import Agent, Floor
from deskstream.routing.domain.record import LINES_KEPT, Trail, candidate, obstacle

CANDIDATES_KEPT = 50
"""Of a larger team those who come first, so that a record stays far below the largest message."""


def ranked(floor: Floor, team: TeamId, weight: int) -> list[Agent]:
    """Its members: who can take this much before who cannot, then the least loaded; the handle breaks ties, so that
    the same floor always gives the same owner."""
    members = [agent for agent in floor.agents.values() if agent.team == team]
    members.sort(key=lambda agent: (not agent.takes(weight), agent.load, agent.id))
    return members


def free_teams(floor: Floor) -> set[TeamId]:
    """Teams of which somebody can take one more."""
    return {agent.team for agent in floor.agents.values() if agent.takes(1)}


def choose_member(floor: Floor, trail: Trail, team: TeamId, weight: int) -> Agent | None:
    """Whom the team's structure names, and in `trail` why not the others; None when nobody can take it."""
    members = ranked(floor, team, weight)
    best = members[0] if members and members[0].takes(weight) else None
    compare(trail, members if best is None else members[1:], weight)
    if best is not None:
        trail.chose(best.id, f"is free and carries least: {best.load} of {best.capacity}")
    return best


def compare(trail: Trail, members: list[Agent], weight: int) -> None:
    """Why none of these."""
    for agent in members[:CANDIDATES_KEPT]:
        as_is = (agent.availability, agent.load, agent.capacity)
        trail.candidates.setdefault(agent.id, _line(agent.id, as_is, weight))
    if len(members) > CANDIDATES_KEPT:
        left_out = len(members) - CANDIDATES_KEPT
        trail.inputs["candidates_left_out"] = f"{left_out}, each away, full or with more to carry"


# Most of a team is as it was at the decision before.
@lru_cache(maxsize=LINES_KEPT)
def _line(handle: AgentId, as_is: tuple[Availability, int, int], weight: int) -> Candidate:
    availability, load, capacity = as_is
    agent = Agent(handle, handle, None, TeamId(""), availability, capacity, load)
    free = f"is free, but carries {load} of {capacity}: the least load wins, then the handle"
    return candidate(handle, False, obstacle(agent, weight) or free)
