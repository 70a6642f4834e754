"""`decide`: who owns what, whenever somebody writes, answers, asks, comes or goes."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

from deskstream.contracts.conversation import AgentReplied, ConversationEvent, ConversationOpened
from deskstream.contracts.facts import Kind, Stage
from deskstream.contracts.ids import AgentId
from deskstream.contracts.message import Event
from deskstream.contracts.routing import Claim, HandOver, NextUp, OwnerChosen, SaveAgent, SaveTeam
from deskstream.routing.domain.chain import Case, route
from deskstream.routing.domain.floor import OURS_TO_ANSWER, Assignment, Floor
from deskstream.routing.domain.hearing import evolve, text_of
from deskstream.routing.domain.messages import Asked, Nothing, Restaffed, Seen, Told, Woken
from deskstream.routing.domain.queue import drain, unfinished
from deskstream.routing.domain.staffing import save_agent, save_team
from deskstream.routing.domain.taking import claim, hand_over, pick_up, take_next

Message: TypeAlias = Told | Asked | Restaffed | Woken | Nothing


def decide(floor: Floor, message: Message, now: datetime) -> Sequence[Event]:
    """What is said of `message`, and of all that can be assigned after it."""
    match message:
        case Nothing():
            return ()
        case Told():
            return _and_drained(floor, _told(floor, message, now), now)
        case Asked():
            return _and_drained(floor, [_answer(floor, message, now)], now)
        case Restaffed() | Woken():
            return drain(floor, now)


def due(floor: Floor) -> datetime | None:
    """At once, when a batch left somebody free and conversations waiting that it did not know."""
    return floor.at + timedelta(milliseconds=1) if floor.at is not None and unfinished(floor) else None


def _and_drained(floor: Floor, said: Sequence[Event], now: datetime) -> Sequence[Event]:
    if not floor.waiting:
        return said
    for event in said:
        floor = evolve(floor, event)
    return [*said, *drain(floor, now)]


def _answer(floor: Floor, asked: Asked, now: datetime) -> Event:
    match asked.command:
        case Claim():
            return claim(floor, asked.command, now)
        case HandOver():
            return hand_over(floor, asked.command, asked.actor, now)
        case NextUp():
            return take_next(floor, asked.command, now)
        case SaveAgent():
            return save_agent(floor, asked.command, asked.carried, now)
        case SaveTeam():
            return save_team(asked.command, now)
        case _:
            raise TypeError(f"{type(asked.command).__name__} is not asked of the floor")


def _told(floor: Floor, told: Told, now: datetime) -> list[OwnerChosen]:
    said = told.said
    case = floor.assignments[said.conversation_id]
    if case.owner is None and (author := _answered_by(said)):
        return [pick_up(floor, said.after, author, now)]
    if not _needs_owner(floor, case, said):
        return []
    tried = told.rules.tried_on(Seen(said.after, case.held or text_of(getattr(said, "message", None))))
    return [route(floor, Case(said.after, case, tried), now)]


def _answered_by(said: ConversationEvent) -> AgentId | None:
    return said.reply.author if isinstance(said, AgentReplied) and not said.reply.automatic else None


def _needs_owner(floor: Floor, case: Assignment, said: ConversationEvent) -> bool:
    if case.stage not in OURS_TO_ANSWER or _just_started(said):
        return False
    if case.owner is None:
        # Decided before, it stands in its team's queue again by itself.
        return not case.routed
    owner = floor.agents.get(case.owner)
    return said.stage_before is Stage.RESOLVED and owner is not None and owner.gone


def _just_started(said: ConversationEvent) -> bool:
    # The agent who starts a conversation is about to write; whoever that is picks it up.
    return isinstance(said, ConversationOpened) and said.after.kind is Kind.AGENT
