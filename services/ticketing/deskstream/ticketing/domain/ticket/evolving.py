"""What each event changes beside the facts that it carries."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import reduce

from deskstream.contracts import Event
from deskstream.contracts.ticketing import (
    AgentAnswered,
    AnswerNotSent,
    AnswerSent,
    ConversationLinked,
    ConversationUnlinked,
    CustomerEngineerTold,
    FollowUpMissed,
    FollowUpSent,
    FollowUpWanted,
    IssueLinked,
    LinkedIssueChanged,
    SolvingStopped,
    TicketChanged,
    TicketDeleted,
    TicketEvent,
    TicketOpened,
    TicketRestored,
)
from deskstream.ticketing.domain.issue.stages import UNENDED
from deskstream.ticketing.domain.ticket import stages
from deskstream.ticketing.domain.ticket.endings import ending_of, gravest
from deskstream.ticketing.domain.ticket.state import Handed, Reminder, Silence, Ticket, TicketState, Unopened


def evolve(state: TicketState, event: Event) -> TicketState:
    """The state after an event; the same state for events that do not concern it."""
    if not isinstance(event, TicketEvent):
        return state
    if isinstance(state, Unopened):
        return _opened(event) if isinstance(event, TicketOpened) else state
    return _evolve(state, event)


def in_turn(state: Ticket, *steps: Callable[[Ticket], Sequence[Event]]) -> list[Event]:
    """What several decisions say one after another, each on what the one before it left."""
    said: list[Event] = []
    for step in steps:
        news = step(state)
        state = reduce(_evolve, news, state)
        said += news
    return said


def _opened(event: TicketOpened) -> Ticket:
    return Ticket(event.after, text=event.text, relinked=bool(event.after.conversations))


def _evolve(state: Ticket, event: Event) -> Ticket:
    if not isinstance(event, TicketEvent):
        return state
    after = replace(state, facts=event.after)
    if event.after.stage is not stages.PENDING:
        after = replace(after, silence=None) if after.silence else after
    if event.after.stage is not stages.ON_HOLD and after.gravest is not None:
        after = replace(after, gravest=None)
    match event:
        case AgentAnswered():
            return _answered(after, event)
        case FollowUpWanted() | FollowUpSent() | FollowUpMissed():
            return replace(after, silence=_reminding(state.silence, event)) if state.silence else after
        case CustomerEngineerTold(why="silent_no_answer") if state.silence:
            return replace(after, silence=replace(state.silence, engineer_asked_at=event.at))
        case TicketChanged(fields=fields) if state.silence and "customer_engineer" in fields:
            # Whoever it is now was not asked yet.
            return replace(after, silence=replace(state.silence, engineer_asked_at=None))
        case SolvingStopped() if state.silence:
            return replace(after, silence=replace(state.silence, stopped=True))
        case AnswerSent():
            handed = (*state.handed, *(Handed(reply, event.issue_id) for reply in event.replies))
            return replace(after, told_of=(*state.told_of, event.issue_id), handed=handed)
        case AnswerNotSent():
            return _not_sent(after, event)
        case IssueLinked():
            return _untold(after)
        case LinkedIssueChanged():
            return _still_true(after, event)
        case TicketDeleted():
            # What conversations say of it is heard no more.
            return replace(after, relinked=True, handed=())
        case TicketRestored():
            # Nobody knows what the customer said meanwhile, nor what became of a follow-up.
            anew = Silence(since=event.at, asked_in=after.silence.asked_in) if after.silence else None
            return replace(after, relinked=True, silence=anew)
        case ConversationLinked() | ConversationUnlinked():
            return replace(after, relinked=True)
        case _:
            return after


def _answered(after: Ticket, event: AgentAnswered) -> Ticket:
    """Whom one conversation told of an issue is told, whatever the others do."""
    about = {one.issue_id for one in after.handed if one.reply_id == event.reply_id}
    after = replace(after, handed=tuple(one for one in after.handed if one.issue_id not in about))
    if event.asks and event.after.stage is stages.PENDING:
        return replace(after, silence=Silence(since=event.at, asked_in=event.conversation_id))
    return after


def _not_sent(after: Ticket, event: AnswerNotSent) -> Ticket:
    handed = tuple(one for one in after.handed if one.reply_id != event.reply_id)
    if any(one.issue_id == event.issue_id for one in handed):
        return replace(after, handed=handed)
    told_of = tuple(issue for issue in after.told_of if issue != event.issue_id)
    return replace(after, handed=handed, told_of=told_of)


def _still_true(after: Ticket, event: LinkedIssueChanged) -> Ticket:
    if event.ended and event.after.stage is stages.ON_HOLD:
        after = replace(after, gravest=gravest(after.gravest, ending_of(event.issue)))
    return _untold(after)


def _untold(after: Ticket) -> Ticket:
    """What was told of an issue that is worked on again did not hold; its next end is told again."""
    taken_up = {issue.id for issue in after.facts.issues if issue.stage in UNENDED}
    told_of = tuple(issue for issue in after.told_of if issue not in taken_up)
    return replace(after, told_of=told_of, handed=tuple(one for one in after.handed if one.issue_id not in taken_up))


def _reminding(silence: Silence, event: FollowUpWanted | FollowUpSent | FollowUpMissed) -> Silence:
    """One that went out late, or was missed, moves what comes after it, so that two never come at once."""
    if isinstance(event, FollowUpWanted):
        return replace(silence, under_way=Reminder(event.reply_id, event.at))
    if event.counted is not None:
        return replace(silence, under_way=None, since=event.at, counted=event.counted)
    if isinstance(event, FollowUpMissed) and silence.under_way is not None:
        return replace(silence, under_way=silence.under_way._replace(looked_at=event.at))
    return replace(silence, under_way=None)
