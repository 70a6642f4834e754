"""What ticketing hears and answers."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

from deskstream.contracts import Event
from deskstream.contracts import issues as of_issues
from deskstream.contracts import part_commands as of_parts
from deskstream.contracts import ticket_commands as of_tickets
from deskstream.contracts.linked import IssueStage
from deskstream.contracts.links import (
    AnswerMissed,
    AnswerOrdered,
    DefaultPassed,
    IssueFiledFor,
    IssueReported,
    PartTicketJoined,
    PartTicketLeft,
    TicketContinued,
    TicketJoined,
    TicketLeft,
    WaiterCalledBack,
    WaiterPassedOn,
)
from deskstream.contracts.ticket_talk import (
    CustomerAnswered,
    IssueAwaited,
    ReachChanged,
    TicketAwaited,
    TicketNotSpokenFor,
    TicketSpokenFor,
)
from deskstream.contracts.ticketing import TicketChanged
from deskstream.messaging import Absorb, Aggregate, Answer, Due, Heard, On, Query, Tx
from deskstream.messaging.declare import Answers, Hears
from deskstream.ticketing import look_ups
from deskstream.ticketing.domain import TimeCame, Wish, issue, part, ticket, told_late
from deskstream.ticketing.domain.taken_back import once
from deskstream.ticketing.domain.ticket import Promise
from deskstream.ticketing.domain.ticket.deciding import Answered, Continued
from deskstream.ticketing.store import chain, issues, parts, reading, tickets

LookUp = Callable[[Tx, Sequence[Heard[Any]], datetime], Any]
Decide = Callable[[Any, Any, datetime], Sequence[Event]]


def _woken_once(decide: Decide, told: Callable[[Any, datetime], Sequence[Event]]) -> Decide:
    """Nothing but a migration wakes these, to say what was never said."""
    return lambda state, message, now: told(state, now) if isinstance(message, Due) else decide(state, message, now)


def _never(state: object) -> None:
    return None


def _taken_back(evolve: Callable[[Any, Event], Any]) -> Callable[[Any, Any, Event], Any]:
    return lambda state, message, event: once(evolve)(state, event)


ISSUES = Aggregate(
    "issue",
    issues.load,
    issues.save,
    _woken_once(issue.decide, told_late.of_issue),
    issue.evolve,
    _never,
    take_back=_taken_back(issue.evolve),
)
PARTS = Aggregate(
    "part",
    parts.load,
    parts.save,
    _woken_once(part.decide, told_late.of_part),
    part.evolve,
    _never,
    take_back=_taken_back(part.evolve),
)


def tickets_under(promise: Promise) -> Aggregate:
    """Tickets, which are woken as the promise says."""
    return Aggregate(
        "ticket",
        tickets.load,
        tickets.save,
        partial(_decide, promise),
        ticket.evolve,
        partial(ticket.due, promise),
        take_back=_taken_back(ticket.evolve),
    )


def _decide(promise: Promise, state: ticket.TicketState, message: Any, now: datetime) -> Sequence[Event]:
    return ticket.decide(promise, state, TimeCame() if isinstance(message, Due) else message, now)


def hears(of: Aggregate) -> list[Hears]:
    """Conversations that have tickets, and each other."""
    return [
        On(CustomerAnswered, of, key=_answered, becomes=look_ups.answered),
        On(TicketSpokenFor, of, key=_ticket),
        On(TicketNotSpokenFor, of, key=_ticket),
        On(ReachChanged, of, key=_ticket),
        On(TicketAwaited, of, key=_ticket, resolve=look_ups.awaited_tickets),
        On(IssueAwaited, ISSUES, key=_issue, resolve=look_ups.awaited_issues),
        On(IssueFiledFor, of, key=_ticket),
        On(IssueReported, of, key=_ticket),
        On(AnswerOrdered, of, key=_ticket),
        On(TicketContinued, of, key=_continued, resolve=look_ups.continuing),
        Absorb(TicketJoined, ISSUES, key=_issue),
        On(TicketJoined, ISSUES, key=_issue),
        Absorb(TicketLeft, ISSUES, key=_issue),
        On(TicketLeft, ISSUES, key=_issue),
        On(WaiterPassedOn, ISSUES, key=_issue),
        On(WaiterCalledBack, ISSUES, key=_issue),
        On(AnswerMissed, ISSUES, key=_issue),
        Absorb(PartTicketJoined, PARTS, key=_part),
        On(PartTicketJoined, PARTS, key=_part),
        Absorb(PartTicketLeft, PARTS, key=_part),
        On(PartTicketLeft, PARTS, key=_part),
        On(DefaultPassed, PARTS, key=_part),
    ]


def answers(of: Aggregate) -> list[Answers]:
    """The commands and queries."""
    return [*_of_tickets(of), *_of_issues(), *_of_parts(), *QUERIES]


def _of_tickets(of: Aggregate) -> list[Answers]:
    plain = (
        of_tickets.SwitchRequester, of_tickets.LinkConversation, of_tickets.UnlinkConversation, of_tickets.UnlinkIssue,
        of_tickets.RecordAnswer, of_tickets.RecordCustomer, of_tickets.DecideAnswer, of_tickets.HoldTicket,
        of_tickets.EndTicketWait, of_tickets.TagCustomerEngineer, of_tickets.AddTicketTask,
        of_tickets.ChangeTicketTask, of_tickets.SolveTicket, of_tickets.CancelTicket, of_tickets.DeleteTicket,
    )  # fmt: skip
    looking_up: dict[type[Any], LookUp] = {
        of_tickets.OpenTicket: look_ups.opening,
        of_tickets.ChangeTicket: look_ups.changing_ticket,
        of_tickets.LinkIssue: look_ups.linking,
        of_tickets.RestoreTicket: look_ups.restoring_ticket,
    }
    return [
        *(Answer(kind, of, key=_wished, becomes=look_ups.of_ticket, result=_show("ticket")) for kind in plain),
        *(Answer(kind, of, key=_wished, resolve=look, result=_show("ticket")) for kind, look in looking_up.items()),
    ]


def _of_issues() -> list[Answers]:
    plain = (
        of_issues.AddIssueTask, of_issues.ChangeIssueTask, of_issues.UnrelateIssue, of_issues.DeleteIssue,
    )  # fmt: skip
    looking_up: dict[type[Any], LookUp] = {
        of_issues.FileIssue: look_ups.filing,
        of_issues.ChangeIssue: look_ups.changing_issue,
        of_issues.AcceptIssue: look_ups.with_people,
        of_issues.PublishIssue: look_ups.with_people,
        of_issues.MarkSecurity: look_ups.with_people,
        of_issues.MoveIssue: look_ups.moving_issue,
        of_issues.RelateIssue: look_ups.relating,
        of_issues.RestoreIssue: look_ups.restoring_issue,
    }
    return [
        Answer(of_issues.ApproveAnswer, ISSUES, key=_wished, resolve=look_ups.approving, result=_show_approved),
        *(Answer(kind, ISSUES, key=_wished, becomes=look_ups.of_issue, result=_show("issue")) for kind in plain),
        *(Answer(kind, ISSUES, key=_wished, resolve=look, result=_show("issue")) for kind, look in looking_up.items()),
    ]


def _of_parts() -> list[Answers]:
    answer = partial(Answer, aggregate=PARTS, key=_wished, result=_show("part"))
    # Whatever else is decided in their batch would hang on a part that goes, or move one that they look at.
    alone: dict[type[Any], LookUp] = {
        of_parts.MovePart: look_ups.moving_part,
        of_parts.DeletePart: look_ups.deleting_part,
        of_parts.RestorePart: look_ups.restoring_part,
    }
    return [
        answer(of_parts.SavePart, resolve=look_ups.saving_part),
        *(answer(kind, resolve=look, alone=True) for kind, look in alone.items()),
    ]


QUERIES: list[Answers] = [
    Query(of_tickets.FindTicket, reading.find_ticket),
    Query(of_tickets.ListTickets, reading.list_tickets),
    Query(of_tickets.CountTickets, reading.count_tickets),
    Query(of_tickets.ListCustomerTickets, reading.list_customer_tickets),
    Query(of_tickets.ReadChain, chain.read_chain),
    Query(of_issues.FindIssue, reading.find_issue),
    Query(of_issues.ListIssues, reading.list_issues),
    Query(of_parts.FindPart, reading.find_part),
    Query(of_parts.ListParts, reading.list_parts),
]


_NO_WAY_BACK: Final = (IssueStage.TRIAGE, IssueStage.DUPLICATE)
"""Nothing goes back to triage, and a duplicate is one of something that a stage does not name."""


def _show(name: str) -> Callable[[Any, Sequence[Event]], dict[str, Any]]:
    """What a command is answered: the public state after it, and how what it changed is taken back."""
    return lambda state, said: {name: state.facts.model_dump(mode="json")} | _before(said)


def _before(said: Sequence[Event]) -> dict[str, Any]:
    for event in said:
        if isinstance(event, TicketChanged | of_issues.IssueChanged):
            return {"before": event.model_dump(mode="json", include={"before"})["before"]}
        if isinstance(event, of_issues.IssueMoved) and event.stage_before not in _NO_WAY_BACK:
            return {"before": {"stage": event.stage_before}}
    return {}


def _show_approved(state: Any, said: Sequence[Event]) -> dict[str, Any]:
    """W11: how many customers' tickets are answered, whom the answer leaves out, and how many the next one reaches."""
    (approved,) = (event for event in said if isinstance(event, of_issues.AnswerApproved))
    left_out = [{"why": one.why, "tickets": [f"TKT-{number}" for number in one.tickets]} for one in approved.left_out]
    return {
        **_show("issue")(state, said),
        "answered": len(approved.tickets),
        "left_out": left_out,
        "left": approved.left,
    }


def _wished(wish: Wish[Any]) -> object:
    return wish.object_id


def _answered(message: Answered) -> object:
    return message.talk.ticket_id


def _continued(message: Continued) -> object:
    return message.said.ticket_id


def _ticket(message: Any) -> object:
    return message.ticket_id


def _issue(message: Any) -> object:
    return message.issue_id


def _part(message: Any) -> object:
    return message.part_id
