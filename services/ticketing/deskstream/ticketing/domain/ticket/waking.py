"""W4: what time does to a ticket: a silent customer is reminded, then it is solved; what is solved gets closed."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from deskstream.calendars.arithmetic import BusinessCalendar
from deskstream.contracts import Event
from deskstream.contracts.chain_facts import TicketFacts
from deskstream.contracts.facts import Resolution
from deskstream.contracts.ticketing import CustomerEngineerTold, SolvingStopped
from deskstream.ticketing.domain import tasks
from deskstream.ticketing.domain.ticket import reminding, stages
from deskstream.ticketing.domain.ticket.changing import said
from deskstream.ticketing.domain.ticket.solving import close, missing, solved
from deskstream.ticketing.domain.ticket.state import Silence, Ticket, TicketState, Unopened


@dataclass(frozen=True, slots=True)
class Promise:
    """What is done about a silent customer, in open time, and how long a solved ticket stays open for answers."""

    calendar: BusinessCalendar
    follow_ups: tuple[timedelta, ...] = (timedelta(hours=16), timedelta(hours=32))
    give_up: timedelta = timedelta(hours=48)
    grace: timedelta = timedelta(hours=8)
    """What the customer engineer has to find an answer."""
    close: timedelta = timedelta(hours=72)
    """By the clock."""


def due(promise: Promise, state: TicketState) -> datetime | None:
    """When a ticket wants to be woken."""
    if isinstance(state, Unopened) or state.facts.deleted is not None:
        return None
    facts = state.facts
    if facts.stage is stages.SOLVED and facts.solved_at is not None:
        return facts.solved_at + promise.close
    if facts.stage is stages.PENDING and state.silence is not None:
        return _next_step(promise, facts, state.silence)
    return None


def wake(promise: Promise, state: Ticket, now: datetime) -> list[Event]:
    """One step at a time: what it says moves the next one."""
    moment = due(promise, state)
    if moment is None or moment > now:
        return []
    if state.facts.stage is stages.SOLVED:
        return [close(state.facts, now)]
    assert state.silence is not None
    if state.facts.follow_ups < len(promise.follow_ups):
        return reminding.remind(promise.follow_ups, state, state.silence, now)
    return _give_up(state, state.silence, now)


def _next_step(promise: Promise, facts: TicketFacts, silence: Silence) -> datetime | None:
    if facts.follow_ups < len(promise.follow_ups):
        return reminding.due(promise.follow_ups, promise.calendar, facts, silence)
    if silence.stopped and tasks.still_open(facts.tasks):
        return None
    if silence.engineer_asked_at is not None:
        return promise.calendar.add_open(silence.engineer_asked_at, promise.grace)
    return promise.calendar.add_open(silence.since, promise.give_up - silence.counted)


def _give_up(state: Ticket, silence: Silence, now: datetime) -> list[Event]:
    facts = state.facts
    left = tasks.still_open(facts.tasks)
    if left:
        return [said(SolvingStopped, facts, now, {}, tasks=left)]
    engineer = facts.customer_engineer
    answered = _may_be(facts, Resolution.SILENT_AFTER_ANSWER)
    category = Resolution.SILENT_AFTER_ANSWER if answered else Resolution.SILENT_NO_ANSWER
    if engineer is None or silence.engineer_asked_at is not None:
        return [solved(facts, category, now)]
    told = said(CustomerEngineerTold, facts, now, {"engineer_told": True}, engineer=engineer, why=category.value)
    return [told, solved(told.after, category, now)] if answered else [told]


def _may_be(facts: TicketFacts, category: Resolution) -> bool:
    """Whether nothing but the customer engineer's knowing is missing."""
    return not missing(facts.model_copy(update={"engineer_told": True}), category)
