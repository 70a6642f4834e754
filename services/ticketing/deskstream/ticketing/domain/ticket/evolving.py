"""What each event changes beside the facts that it carries."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import reduce

from deskstream.contracts import Event
from deskstream.contracts.ids import IssueId
from deskstream.contracts.ticketing import (
    AgentAnswered,
    AnswerSent,
    ConversationLinked,
    ConversationUnlinked,
    CustomerEngineerTold,
    FollowUpSent,
    LinkedIssueChanged,
    SolvingStopped,
    TicketDeleted,
    TicketEvent,
    TicketOpened,
    TicketRestored,
)
from deskstream.ticketing.domain.issue.stages import UNENDED
from deskstream.ticketing.domain.ticket import stages
from deskstream.ticketing.domain.ticket.state import Silence, Ticket, TicketState, Unopened


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
    match event:
        case AgentAnswered(asks=str()) if event.after.stage is stages.PENDING:
            return replace(after, silence=Silence(since=event.at, asked_in=event.conversation_id))
        case FollowUpSent():
            return replace(after, silence=_later(state, event))
        case CustomerEngineerTold(why="silent_no_answer") if state.silence:
            return replace(after, silence=replace(state.silence, engineer_asked_at=event.at))
        case SolvingStopped() if state.silence:
            return replace(after, silence=replace(state.silence, stopped=True))
        case AnswerSent():
            return replace(after, told_of=(*state.told_of, event.issue_id))
        case LinkedIssueChanged():
            return replace(after, told_of=_still_true(state, event))
        case ConversationLinked() | ConversationUnlinked() | TicketDeleted() | TicketRestored():
            return replace(after, relinked=True)
        case _:
            return after


def _still_true(state: Ticket, event: LinkedIssueChanged) -> tuple[IssueId, ...]:
    """What was told of an issue that is worked on again did not hold; its next end is told again."""
    taken_up = {issue.id for issue in event.after.issues if issue.stage in UNENDED}
    return tuple(issue for issue in state.told_of if issue not in taken_up)


def _later(state: Ticket, event: FollowUpSent) -> Silence | None:
    """A follow-up that went out late moves what comes after it, so that two never come at once."""
    if state.silence is None or event.counted is None:
        return state.silence
    return replace(state.silence, since=event.at, counted=event.counted)
