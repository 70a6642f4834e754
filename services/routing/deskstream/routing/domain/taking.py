"""What people decide themselves: claim, hand over, next up, and the first reply that picks a conversation up."""

from datetime import datetime
from typing import NamedTuple

from deskstream.contracts import Refused
from deskstream.contracts.facts import ConversationFacts, Stage
from deskstream.contracts.ids import AgentId, ConversationId
from deskstream.contracts.routing import Cause, Claim, HandOver, NextUp, OwnerChosen
from deskstream.routing.domain.choosing import choose
from deskstream.routing.domain.floor import Agent, Assignment, Floor
from deskstream.routing.domain.priority import priority_of
from deskstream.routing.domain.queue import next_up
from deskstream.routing.domain.record import Pick, Trail, names, worded

OUT_OF_REACH = frozenset({Stage.SUSPENDED, Stage.ARCHIVED})


class Because(NamedTuple):
    """Which decision of a person, in their words."""

    cause: Cause
    reason: str


def claim(floor: Floor, asked: Claim, now: datetime) -> OwnerChosen:
    """Takes what nobody owns."""
    case = _reachable(floor, asked.conversation_id)
    agent = _able(floor, asked.agent, case.weight)
    if case.owner is not None:
        raise Refused(
            "already_owned",
            f"CONV-{case.number} is {names(floor.agents, case.owner)}'s. Ask for a hand-over instead.",
            owner=case.owner,
        )
    return _taken(case, agent, Because(Cause.CLAIMED, f"{agent.name} claimed it."), now)


def hand_over(floor: Floor, asked: HandOver, actor: AgentId | None, now: datetime) -> OwnerChosen:
    """From one person to another is counted, with the reason; from nobody it is not."""
    case = _reachable(floor, asked.conversation_id)
    agent = _able(floor, asked.to, case.weight)
    if case.owner == agent.id:
        raise Refused("already_theirs", f"CONV-{case.number} is {agent.name}'s already.", owner=agent.id)
    by = f"{names(floor.agents, actor)} handed it over" if actor else "It was handed over"
    return _taken(case, agent, Because(Cause.HANDED_OVER, f"{by} to {agent.name}: {asked.reason}"), now)


def take_next(floor: Floor, asked: NextUp, now: datetime) -> OwnerChosen:
    """Claims the first in the queue of the agent's team."""
    agent = _able(floor, asked.agent, 1)
    case = next_up(floor, agent.team)
    if case is None:
        raise Refused("nothing_waits", f"Nothing waits in the queue of {agent.team}.", team=agent.team)
    _able(floor, asked.agent, case.weight)
    why = f"{agent.name} asked for the next, and this was first in the queue."
    return _taken(case, agent, Because(Cause.NEXT_UP, why), now)


def pick_up(floor: Floor, facts: ConversationFacts, author: AgentId, now: datetime) -> OwnerChosen:
    """The first public reply to an unowned conversation. It has happened, so neither load nor absence stands against
    it; also not that routing was never told of this agent."""
    case, agent = floor.assignments[facts.id], floor.agents.get(author)
    trail = Trail()
    priority = priority_of(facts, case, None, floor.policy).priority
    trail.inputs = {"stage": facts.stage.value, "load": _load(agent)}
    name = names(floor.agents, author)
    trail.decided(Cause.FIRST_REPLY, f"{name} was the first to answer, and nobody owned it")
    trail.chose(author, "was the first to answer")
    team = agent.team if agent else case.team or floor.policy.team
    pick = Pick(Cause.FIRST_REPLY, author, team, f"{name} was the first to answer.")
    return choose(case, pick, trail, now, priority=priority)


def _taken(case: Assignment, agent: Agent, because: Because, now: datetime) -> OwnerChosen:
    trail = Trail()
    trail.inputs = {
        "stage": case.stage.value,
        "owner_before": case.owner or "nobody",
        "load": _load(agent),
        "waiting_since": case.since.isoformat(),
    }
    trail.decided(because.cause, because.reason)
    trail.chose(agent.id, because.reason)
    if case.owner is not None:
        trail.passed_over(case.owner, "had it before")
    return choose(case, Pick(because.cause, agent.id, agent.team, because.reason), trail, now)


def _load(agent: Agent | None) -> str:
    return f"{agent.load} of {agent.capacity}" if agent else "unknown"


def _reachable(floor: Floor, conversation: ConversationId) -> Assignment:
    case = floor.assignments.get(conversation)
    if case is None:
        raise Refused("unknown_conversation", "Routing knows no such conversation.")
    if case.stage in OUT_OF_REACH:
        raise Refused(
            "not_open", f"CONV-{case.number} is {case.stage.value}; nobody can take it.", stage=case.stage.value
        )
    return case


def _able(floor: Floor, who: AgentId, weight: int) -> Agent:
    """Busy is no hindrance to what a person decides; being away, or full, is."""
    agent = floor.agents.get(who)
    if agent is None:
        raise Refused("unknown_agent", "Routing knows no such agent. Save the agent first.", agent=who)
    if agent.gone:
        state = worded(agent.availability)
        raise Refused("agent_away", f"{agent.name} is {state}. Change the availability first.", agent=agent.id)
    if agent.load + weight > agent.capacity:
        raise Refused(
            "over_capacity",
            f"{agent.name} carries {agent.load} of {agent.capacity}. Answer or hand over something first.",
            agent=agent.id, load=agent.load, capacity=agent.capacity,
        )  # fmt: skip
    return agent
