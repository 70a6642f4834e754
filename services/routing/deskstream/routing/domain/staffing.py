"""Agents and teams as people set them."""

from datetime import datetime

from deskstream.contracts import Refused
from deskstream.contracts.ids import TeamId
from deskstream.contracts.routing import AgentSaved, Availability, SaveAgent, SaveTeam, TeamSaved
from deskstream.routing.domain.floor import Agent, Floor


def save_team(asked: SaveTeam, now: datetime) -> TeamSaved:
    return TeamSaved(at=now, team_id=asked.team, structure=asked.structure, planned_owners=asked.planned_owners)


def save_agent(floor: Floor, asked: SaveAgent, carried: int, now: datetime) -> AgentSaved:
    """A new one, or the fields given of a known one."""
    known = floor.agents.get(asked.agent) or _new(floor, asked, carried)
    return AgentSaved(
        at=now,
        agent_id=asked.agent,
        name=asked.name or known.name,
        email=asked.email or known.email,
        team=_known_team(floor, asked.team or known.team),
        availability=asked.availability or known.availability,
        capacity=known.capacity if asked.capacity is None else asked.capacity,
        load=known.load,
    )


def _new(floor: Floor, asked: SaveAgent, carried: int) -> Agent:
    return Agent(
        id=asked.agent,
        name=asked.agent,
        email=None,
        team=floor.policy.team,
        availability=Availability.AVAILABLE,
        capacity=floor.policy.capacity,
        load=carried,
    )


def _known_team(floor: Floor, team: TeamId) -> TeamId:
    if team not in floor.teams:
        raise Refused("unknown_team", f"There is no team “{team}”. Save the team first.", teams=sorted(floor.teams))
    return team
