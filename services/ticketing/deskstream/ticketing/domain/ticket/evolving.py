"""What each event changes beside the facts that it carries."""

from collections.abc import Callable, Sequence, Set
from dataclasses import replace
from datetime import datetime
from functools import reduce

from deskstream.contracts import Event
from deskstream.contracts.ids import IssueId, ReplyId
from deskstream.contracts.linked import UNSOLVED, IssueRef
from deskstream.contracts.ticketing import (
    AgentAnswered,
    AnswerLost,
    AnswerNotSent,
    AnswerSent,
    ConversationLinked,
    ConversationUnlinked,
    CustomerEngineerTold,
    FollowUpMissed,
    FollowUpSent,
    FollowUpWanted,
    IssueLinked,
    IssueUnlinked,
    LinkedIssueChanged,
    SolvingStopped,
    TicketChanged,
    TicketDeleted,
    TicketEvent,
    TicketOpened,
    TicketRestored,
    TicketWaitEnded,
)
from deskstream.contracts.way_back import Ending
from deskstream.ticketing.domain.issue.stages import UNENDED
from deskstream.ticketing.domain.ticket import stages
from deskstream.ticketing.domain.ticket.endings import ending_of, gravest, is_over
from deskstream.ticketing.domain.ticket.following import evolve_followed, evolve_originals, named, undone
from deskstream.ticketing.domain.ticket.state import (
    GAVE_LIMIT,
    QUESTIONS_LIMIT,
    Gave,
    Handed,
    Lost,
    Reminder,
    Silence,
    Ticket,
    TicketState,
    Unopened,
)


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
    after = replace(state, facts=event.after, once_awaited=_once_awaited(state, event), gravest=_gravest(state, event))
    after = replace(after, followed=_followed(state, event))
    after = (
        replace(after, originals=evolve_originals(state, after, event)) if state.originals or _leads(event) else after
    )
    if event.after.stage is not stages.PENDING:
        after = replace(after, silence=None) if after.silence else after
    if event.after.stage is not stages.ON_HOLD and not after.once_awaited and after.gravest is not None:
        after = replace(after, gravest=None)
    match event:
        case AgentAnswered():
            return _answered(after, event)
        case FollowUpWanted() | FollowUpSent() | FollowUpMissed():
            return replace(after, silence=_reminding(state.silence, event)) if state.silence else after
        case AnswerNotSent(why="undeliverable") if state.silence and after.silence:
            return _not_sent(replace(after, silence=_never_asked(state.silence, event.reply_id)), event)
        case CustomerEngineerTold(why="silent_no_answer") if state.silence:
            return replace(after, silence=replace(state.silence, engineer_asked_at=event.at))
        case TicketChanged(fields=fields) if state.silence and "customer_engineer" in fields:
            # Whoever it is now was not asked yet.
            return replace(after, silence=replace(state.silence, engineer_asked_at=None))
        case SolvingStopped() if state.silence:
            return replace(after, silence=replace(state.silence, stopped=True))
        case AnswerSent():
            handed = (*state.handed, *(Handed(reply, event.issue_id) for reply in event.replies))
            left = tuple(one for one in after.left if one.issue_id != event.issue_id)
            lost = tuple(one for one in after.lost if one.issue_id != event.issue_id)
            return _told(replace(after, handed=handed, left=left, lost=lost), event.issue_id, event.ended_at)
        case AnswerLost():
            silence = _never_asked(state.silence, event.reply_id) if state.silence and after.silence else after.silence
            return _ungiven(replace(after, silence=silence), event.reply_id)
        case AnswerNotSent():
            return _not_sent(after, event)
        case IssueLinked():
            return _untold(after)
        case LinkedIssueChanged():
            return _still_true(state, after, event)
        case TicketDeleted():
            # What conversations say of it is heard no more.
            return replace(after, relinked=True, handed=())
        case TicketRestored():
            return replace(after, relinked=True, silence=_from_now_on(after.silence, event.at))
        case ConversationLinked() | ConversationUnlinked():
            return replace(after, relinked=True)
        case _:
            return after


def _answered(after: Ticket, event: AgentAnswered) -> Ticket:
    """Whom one conversation told of an issue is told, whatever the others do."""
    after = _left(after, event)
    if event.gives:
        gave = (*(one for one in after.gave if one.reply_id != event.reply_id), Gave(event.reply_id, event.gives))
        after = replace(after, gave=gave[-GAVE_LIMIT:])
    if event.asks and event.after.stage is stages.PENDING:
        before = after.silence.questions if after.silence else ()
        questions = tuple(dict.fromkeys((*before, event.reply_id)))[-QUESTIONS_LIMIT:]
        return replace(after, silence=Silence(event.at, asked_in=event.conversation_id, questions=questions))
    return after


def _from_now_on(silence: Silence | None, at: datetime) -> Silence | None:
    """Nobody knows what the customer said meanwhile, nor what became of a follow-up; what counted may come back yet."""
    if silence is None:
        return None
    return Silence(
        at,
        asked_in=silence.asked_in,
        questions=silence.questions,
        reminders=silence.reminders,
        lost=silence.lost,
    )


def _never_asked(silence: Silence, reply: ReplyId | None) -> Silence:
    return replace(silence, questions=tuple(one for one in silence.questions if one != reply))


def _left(after: Ticket, event: AgentAnswered) -> Ticket:
    """An approved answer, perhaps one that was lost and was sent once more."""
    handed = tuple(one for one in after.handed if one.reply_id == event.reply_id)
    again = tuple(one for one in after.lost if one.reply_id == event.reply_id)
    if not handed and not again:
        return after
    for one in again:
        after = _told(after, one.issue_id, one.ended_at)
    return replace(
        after,
        handed=tuple(one for one in after.handed if one not in handed),
        left=(*after.left, *handed, *(Handed(one.reply_id, one.issue_id) for one in again)),
        lost=tuple(one for one in after.lost if one not in again),
    )


