"""How the floor changes: by what conversations say, and by what was decided."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from deskstream.contracts.conversation import AgentReplied, ConversationEvent, ConversationOpened, PriorityChanged
from deskstream.contracts.facts import ConversationFacts, Priority, ReceivedMessage, Stage
from deskstream.contracts.ids import AgentId, ConversationId
from deskstream.contracts.message import Event
from deskstream.contracts.parts import PartStaffed
from deskstream.contracts.routing import AgentSaved, OwnerChosen, TeamSaved
from deskstream.routing.domain.floor import Agent, Assignment, Floor, Team
from deskstream.routing.domain.product import staffed

TEXT_SEEN = 8192
"""Characters of title and text that rules look at: a bound on what one message may cost."""


def evolve(floor: Floor, event: Event) -> Floor:
    """The floor after `event`; the same one when it is not concerned."""
    match event:
        case OwnerChosen():
            return _owned(floor, event)
        case AgentSaved():
            return replace(floor, agents={**floor.agents, event.agent_id: _agent(event)}, at=event.at)
        case TeamSaved():
            team = Team(event.structure, event.planned_owners)
            return replace(floor, teams={**floor.teams, event.team_id: team}, at=event.at)
        case PartStaffed():
            return replace(floor, product=staffed(floor.product, event), at=event.at)
        case ConversationEvent():
            return _told(floor, event) if concerns(event) else floor
        case _:
            return floor


def concerns(said: ConversationEvent) -> bool:
    """Whether this can change an owner, a load or a place in a queue. Most replies of customers cannot."""
    return said.stage_before is not said.after.stage or isinstance(said, AgentReplied | PriorityChanged)


def text_of(message: ReceivedMessage | None) -> str:
    """What rules look at."""
    return "" if message is None else f"{message.title or ''}\n{message.text}"[:TEXT_SEEN]


def _told(floor: Floor, said: ConversationEvent) -> Floor:
    before = floor.assignments.get(said.conversation_id)
    after = _met(floor, said) if before is None else _moved(floor, before, said)
    return _with(floor, before, after, floor.at)


def _met(floor: Floor, said: ConversationEvent) -> Assignment:
    facts = said.after
    message = said.message if isinstance(said, ConversationOpened) else None
    return Assignment(
        conversation_id=facts.id,
        number=facts.number,
        stage=facts.stage,
        weight=floor.policy.weights.get(facts.stage, 0),
        priority=facts.priority,
        since=_since(facts),
        choice=_choice(said),
        owner=facts.owner,
        # One that an agent started is its starter's; there is nothing to decide.
        routed=facts.owner is not None,
        held=text_of(message) if facts.stage is Stage.SUSPENDED else "",
    )


def _moved(floor: Floor, before: Assignment, said: ConversationEvent) -> Assignment:
    choice = _choice(said) or before.choice
    return replace(
        before,
        stage=said.after.stage,
        weight=floor.policy.weights.get(said.after.stage, 0),
        since=_since(said.after),
        choice=choice,
        priority=choice or before.priority,
    )


def _since(facts: ConversationFacts) -> datetime:
    return facts.oldest_unanswered_at or facts.valid_at or facts.created_at


def _choice(said: ConversationEvent) -> Priority | None:
    return said.after.priority if isinstance(said, PriorityChanged) else None


def _owned(floor: Floor, chosen: OwnerChosen) -> Floor:
    before = floor.assignments[chosen.conversation_id]
    after = replace(
        before,
        owner=chosen.owner,
        team=chosen.team,
        priority=chosen.priority,
        handoffs=chosen.handoffs,
        part=chosen.part,
        routed=True,
        held="",
    )
    return _with(floor, before, after, chosen.at)


def _with(floor: Floor, before: Assignment | None, after: Assignment, at: datetime | None) -> Floor:
    agents = floor.agents
    if before is not None and before.owner is not None:
        agents = _carrying(agents, before.owner, -before.weight)
    if after.owner is not None:
        agents = _carrying(agents, after.owner, after.weight)
    return Floor(
        policy=floor.policy,
        agents=agents,
        teams=floor.teams,
        product=floor.product,
        assignments={**floor.assignments, after.conversation_id: after},
        waiting=_waiting(floor, after),
        overflowing=floor.overflowing,
        at=at,
    )


def _waiting(floor: Floor, after: Assignment) -> Mapping[ConversationId, Assignment]:
    if after.waits:
        return {**floor.waiting, after.conversation_id: after}
    if after.conversation_id in floor.waiting:
        return {known: waiting for known, waiting in floor.waiting.items() if known != after.conversation_id}
    return floor.waiting


def _carrying(agents: Mapping[AgentId, Agent], who: AgentId, more: int) -> Mapping[AgentId, Agent]:
    # Somebody may have answered whom routing was never told of.
    if not more or who not in agents:
        return agents
    return {**agents, who: replace(agents[who], load=agents[who].load + more)}


def _agent(saved: AgentSaved) -> Agent:
    return Agent(
        id=saved.agent_id,
        name=saved.name,
        email=saved.email,
        team=saved.team,
        availability=saved.availability,
        capacity=saved.capacity,
        load=saved.load,
    )
