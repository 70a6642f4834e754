"""W4: what time does to a ticket: a silent customer is reminded, then it is solved; what is solved gets closed."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from deskstream.calendars.arithmetic import BusinessCalendar
from deskstream.contracts import Event
from deskstream.contracts.chain_facts import TicketFacts
from deskstream.contracts.facts import Resolution
from deskstream.contracts.linked import SpeaksFor
from deskstream.contracts.ticketing import CustomerEngineerTold, FollowUpSent, SolvingStopped
from deskstream.contracts.way_back import ReplyWanted
from deskstream.ticketing.domain import tasks
from deskstream.ticketing.domain.ticket import stages
from deskstream.ticketing.domain.ticket.changing import said
from deskstream.ticketing.domain.ticket.solving import close, missing, solved
from deskstream.ticketing.domain.ticket.state import Silence, Ticket, TicketState, Unopened
from deskstream.ticketing.domain.ticket.wording import reminder

LATE: Final = timedelta(minutes=5)
"""A follow-up later than this moves those after it: a desk that was down must not send two at once."""


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
        return _remind(promise, state, state.silence, moment, now)
    return _give_up(state, state.silence, now)


def _next_step(promise: Promise, facts: TicketFacts, silence: Silence) -> datetime | None:
    if facts.follow_ups < len(promise.follow_ups):
        return _after(promise, silence, promise.follow_ups[facts.follow_ups])
    if silence.stopped and tasks.still_open(facts.tasks):
        return None
    if silence.engineer_asked_at is not None:
        return promise.calendar.add_open(silence.engineer_asked_at, promise.grace)
    return _after(promise, silence, promise.give_up)


def _after(promise: Promise, silence: Silence, open_time: timedelta) -> datetime:
    return promise.calendar.add_open(silence.since, open_time - silence.counted)


def _remind(promise: Promise, state: Ticket, silence: Silence, moment: datetime, now: datetime) -> list[Event]:
    facts = state.facts
    counted = promise.follow_ups[facts.follow_ups] if now - moment > LATE else None
    sent = said(FollowUpSent, facts, now, {"follow_ups": facts.follow_ups + 1}, counted=counted)
    where = silence.asked_in or (facts.conversations[-1].id if facts.conversations else None)
    if where is None or facts.asks is None:
        return [sent]
    speaks = SpeaksFor(ticket_id=facts.id)
    text = reminder(facts, facts.asks)
    return [sent, ReplyWanted(conversation_id=where, at=now, text=text, speaks_for=speaks)]


def _give_up(state: Ticket, silence: Silence, now: datetime) -> list[Event]:
    facts = state.facts
    left = tasks.still_open(facts.tasks)
    if left:
        return [said(SolvingStopped, facts, now, {}, tasks=left)]
    engineer = facts.customer_engineer
    answered = facts.asks == "confirmation" or not _may_be(facts, Resolution.SILENT_NO_ANSWER)
    category = Resolution.SILENT_AFTER_ANSWER if answered else Resolution.SILENT_NO_ANSWER
    if engineer is None or silence.engineer_asked_at is not None:
        return [solved(facts, category, now)]
    told = said(CustomerEngineerTold, facts, now, {"engineer_told": True}, engineer=engineer, why=category.value)
    return [told, solved(told.after, category, now)] if answered else [told]


def _may_be(facts: TicketFacts, category: Resolution) -> bool:
    """Whether nothing but the customer engineer's knowing is missing."""
    return not missing(facts.model_copy(update={"engineer_told": True}), category)
