"""W4: follow-ups to a silent customer: wanted, counted once they left, and tried again where they could not."""

from datetime import datetime, timedelta
from typing import Final, Literal

from deskstream.calendars.arithmetic import BusinessCalendar
from deskstream.contracts import Event, ids
from deskstream.contracts.chain_facts import TicketFacts
from deskstream.contracts.ids import ReplyId
from deskstream.contracts.linked import NotSent, SpeaksFor
from deskstream.contracts.ticket_talk import TicketNotSpokenFor, TicketSpokenFor
from deskstream.contracts.ticketing import FollowUpMissed, FollowUpSent, FollowUpWanted
from deskstream.contracts.way_back import ReplyWanted
from deskstream.ticketing.domain.ticket.changing import said
from deskstream.ticketing.domain.ticket.state import Silence, Ticket, where_asked
from deskstream.ticketing.domain.ticket.wording import reminder

LATE: Final = timedelta(minutes=5)
"""A follow-up later than this moves those after it: a desk that was down must not send two at once."""

Steps = tuple[timedelta, ...]
"""After how much open time of silence each follow-up goes out."""


def due(steps: Steps, calendar: BusinessCalendar, facts: TicketFacts, silence: Silence) -> datetime:
    """When the next one goes out; while one is under way, when to look what became of it."""
    if silence.under_way is not None:
        return calendar.add_open(silence.under_way.looked_at, _interval(steps, facts.follow_ups))
    return calendar.add_open(silence.since, steps[facts.follow_ups] - silence.counted)


def remind(steps: Steps, state: Ticket, silence: Silence, now: datetime) -> list[Event]:
    """One at a time: while one is under way no other is wanted, and its owner is told that nothing is heard of it."""
    facts = state.facts
    if silence.under_way is not None:
        return [_missed(steps, facts, "no_word", now)]
    if facts.internal:
        return [_missed(steps, facts, "internal", now)]
    where = where_asked(state, facts)
    if where is None or facts.asks is None:
        return [_missed(steps, facts, "no_conversation", now)]
    reply_id = ReplyId(ids.object_id(facts.id, "reminder", facts.version))
    wanted = said(FollowUpWanted, facts, now, {}, reply_id=reply_id, conversation_id=where)
    text, speaks = reminder(facts, facts.asks), SpeaksFor(ticket_id=facts.id, asks=facts.asks)
    return [wanted, ReplyWanted(conversation_id=where, at=now, text=text, speaks_for=speaks, reply_id=reply_id)]


def reminded(
    steps: Steps, calendar: BusinessCalendar, state: Ticket, talk: TicketSpokenFor, now: datetime
) -> list[Event]:
    """It left, and counts from now on."""
    facts, silence = state.facts, state.silence
    if silence is None or not (_is_under_way(silence, talk.reply_id) or _counts_again(steps, facts, silence, talk)):
        return []
    step = steps[facts.follow_ups]
    late = now - calendar.add_open(silence.since, step - silence.counted) > LATE
    changes = {"follow_ups": facts.follow_ups + 1}
    return [said(FollowUpSent, facts, now, changes, counted=step if late else None, reply_id=talk.reply_id)]


def missed(steps: Steps, state: Ticket, talk: TicketNotSpokenFor, now: datetime) -> list[Event]:
    """It did not leave, or could not be delivered, and does not count."""
    facts, silence = state.facts, state.silence
    if silence is None:
        return []
    if _is_under_way(silence, talk.reply_id):
        return [_missed(steps, facts, talk.why, now)]
    if talk.reply_id in silence.reminders and facts.follow_ups:
        under_way = silence.under_way is not None
        return [_missed(steps, facts, talk.why, now, lost=talk.reply_id, under_way=under_way)]
    return []


def _counts_again(steps: Steps, facts: TicketFacts, silence: Silence, talk: TicketSpokenFor) -> bool:
    """One that was lost, and was sent once more."""
    return talk.reply_id in silence.lost and silence.under_way is None and facts.follow_ups < len(steps)


def _missed(
    steps: Steps, facts: TicketFacts, why: NotSent | Literal["no_word"], now: datetime, *,
    lost: ReplyId | None = None, under_way: bool = False,
) -> Event:  # fmt: skip
    """Tried again after as much open time as lies between it and the one before it."""
    left = facts.follow_ups - (lost is not None)
    interval = _interval(steps, left)
    counted = None if why == "no_word" or under_way else steps[left] - interval
    changes = {} if lost is None else {"follow_ups": left}
    return said(FollowUpMissed, facts, now, changes, why=why, counted=counted, again_in=interval, lost=lost)


def _interval(steps: Steps, number: int) -> timedelta:
    return steps[number] - (steps[number - 1] if number else timedelta())


def _is_under_way(silence: Silence, reply_id: ReplyId) -> bool:
    return silence.under_way is not None and silence.under_way.reply_id == reply_id
