"""Which decision a message asks for."""

from datetime import datetime
from typing import assert_never

from deskstream.contracts import Event, Refused
from deskstream.contracts.conversation import (
    Archive,
    ChangeTags,
    EndSnooze,
    EndWait,
    Hold,
    Resolve,
    Review,
    SetPriority,
    Share,
    Snooze,
    UndoReply,
)
from deskstream.contracts.conversation_tickets import DismissTicketSuggestion
from deskstream.contracts.ingest import DeliveryNoted
from deskstream.contracts.way_back import IssueEnded, TicketReported
from deskstream.conversation.domain import (
    closing,
    describing,
    holding,
    opening,
    replying,
    snoozing,
    tickets,
    wanted,
)
from deskstream.conversation.domain.answering import with_answer
from deskstream.conversation.domain.delivering import note_delivery
from deskstream.conversation.domain.hearing import hear
from deskstream.conversation.domain.messages import (
    Asked,
    Incoming,
    Join,
    Message,
    Retitle,
    SendAgain,
    SendWanted,
    Start,
    TakeNote,
    TimeCame,
    Work,
    WriteNote,
    WriteReply,
)
from deskstream.conversation.domain.state import Conversation, State, Unopened
from deskstream.conversation.domain.tickets import talk
from deskstream.conversation.domain.waking import wake


def decide(state: State, message: Message, now: datetime) -> list[Event]:
    """What is said about a message, to tickets too. Raises `Refused` when the rules say no, to commands only."""
    said = _decide(state, message, now)
    return [*said, *told] if (told := talk(state, message, said, now)) else said


def _decide(state: State, message: Message, now: datetime) -> list[Event]:
    if isinstance(state, Unopened):
        return _begin(state, message, now)
    match message:
        case Incoming():
            return with_answer(hear(state, message, now), message)
        case DeliveryNoted():
            return note_delivery(state, message, now)
        case TimeCame():
            return wake(state, now)
        case TicketReported() | IssueEnded() | SendWanted() | TakeNote():
            return _hear_of_work(state, message, now)
        case Start():
            return []
        case _:
            return _answer(state, message, now)


def _begin(state: Unopened, message: Message, now: datetime) -> list[Event]:
    match message:
        case Incoming():
            return with_answer(opening.open_by_message(state, message, now), message)
        case Start():
            return opening.start(state, message, now)
        case SendWanted():
            return wanted.send_nowhere(state, message, now)
        case DeliveryNoted() | TimeCame() | TicketReported() | IssueEnded() | TakeNote():
            return []
        case _:
            raise Refused("conversation_not_found", "There is no such conversation. Look for it by its number.")


def _hear_of_work(state: Conversation, message: Work, now: datetime) -> list[Event]:
    match message:
        case TicketReported():
            return tickets.hear_of_ticket(state, message, now)
        case IssueEnded():
            return tickets.hear_of_issue(state, message, now)
        case SendWanted():
            return wanted.send_wanted(state, message, now)
        case TakeNote():
            return wanted.take_note(state, message, now)
        case _:
            assert_never(message)


def _answer(state: Conversation, asked: Asked, now: datetime) -> list[Event]:
    match asked:
        case WriteReply():
            return replying.write(state, asked, now)
        case UndoReply():
            return replying.undo(state, asked.reply_id, now)
        case SendAgain():
            return replying.send_again(state, asked, now)
        case WriteNote() | Retitle() | Join() | ChangeTags() | SetPriority() | Share():
            return _describe(state, asked, now)
        case Snooze():
            return snoozing.snooze(state, asked, now)
        case EndSnooze():
            return snoozing.end_snooze(state, "agent", now)
        case Hold():
            return holding.hold(state, asked, now)
        case EndWait():
            return holding.end_wait(state, asked, now)
        case Resolve():
            return closing.resolve(state, asked, now)
        case Archive():
            return closing.archive(state, now)
        case Review():
            return closing.review(state, asked, now)
        case DismissTicketSuggestion():
            return tickets.dismiss_suggestion(state.facts, now)
        case _:
            assert_never(asked)


def _describe(
    state: Conversation, asked: WriteNote | Retitle | Join | ChangeTags | SetPriority | Share, now: datetime
) -> list[Event]:
    match asked:
        case WriteNote():
            return describing.add_note(state, asked, now)
        case Retitle():
            return describing.set_title(state, asked, now)
        case Join():
            return describing.join(state, asked, now)
        case ChangeTags():
            return describing.change_tags(state, asked, now)
        case SetPriority():
            return describing.set_priority(state, asked, now)
        case Share():
            return describing.share(state, asked, now)
        case _:
            assert_never(asked)
