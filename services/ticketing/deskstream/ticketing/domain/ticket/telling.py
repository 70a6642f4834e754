"""W4, W6: what one of us is told about a ticket, as a note in its conversation."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from deskstream.contracts import Event
from deskstream.contracts.chain_facts import TicketFacts
from deskstream.contracts.ids import AgentId, ConversationId
from deskstream.contracts.ticketing import (
    AnswerLost,
    AnswerNotSent,
    CustomerEngineerTold,
    FollowUpMissed,
    IssueNotLinked,
    SolvingStopped,
    TicketClosed,
)
from deskstream.contracts.way_back import NoteWanted
from deskstream.ticketing.domain.ticket.state import Ticket, TicketState, where_asked
from deskstream.ticketing.domain.ticket.wording import (
    closed_note,
    engineer_note,
    lost_note,
    missed_note,
    not_linked_note,
    owner_note,
    undecided_note,
)


def notes(state: TicketState, said: Sequence[Event], grace: timedelta, now: datetime) -> Iterator[NoteWanted]:
    """A note for each who was told something, in the conversation that the customer was asked in, else in the latest.

    A ticket without conversation has none: what was said stands in its own history.
    """
    for event in said:
        match event:
            case CustomerEngineerTold(engineer=str(engineer)):
                yield from _note(state, event.after, engineer, engineer_note(event.after, event.why, grace), now)
            case SolvingStopped():
                text = owner_note(event.after, [task.number for task in event.tasks])
                yield from _note(state, event.after, event.after.owner, text, now)
            case FollowUpMissed():
                text = missed_note(event.after, event.why, event.again_in)
                yield from _note(state, event.after, event.after.owner, text, now)
            case AnswerLost(conversation_id=where) | AnswerNotSent(why="undeliverable", conversation_id=where) if where:
                yield _to(event.after.owner, where, lost_note(event.after), now)
            case IssueNotLinked():
                text = not_linked_note(event.after, event.issue.number, event.why)
                yield from _note(state, event.after, event.after.owner, text, now)
            case TicketClosed() if _is_undecided(state):
                yield from _note(state, event.after, event.after.owner, undecided_note(event.after), now)


def closed_meanwhile(facts: TicketFacts, where: ConversationId, now: datetime) -> NoteWanted:
    """The customer may have answered it while it was closed."""
    return _to(facts.owner, where, closed_note(facts), now)


def _is_undecided(state: TicketState) -> bool:
    """Whether a message of the customer's may be about it, and nobody said so yet."""
    return isinstance(state, Ticket) and state.facts.undecided is not None


def _note(state: TicketState, facts: TicketFacts, to: AgentId | None, text: str, now: datetime) -> Iterator[NoteWanted]:
    where = where_asked(state, facts)
    if where is not None:
        yield _to(to, where, text, now)


def _to(to: AgentId | None, where: ConversationId, text: str, now: datetime) -> NoteWanted:
    mention, mentions = (f"@{to} ", (to,)) if to else ("", ())
    return NoteWanted(conversation_id=where, at=now, text=mention + text, mentions=mentions)
