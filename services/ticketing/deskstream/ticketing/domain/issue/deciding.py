"""Which decision a message to an issue asks for, and who is told of it."""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce
from typing import Any, TypeAlias, TypeVar, assert_never

from deskstream.contracts import Event, Refused
from deskstream.contracts.chain_facts import Weight
from deskstream.contracts.ids import IssueId
from deskstream.contracts.issues import (
    AcceptIssue,
    AddIssueTask,
    ApproveAnswer,
    ChangeIssue,
    ChangeIssueTask,
    DeleteIssue,
    FileIssue,
    IssueWeighed,
    MarkSecurity,
    MoveIssue,
    PublishIssue,
    RelateIssue,
    RestoreIssue,
    UnrelateIssue,
)
from deskstream.contracts.linked import ConversationRef
from deskstream.contracts.links import (
    AnswerMissed,
    IssueReported,
    TicketJoined,
    TicketLeft,
    WaiterCalledBack,
    WaiterPassedOn,
)
from deskstream.ticketing.domain.issue import publishing, watching, working
from deskstream.ticketing.domain.issue.changing import said, shown
from deskstream.ticketing.domain.issue.state import Issue, IssueState, Unfiled, Watcher, evolve
from deskstream.ticketing.domain.versions import insist_on_version
from deskstream.ticketing.domain.wishes import Wish

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Awaited:
    """A conversation waits for this issue; `issue_id` is nobody's where none has that number."""

    issue_id: IssueId
    name: str
    conversation: ConversationRef


Command: TypeAlias = (
    FileIssue
    | ChangeIssue
    | AcceptIssue
    | MoveIssue
    | AddIssueTask
    | ChangeIssueTask
    | RelateIssue
    | UnrelateIssue
    | MarkSecurity
    | PublishIssue
    | ApproveAnswer
    | DeleteIssue
    | RestoreIssue
)
Message: TypeAlias = (
    Wish[Command] | TicketJoined | TicketLeft | Awaited | WaiterPassedOn | WaiterCalledBack | AnswerMissed
)


def decide(state: IssueState, message: Message, now: datetime) -> list[Event]:
    """What is said about a message, also to others. Raises `Refused` when the rules say no, to commands only."""
    if isinstance(message, Wish):
        events = _answer(state, message, now)
        after = reduce(evolve, events, state)
        return [*events, *_tell(state, after, now), *publishing.confidentiality(state, after, now)]
    if isinstance(state, Unfiled):
        return []
    match message:
        case Awaited() | WaiterPassedOn():
            return watching.watch(state, Watcher(message.conversation, message.name), now)
        case WaiterCalledBack():
            return watching.unwatch(state, Watcher(message.conversation, message.name), now)
        case TicketJoined():
            return [*_weigh(state, message, now, linked=True), _reported(state, message, now)]
        case TicketLeft():
            return _weigh(state, message, now, linked=False)
        case AnswerMissed():
            return publishing.missed(state, message, now)
        case _:
            assert_never(message)


def _answer(state: IssueState, wish: Wish[Command], now: datetime) -> list[Event]:
    asked = wish.command
    if isinstance(state, Unfiled):
        if isinstance(asked, FileIssue):
            return working.file(state, _as(wish, asked), now)
        raise Refused("issue_not_found", "There is no such issue. Look for it by its number.")
    if isinstance(asked, RestoreIssue):
        return working.restore(state.facts, wish.known.part, now)
    if isinstance(asked, FileIssue):
        return []
    if state.facts.deleted is not None:
        raise Refused("issue_is_deleted", f"ISS-{state.facts.number} is deleted. Restore it first.")
    insist_on_version(f"ISS-{state.facts.number}", state.facts.version, asked)
    return _work(state, wish, asked, now)


def _work(state: Issue, wish: Wish[Command], asked: Any, now: datetime) -> list[Event]:
    facts = state.facts
    match asked:
        case ChangeIssue():
            return working.change(state, _as(wish, asked), now)
        case AcceptIssue():
            return working.accept(facts, _as(wish, asked), now)
        case MoveIssue():
            return working.move(state, _as(wish, asked), now)
        case AddIssueTask():
            return working.add_task(facts, _as(wish, asked), now)
        case ChangeIssueTask():
            return working.change_task(facts, asked, now)
        case RelateIssue():
            return working.relate(facts, _as(wish, asked), now)
        case UnrelateIssue():
            return working.unrelate(facts, asked, now)
        case DeleteIssue():
            return working.delete(facts, asked, wish.by, now)
        case _:
            return _publish(state, wish, asked, now)


def _publish(
    state: Issue, wish: Wish[Command], asked: MarkSecurity | PublishIssue | ApproveAnswer, now: datetime
) -> list[Event]:
    match asked:
        case MarkSecurity():
            return publishing.mark(state.facts, _as(wish, asked), now)
        case PublishIssue():
            return publishing.publish(state.facts, _as(wish, asked), now)
        case ApproveAnswer():
            return publishing.approve(state, _as(wish, asked), now)
        case _:
            assert_never(asked)


def _tell(state: IssueState, after: IssueState, now: datetime) -> list[Event]:
    """Tickets hear what they may know of it; who waits without one hears that it is over."""
    if isinstance(state, Unfiled) or isinstance(after, Unfiled):
        return []
    if shown(after.facts) == shown(state.facts) and after.original == state.original:
        return []
    told: list[Event] = [
        IssueReported(ticket_id=ticket, at=now, issue=shown(after.facts), original=after.original)
        for ticket in after.tickets
    ]
    return [*told, *watching.tell_watchers(state, after, now)]


def _weigh(state: Issue, message: TicketJoined | TicketLeft, now: datetime, *, linked: bool) -> list[Event]:
    """W13: who came or went stands in the state already."""
    customers = {joined.customer for joined in state.tickets.values()}
    weight = Weight(tickets=len(state.tickets), customers=len(customers))
    if weight == state.facts.weight:
        return []
    told = {"ticket_id": message.ticket_id, "linked": linked}
    return [said(IssueWeighed, state.facts, now, {"weight": weight}, **told)]


def _reported(state: Issue, message: TicketJoined, now: datetime) -> Event:
    """Whoever joins is told how things stand: it may have ended on the way."""
    return IssueReported(ticket_id=message.ticket_id, at=now, issue=shown(state.facts), original=state.original)


def _as(wish: Wish[Command], command: C) -> Wish[C]:
    """The same wish, known by the command that it is."""
    return replace(wish, command=command)  # type: ignore[return-value, arg-type]
