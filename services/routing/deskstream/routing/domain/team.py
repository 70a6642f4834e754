"""The structures of a team (R3, R4): who of the people behind a part comes first, and who shares all else."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple, assert_never

from deskstream.contracts.ids import AgentId, TeamId
from deskstream.contracts.routing import Availability, Candidate
from deskstream.routing.domain.floor import Agent, Floor, Team
from deskstream.routing.domain.product import Part
from deskstream.routing.domain.record import LINES_KEPT, Trail, candidate, obstacle

CANDIDATES_KEPT = 50
"""Of a larger team those who come first, so that a record stays far below the largest message."""


class Preferred(NamedTuple):
    """Somebody whom the team's structure asks before all who share its load."""

    agent: AgentId
    why: str


class Chosen(NamedTuple):
    """Who takes it, and what speaks for them: "is first expert of PART-9 Exports"."""

    agent: Agent
    why: str


def team_of(floor: Floor, team: TeamId) -> Team:
    """Its settings; a team that nobody set up is a plain one."""
    return floor.teams.get(team, Team())


def crew(floor: Floor, team: TeamId) -> list[Agent]:
    """Who shares the team's load: its members; where it says so, those who own a part, or a planned part."""
    settings = team_of(floor, team)
    others: frozenset[AgentId] = frozenset()
    if settings.structure == "part_owners":
        others |= floor.product.owners
    if settings.planned_owners:
        others |= floor.product.planned_owners
    return [agent for agent in floor.agents.values() if agent.team == team or agent.id in others]


def preferred(floor: Floor, team: TeamId, part: int | None) -> list[Preferred]:
    """Whom the structure asks first about this part, in order."""
    structure = team_of(floor, team).structure
    if part is None:
        return []
    match structure:
        case "chaos":
            return []
        case "product_centric":
            return list(_experts(floor.product.with_experts(part)))
        case "part_owners":
            return list(_owners(floor, floor.product.with_owners(part)))
        case _:
            assert_never(structure)


def _experts(part: Part | None) -> Iterator[Preferred]:
    if part is not None:
        for agent, which in ((part.first_expert, "first"), (part.second_expert, "second")):
            if agent is not None:
                yield Preferred(agent, f"is {which} expert of {part.title}")


def _owners(floor: Floor, part: Part | None) -> Iterator[Preferred]:
    """Whoever of them carries least first; those whom routing does not know last, so that the record names them."""
    if part is not None:
        known = [floor.agents[owner] for owner in part.owners if owner in floor.agents]
        least = [agent.id for agent in sorted(known, key=lambda agent: (agent.load, agent.id))]
        for owner in dict.fromkeys((*least, *part.owners)):
            yield Preferred(owner, f"owns {part.title}")


def ranked(floor: Floor, team: TeamId, weight: int) -> list[Agent]:
    """Who shares its load: who can take this much before who cannot, then the least loaded; the handle breaks ties, so
    that the same floor always gives the same owner."""
    return sorted(crew(floor, team), key=lambda agent: (not agent.takes(weight), agent.load, agent.id))


def free_teams(floor: Floor) -> set[TeamId]:
    """Teams of whose crew somebody can take one more."""
    free = {agent.team for agent in floor.agents.values() if agent.takes(1)}
    shared = {team for team, settings in floor.teams.items() if settings.shares_parts and team not in free}
    return free | {team for team in shared if any(agent.takes(1) for agent in crew(floor, team))}


def choose_member(floor: Floor, trail: Trail, team: TeamId, weight: int, part: int | None) -> Chosen | None:
    """Whom the team's structure names, and in `trail` why not the others; None when nobody can take it."""
    members = ranked(floor, team, weight)
    if (first := choose_preferred(floor, trail, preferred(floor, team, part), weight)) is not None:
        for agent in members[:CANDIDATES_KEPT]:
            if agent.takes(weight):
                trail.passed_over(agent.id, f"is free, but {first.agent.name} {first.why}")
        compare(trail, members, weight)
        return first
    best = members[0] if members and members[0].takes(weight) else None
    compare(trail, members if best is None else members[1:], weight)
    if best is None:
        return None
    trail.chose(best.id, f"is free and carries least: {best.load} of {best.capacity}")
    return Chosen(best, f"carries least of those of {team} who are free")


def choose_preferred(floor: Floor, trail: Trail, asked: Sequence[Preferred], weight: int) -> Chosen | None:
    """The first of them who can take it, and in `trail` why not those before."""
    for who, why in asked:
        agent = floor.agents.get(who)
        why_not = obstacle(agent, weight)
        if agent is not None and why_not is None:
            trail.chose(agent.id, why)
            return Chosen(agent, why)
        trail.passed_over(who, f"{why}, but {why_not}")
    return None


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
