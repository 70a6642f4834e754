"""Which decision a message to a ticket asks for."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias, TypeVar, assert_never

from deskstream.contracts import Event, Refused
from deskstream.contracts.chain_facts import TicketFacts
from deskstream.contracts.ids import TicketId
from deskstream.contracts.linked import UNSOLVED, ConversationRef
from deskstream.contracts.links import AnswerOrdered, IssueFiledFor, IssueReported, TicketContinued
from deskstream.contracts.ticket_commands import (
    AddTicketTask,
    CancelTicket,
    ChangeTicket,
    ChangeTicketTask,
    DecideAnswer,
    DeleteTicket,
    EndTicketWait,
    HoldTicket,
    LinkConversation,
    LinkIssue,
    OpenTicket,
    RecordAnswer,
    RecordCustomer,
    RestoreTicket,
    SolveTicket,
    SwitchRequester,
    TagCustomerEngineer,
    UnlinkConversation,
    UnlinkIssue,
)
from deskstream.contracts.ticket_talk import CustomerAnswered, ReachChanged, TicketNotSpokenFor, TicketSpokenFor
from deskstream.contracts.way_back import Ending, TicketReported
from deskstream.ticketing.domain.ticket import answering, describing, opening, reminding, sending, solving, waiting
from deskstream.ticketing.domain.ticket.reporting import linked_ticket, reports
from deskstream.ticketing.domain.ticket.stages import CANCELED
from deskstream.ticketing.domain.ticket.state import Ticket, TicketState, Unopened
from deskstream.ticketing.domain.ticket.telling import notes
from deskstream.ticketing.domain.ticket.waking import Promise, wake
from deskstream.ticketing.domain.ticket.wording import prepared
from deskstream.ticketing.domain.versions import insist_on_version
from deskstream.ticketing.domain.wishes import TimeCame, Wish

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Answered:
    """The customer wrote; `follow_up` is the ticket to open if this one is closed."""

    talk: CustomerAnswered
    follow_up: TicketId


@dataclass(frozen=True, slots=True)
class Continued:
    """The customer answered the closed ticket before; `follow_up` is the ticket to open if this one is closed, too."""

    said: TicketContinued
    follow_up: TicketId


@dataclass(frozen=True, slots=True)
class Awaited:
    """A conversation waits for this ticket; `ticket_id` is nobody's where none has that number."""

    ticket_id: TicketId
    conversation: ConversationRef


Command: TypeAlias = (
    OpenTicket
    | ChangeTicket
    | SwitchRequester
    | LinkConversation
    | UnlinkConversation
    | LinkIssue
    | UnlinkIssue
    | RecordAnswer
    | RecordCustomer
    | DecideAnswer
    | HoldTicket
    | EndTicketWait
    | TagCustomerEngineer
    | AddTicketTask
    | ChangeTicketTask
    | SolveTicket
    | CancelTicket
    | DeleteTicket
    | RestoreTicket
)
Heard: TypeAlias = (
    Answered
    | TicketSpokenFor
    | TicketNotSpokenFor
    | ReachChanged
    | Awaited
    | IssueFiledFor
    | IssueReported
    | AnswerOrdered
    | Continued
    | TimeCame
)
Message: TypeAlias = Wish[Command] | Heard


def decide(promise: Promise, state: TicketState, message: Message, now: datetime) -> list[Event]:
    """What is said about a message, also to others. Raises `Refused` when the rules say no, to commands only."""
    said = _decide(promise, state, message, now)
    news = reports(state, said, now)
    if isinstance(message, Awaited) and isinstance(state, Ticket):
        news = _answer_who_waits(state.facts, message, news, now)
    return [*said, *news, *notes(state, said, promise.grace, now)]


def _decide(promise: Promise, state: TicketState, message: Message, now: datetime) -> list[Event]:
    if isinstance(state, Unopened):
        return _begin(state, message, now)
    if isinstance(message, Wish):
        return _answer(state, message, now)
    if state.facts.deleted is None or isinstance(message, IssueFiledFor | Continued) or _came_back(message):
        return _hear(promise, state, message, now)
    return []


def _came_back(message: Message) -> bool:
    """C17: restored, it must not count as said what nobody got."""
    return isinstance(message, TicketNotSpokenFor) and message.why == "undeliverable"


def _begin(state: Unopened, message: Message, now: datetime) -> list[Event]:
    if isinstance(message, Continued):
        return opening.continue_ticket(state, message.said, now)
    if not isinstance(message, Wish):
        return []
    if isinstance(message.command, OpenTicket):
        return opening.open_ticket(state, _as(message, message.command), now)
    raise Refused("ticket_not_found", "There is no such ticket. Look for it by its number.")


