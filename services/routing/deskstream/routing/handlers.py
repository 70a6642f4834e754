"""What routing hears and answers."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from deskstream.contracts import Command, Event
from deskstream.contracts.conversation import (
    AgentReplied,
    ConversationArchived,
    ConversationEvent,
    ConversationOpened,
    ConversationResolved,
    CustomerReplied,
    DeliveryChanged,
    PriorityChanged,
    PutOnHold,
    SuspicionReviewed,
    WaitEnded,
)
from deskstream.contracts.ids import AgentId, RuleId, object_id
from deskstream.contracts.parts import PartStaffed
from deskstream.contracts.routing import (
    AgentSaved,
    Claim,
    Explain,
    HandOver,
    ListAgents,
    ListRules,
    NextUp,
    OwnerChosen,
    RemoveRule,
    RuleSaved,
    SaveAgent,
    SaveRule,
    SaveTeam,
    TeamSaved,
)
from deskstream.messaging import Absorb, Aggregate, Answer, Heard, On, Query, Tx
from deskstream.routing import board
from deskstream.routing.board import Place
from deskstream.routing.domain import NOTHING, Asked, Floor, Nothing, Policy, Restaffed, Told, concerns, rulebook
from deskstream.routing.domain.rulebook import RuleAsked
from deskstream.routing.matching import mistake_in
from deskstream.routing.rules_at_hand import RulesAtHand
from deskstream.routing.store import asking, floors, rules

HEARD: tuple[type[ConversationEvent], ...] = (
    ConversationOpened,
    CustomerReplied,
    AgentReplied,
    DeliveryChanged,
    SuspicionReviewed,
    PriorityChanged,
    PutOnHold,
    WaitEnded,
    ConversationResolved,
    ConversationArchived,
)

DESK = "desk"
"""The key of what concerns no conversation in particular."""
IDLE = "idle"
"""The key of what changes nothing: it costs no statement."""

RULEBOOK = Aggregate("rulebook", rules.load, rules.save, rulebook.decide, rulebook.evolve, locks=False)


def floor_of(policy: Policy) -> Aggregate:
    """Everything but the rules. Its lock is the desk's row, taken before anything is read, so no head is locked."""
    return Aggregate("floor", partial(_load, policy), _save, board.decide, board.evolve, board.due, locks=False)


def hears(floor: Aggregate, at_hand: RulesAtHand) -> list[Absorb | On]:
    """The floor takes in what a conversation says, and who stands behind a part; then it is decided what follows."""
    taken_in = [Absorb(kind, floor, key=_place_of) for kind in HEARD]
    decided = [On(kind, floor, key=_place, resolve=partial(_with_rules, at_hand)) for kind in HEARD]
    restaffed: list[Absorb | On] = [
        Absorb(PartStaffed, floor, key=_desk),
        On(PartStaffed, floor, key=_place, becomes=lambda heard: Restaffed()),
    ]
    return [*taken_in, *decided, *restaffed]


def answers(floor: Aggregate) -> list[Answer | Query]:
    """What people ask for."""
    return [
        Answer(Claim, floor, key=_place, becomes=_asked, result=_owner),
        Answer(HandOver, floor, key=_place, becomes=_asked, result=_owner),
        Answer(NextUp, floor, key=_place, becomes=_asked, result=_owner),
        Answer(SaveTeam, floor, key=_place, becomes=_asked, result=_team),
        Answer(SaveAgent, floor, key=_place, resolve=_with_carried, result=_agent),
        Answer(SaveRule, RULEBOOK, key=_rulebook, becomes=_checked, result=_rule),
        Answer(RemoveRule, RULEBOOK, key=_rulebook, result=_rule),
        Query(Explain, asking.explain),
        Query(ListAgents, asking.list_agents),
        Query(ListRules, asking.list_rules),
    ]


async def _load(policy: Policy, tx: Tx, keys: Sequence[str]) -> dict[str, Place]:
    conversations = [UUID(key) for key in keys if key not in (DESK, IDLE)]
    idle = not conversations and DESK not in keys
    floor = Floor(policy) if idle else await floors.load(tx, conversations, policy)
    return dict.fromkeys(keys, board.begin(floor))


async def _save(tx: Tx, places: Sequence[Place]) -> None:
    the_board = places[0].board
    await floors.save(tx, the_board.loaded, the_board.floor)


async def _with_rules(at_hand: RulesAtHand, tx: Tx, heard: Sequence[Heard[Any]], now: datetime) -> list[Told | Nothing]:
    if not any(concerns(one.data) for one in heard):
        return [NOTHING] * len(heard)
    compiled = await at_hand.of(tx)
    return [Told(one.data, compiled) if concerns(one.data) else NOTHING for one in heard]


async def _with_carried(tx: Tx, heard: Sequence[Heard[SaveAgent]], now: datetime) -> list[Asked]:
    carried = await floors.carried(tx, [one.data.agent for one in heard])
    return [Asked(one.data, carried=carried.get(one.data.agent, 0)) for one in heard]


def _asked(heard: Heard[Command]) -> Asked:
    return Asked(heard.data, AgentId(heard.actor) if heard.actor else None)


def _checked(heard: Heard[SaveRule]) -> RuleAsked:
    rule = heard.data
    return RuleAsked(rule, RuleId(object_id(heard.id, "rule")), mistake_in(rule.words, rule.pattern))


def _place_of(said: ConversationEvent) -> str:
    return str(said.conversation_id) if concerns(said) else IDLE


def _desk(_: PartStaffed) -> str:
    return DESK


def _place(message: Told | Asked | Restaffed | Nothing) -> str:
    match message:
        case Told():
            return str(message.said.conversation_id)
        case Asked(command=Claim() | HandOver() as command):
            return str(command.conversation_id)
        case Asked() | Restaffed():
            return DESK
        case Nothing():
            return IDLE


def _rulebook(_: RuleAsked | RemoveRule) -> str:
    return "rules"


def _owner(_: Place, said: Sequence[Event]) -> dict[str, Any]:
    return _first(OwnerChosen, said, {"conversation_id", "number", "owner", "previous", "team", "cause", "reason"})


def _team(_: Place, said: Sequence[Event]) -> dict[str, Any]:
    return _first(TeamSaved, said, {"team_id", "structure", "planned_owners"})


def _agent(_: Place, said: Sequence[Event]) -> dict[str, Any]:
    return _first(AgentSaved, said, {"agent_id", "name", "team", "availability", "capacity", "load"})


def _rule(_: Any, said: Sequence[Event]) -> dict[str, Any]:
    return _first(RuleSaved, said, {"rule_id", "name", "version", "removed"})


def _first(kind: type[Event], said: Sequence[Event], fields: set[str]) -> dict[str, Any]:
    """What was asked for is said first; what it led to follows."""
    return next(event.model_dump(mode="json", include=fields) for event in said if isinstance(event, kind))