def _not_sent(after: Ticket, event: AnswerNotSent) -> Ticket:
    if event.reply_id is not None and event.why == "undeliverable":
        lost = Lost(event.reply_id, event.issue_id, after.ends_told.get(event.issue_id))
        after = replace(_ungiven(after, event.reply_id), lost=(*after.lost, lost))
    handed = tuple(one for one in after.handed if one.reply_id != event.reply_id)
    left = tuple(one for one in after.left if one.reply_id != event.reply_id)
    after = replace(after, handed=handed, left=left)
    if any(one.issue_id == event.issue_id for one in (*handed, *left)):
        return after
    return _not_told(after, {event.issue_id})


def _ungiven(after: Ticket, reply: ReplyId) -> Ticket:
    return replace(after, gave=tuple(one for one in after.gave if one.reply_id != reply))


def _told(after: Ticket, issue: IssueId, ended_at: datetime | None) -> Ticket:
    after = _not_told(after, {issue})
    dated = {issue: ended_at} if ended_at is not None else {}
    return replace(after, told_of=(*after.told_of, issue), ends_told={**after.ends_told, **dated})


def _not_told(after: Ticket, issues: Set[IssueId]) -> Ticket:
    told_of = tuple(issue for issue in after.told_of if issue not in issues)
    ends_told = {issue: end for issue, end in after.ends_told.items() if issue not in issues}
    return replace(after, told_of=told_of, ends_told=ends_told)


def _still_true(before: Ticket, after: Ticket, event: LinkedIssueChanged) -> Ticket:
    awaited = event.ended or named(event.issue) in before.once_awaited
    more_to_come = event.after.stage is stages.ON_HOLD or after.once_awaited
    if awaited and more_to_come and is_over(event.issue):
        after = replace(after, gravest=gravest(before.gravest, ending_of(event.issue)))
    return _untold(after)


def _gravest(state: Ticket, event: TicketEvent) -> Ending | None:
    """What nobody waits for any more, while it waits for something else, was not completed."""
    gone = {wait.name for wait in state.facts.waits if wait.kind == "issue"} - {wait.name for wait in event.after.waits}
    if event.after.stage is stages.ON_HOLD and gone and isinstance(event, TicketWaitEnded | IssueUnlinked):
        return gravest(state.gravest, "dropped")
    return state.gravest


def _followed(state: Ticket, event: TicketEvent) -> tuple[str, ...]:
    match event:
        case LinkedIssueChanged():
            return evolve_followed(state, event)
        case IssueUnlinked():
            return tuple(name for name in state.followed if name != named(event.issue))
        case _:
            return state.followed


def _leads(event: TicketEvent) -> bool:
    return isinstance(event, LinkedIssueChanged) and event.original is not None


def _once_awaited(state: Ticket, event: TicketEvent) -> tuple[str, ...]:
    """What it waits for no longer although it is not over: its customer chased it, or an agent went on with it."""
    before, after, names = state.facts, event.after, state.once_awaited
    if after.stage not in UNSOLVED:
        return ()
    match event:
        case LinkedIssueChanged(issue=issue, original=IssueRef() as original):
            passed_on = {named(issue), *undone(state, issue, original).waits}
            names = tuple(named(original) if name in passed_on else name for name in names)
        case LinkedIssueChanged(issue=issue) if named(issue) in state.followed and issue.stage in UNENDED:
            no_more = undone(state, issue, None).waits
            names = (*(name for name in names if name not in no_more), named(issue))
        case TicketWaitEnded():
            pass
        case _ if before.stage is stages.ON_HOLD and after.stage is not stages.ON_HOLD:
            names += tuple(wait.name for wait in before.waits if wait.kind == "issue")
    gone = {wait.name for wait in after.waits}
    if isinstance(event, IssueUnlinked) or (isinstance(event, LinkedIssueChanged) and is_over(event.issue)):
        gone.add(named(event.issue))
    return tuple(name for name in dict.fromkeys(names) if name not in gone)


def _untold(after: Ticket) -> Ticket:
    """What was told of an issue that is worked on again did not hold; its next end is told again."""
    taken_up = {issue.id for issue in after.facts.issues if issue.stage in UNENDED}
    handed = tuple(one for one in after.handed if one.issue_id not in taken_up)
    left = tuple(one for one in after.left if one.issue_id not in taken_up)
    lost = tuple(one for one in after.lost if one.issue_id not in taken_up)
    return _not_told(replace(after, handed=handed, left=left, lost=lost), taken_up)


def _reminding(silence: Silence, event: FollowUpWanted | FollowUpSent | FollowUpMissed) -> Silence:
    """One that went out late, or was missed, moves what comes after it, so that two never come at once."""
    if isinstance(event, FollowUpWanted):
        return replace(silence, under_way=Reminder(event.reply_id, event.at))
    if isinstance(event, FollowUpSent) and event.reply_id is not None:
        lost = tuple(one for one in silence.lost if one != event.reply_id)
        silence = replace(silence, reminders=(*silence.reminders, event.reply_id), lost=lost)
    if isinstance(event, FollowUpMissed) and event.lost is not None:
        # Whoever was asked to help was asked too early.
        others = tuple(one for one in silence.reminders if one != event.lost)
        silence = replace(silence, reminders=others, lost=(*silence.lost, event.lost), engineer_asked_at=None)
    if event.counted is not None:
        return replace(silence, under_way=None, since=event.at, counted=event.counted)
    if isinstance(event, FollowUpMissed) and silence.under_way is not None:
        return replace(silence, under_way=silence.under_way._replace(looked_at=event.at))
    return replace(silence, under_way=None)