def _hear(promise: Promise, state: Ticket, message: Heard, now: datetime) -> list[Event]:
    match message:
        case Answered():
            return answering.customer_answered(state, message.talk, now, follow_up=message.follow_up)
        case TicketSpokenFor() | TicketNotSpokenFor() | ReachChanged():
            return _hear_what_left(promise, state, message, now)
        case Awaited():
            return describing.link_if_there_is_room(state.facts, message.conversation, now)
        case IssueFiledFor():
            return waiting.filed_for(state, message, now)
        case IssueReported():
            return waiting.hear_of_issue(state, message, now)
        case AnswerOrdered():
            return sending.send_answer(state, message, now)
        case TimeCame():
            return wake(promise, state, now)
        case Continued():
            return answering.answered_again(state, message.said, now, follow_up=message.follow_up)
        case _:
            assert_never(message)


def _hear_what_left(
    promise: Promise, state: Ticket, talk: TicketSpokenFor | TicketNotSpokenFor | ReachChanged, now: datetime
) -> list[Event]:
    match talk:
        case TicketSpokenFor(automatic=True):
            return reminding.reminded(promise.follow_ups, promise.calendar, state, talk, now)
        case TicketSpokenFor():
            return answering.spoken_for(state, talk, now)
        case TicketNotSpokenFor(automatic=True):
            return reminding.missed(promise.follow_ups, state, talk, now)
        case TicketNotSpokenFor():
            return sending.not_spoken_for(state, talk, now)
        case ReachChanged():
            return sending.reach_changed(state, talk, now)
        case _:
            assert_never(talk)


def _answer(state: Ticket, wish: Wish[Command], now: datetime) -> list[Event]:
    facts, asked = state.facts, wish.command
    if isinstance(asked, RestoreTicket):
        return solving.restore(facts, wish.known.part, now)
    if isinstance(asked, OpenTicket):
        return []
    if facts.deleted is not None:
        raise Refused("ticket_is_deleted", f"TKT-{facts.number} is deleted. Restore it first.")
    insist_on_version(f"TKT-{facts.number}", facts.version, asked)
    match asked:
        case LinkIssue():
            return waiting.link_issue(state, _as(wish, asked), now)
        case UnlinkIssue():
            return waiting.unlink_issue(facts, asked, now)
        case HoldTicket():
            return waiting.hold(facts, asked, now)
        case EndTicketWait():
            return waiting.end_wait(facts, asked, now)
        case SolveTicket():
            return solving.solve(facts, asked, now)
        case CancelTicket():
            return solving.cancel(facts, asked, now)
        case DeleteTicket():
            return solving.delete(facts, asked, wish.by, now)
        case RecordAnswer():
            return answering.record_answer(facts, _as(wish, asked), now)
        case RecordCustomer():
            return answering.record_customer(facts, asked, now)
        case DecideAnswer():
            return answering.decide_answer(facts, asked, now)
        case _:
            return _describe(facts, wish, asked, now)


def _describe(
    facts: TicketFacts, wish: Wish[Command],
    asked: ChangeTicket | SwitchRequester | LinkConversation | UnlinkConversation | TagCustomerEngineer
    | AddTicketTask | ChangeTicketTask,
    now: datetime,
) -> list[Event]:  # fmt: skip
    match asked:
        case ChangeTicket():
            return describing.change(facts, _as(wish, asked), now)
        case SwitchRequester():
            return describing.switch_requester(facts, asked, now)
        case LinkConversation():
            return describing.link_conversation(facts, asked, now)
        case UnlinkConversation():
            return describing.unlink_conversation(facts, asked, now)
        case TagCustomerEngineer():
            return describing.tag_engineer(facts, now)
        case AddTicketTask():
            return describing.add_task(facts, _as(wish, asked), now)
        case ChangeTicketTask():
            return describing.change_task(facts, asked, now)
        case _:
            assert_never(asked)


def _as(wish: Wish[Command], command: C) -> Wish[C]:
    """The same wish, known by the command that it is."""
    return replace(wish, command=command)  # type: ignore[return-value, arg-type]


def _answer_who_waits(facts: TicketFacts, awaited: Awaited, news: list[Event], now: datetime) -> list[Event]:
    """Whoever begins to wait for what is over already need not wait; to what is final nothing is linked."""
    over = facts.deleted is not None or facts.stage not in UNSOLVED
    if not over:
        return news
    linked = any(isinstance(report, TicketReported) and report.linked for report in news)
    known = any(conversation.id == awaited.conversation.id for conversation in facts.conversations)
    ending: Ending = "deleted" if facts.deleted else "cancelled" if facts.stage is CANCELED else "completed"
    return [
        TicketReported(
            conversation_id=awaited.conversation.id,
            at=now,
            ticket=linked_ticket(facts),
            linked=facts.deleted is None and (linked or known),
            ended=ending,
            prepared=prepared(facts, ending),
        )
    ]
