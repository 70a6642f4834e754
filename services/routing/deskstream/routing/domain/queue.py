"""Who waits, who is free, and who gets whom the moment capacity frees."""

from datetime import datetime

from deskstream.contracts.ids import AgentId, TeamId
from deskstream.contracts.routing import Cause, OwnerChosen
from deskstream.routing.domain.choosing import choose
from deskstream.routing.domain.floor import WINDOW, Assignment, Floor, order
from deskstream.routing.domain.hearing import evolve
from deskstream.routing.domain.record import Pick, Trail
from deskstream.routing.domain.team import choose_member, free_teams, preferred


def next_up(floor: Floor, team: TeamId) -> Assignment | None:
    """The waiting conversation of this team that is next; None when none waits."""
    return min((waiting for waiting in floor.waiting.values() if waiting.team == team), key=order, default=None)


def drain(floor: Floor, now: datetime) -> list[OwnerChosen]:
    """Gives what waits to whoever is free, in order, and at most `WINDOW` at once."""
    said: list[OwnerChosen] = []
    while floor.waiting and len(said) < WINDOW and (chosen := _assign_next(floor, now)):
        said.append(chosen)
        floor = evolve(floor, chosen)
    return said


def unfinished(floor: Floor) -> bool:
    """Whether somebody is free for conversations that wait beyond what this floor was told."""
    if not floor.overflowing:
        return False
    known = {waiting.team for waiting in floor.waiting.values()}
    return bool((floor.overflowing - known) & free_teams(floor))


def _assign_next(floor: Floor, now: datetime) -> OwnerChosen | None:
    for team in sorted(free_teams(floor)):
        head = next_up(floor, team)
        if head is not None and (chosen := _assign(floor, team, head, now)):
            return chosen
    return _assign_to_preferred(floor, now)


def _assign_to_preferred(floor: Floor, now: datetime) -> OwnerChosen | None:
    """Where nobody of the crew is free, an expert or owner of another team may be."""
    for waiting in sorted((one for one in floor.waiting.values() if one.part is not None), key=order):
        team = waiting.team
        if team is None or not any(_takes(floor, who.agent, waiting) for who in preferred(floor, team, waiting.part)):
            continue
        return _assign(floor, team, waiting, now)
    return None


def _takes(floor: Floor, who: AgentId, waiting: Assignment) -> bool:
    agent = floor.agents.get(who)
    return agent is not None and agent.takes(waiting.weight)


def _assign(floor: Floor, team: TeamId, head: Assignment, now: datetime) -> OwnerChosen | None:
    trail = Trail()
    chosen = choose_member(floor, trail, team, head.weight, head.part)
    if chosen is None:
        return None
    trail.inputs |= {
        "team": team,
        "priority": head.priority.value,
        "waiting_since": head.since.isoformat(),
        "waiting": str(sum(waiting.team == team for waiting in floor.waiting.values())),
    }
    trail.decided(Cause.CAPACITY_FREED, f"first in the queue of {team}: by priority, then waiting longest")
    reason = f"{chosen.agent.name} has capacity and {chosen.why}, and this was next in the queue."
    return choose(head, Pick(Cause.CAPACITY_FREED, chosen.agent.id, team, reason), trail, now)
