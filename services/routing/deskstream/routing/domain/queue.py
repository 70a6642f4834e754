"""Who waits, who is free, and who gets whom the moment capacity frees."""

from datetime import datetime

from deskstream.contracts.ids import TeamId
from deskstream.contracts.routing import Cause, OwnerChosen
from deskstream.routing.domain.choosing import choose
from deskstream.routing.domain.floor import WINDOW, Agent, Assignment, Floor, order
from deskstream.routing.domain.hearing import evolve
from deskstream.routing.domain.record import Pick, Trail
from deskstream.routing.domain.team import compare, free_teams, least_loaded


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
        head, agent = next_up(floor, team), least_loaded(floor, team)
        if head is not None and agent is not None and agent.takes(head.weight):
            return _assigned(floor, head, agent, now)
    return None


def _assigned(floor: Floor, head: Assignment, agent: Agent, now: datetime) -> OwnerChosen:
    trail = Trail()
    trail.inputs = {
        "team": agent.team,
        "priority": head.priority,
        "waiting_since": head.since.isoformat(),
        "waiting": str(sum(waiting.team == agent.team for waiting in floor.waiting.values())),
    }
    trail.decided(Cause.CAPACITY_FREED, f"first in the queue of {agent.team}: by priority, then waiting longest")
    compare(floor, trail, agent.team, head.weight)
    reason = f"{agent.name} of {agent.team} has capacity again, and this was next in the queue."
    return choose(head, Pick(Cause.CAPACITY_FREED, agent.id, agent.team, reason), trail, now)
