"""What others are told of a change, by comparing before and after: conversations, issues, enhancements."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import reduce

from deskstream.contracts import Event
from deskstream.contracts.chain_facts import PartKind, TicketFacts
from deskstream.contracts.ids import ConversationId, IssueId, PartId
from deskstream.contracts.linked import ConversationRef, IssueRef, LinkedTicket
from deskstream.contracts.links import PartTicketJoined, PartTicketLeft, TicketJoined, TicketLeft
from deskstream.contracts.ticketing import (
    CustomerWrote,
    IssueUnlinked,
    LinkedIssueChanged,
    TicketCanceled,
    TicketDeleted,
    TicketEvent,
    TicketSolved,
    TicketWaitEnded,
)
from deskstream.contracts.way_back import Ending, TicketReported
from deskstream.ticketing.domain.issue.stages import UNENDED
from deskstream.ticketing.domain.ticket import stages
from deskstream.ticketing.domain.ticket.endings import ending_of, gravest
from deskstream.ticketing.domain.ticket.evolving import evolve
from deskstream.ticketing.domain.ticket.state import Ticket, TicketState
from deskstream.ticketing.domain.ticket.wording import prepared


def reports(state: TicketState, said: Sequence[Event], now: datetime) -> list[Event]:
    """What follows for others from what was said."""
    told = [event for event in said if isinstance(event, TicketEvent)]
    if not told:
        return []
    known = state if isinstance(state, Ticket) else None
    before = known.facts if known else None
    after = told[-1].after
    return [
        *_to_conversations(before, _ended(known, told) if known else None, told, now),
        *_to_issues(known, after, now),
        *_to_parts(before, after, now),
    ]


def linked_ticket(facts: TicketFacts) -> LinkedTicket:
    """A ticket as its conversations, and customers, know it."""
    return LinkedTicket(id=facts.id, number=facts.number, title=facts.title, stage=facts.stage, internal=facts.internal)


def customer_of(facts: TicketFacts) -> str:
    """By what customers are counted: account, else contact, else the ticket itself."""
    return str((facts.account or facts.requester or facts).id)


def _to_conversations(
    before: TicketFacts | None, ended: Ending | None, told: Sequence[TicketEvent], now: datetime
) -> Iterator[TicketReported]:
    after = told[-1].after
    ticket = linked_ticket(after)
    changed = before is None or linked_ticket(before) != ticket
    known, linked = _conversations(before), _conversations(after)
    for conversation in linked:
        if changed or ended or conversation not in known:
            answer = prepared(after, ended) if ended else None
            yield _report(conversation, ticket, now, ended=ended, answer=answer)
    for conversation in known:
        if conversation not in linked:
            answer = prepared(after, ended) if ended else None
            yield _report(conversation, ticket, now, linked=False, ended=ended, answer=answer)


def _report(
    conversation: ConversationId, ticket: LinkedTicket, now: datetime, *, linked: bool = True,
    ended: Ending | None = None, answer: str | None = None,
) -> TicketReported:  # fmt: skip
    return TicketReported(
        conversation_id=conversation, at=now, ticket=ticket, linked=linked, ended=ended, prepared=answer
    )


def _conversations(facts: TicketFacts | None) -> dict[ConversationId, ConversationRef]:
    if facts is None or facts.deleted is not None:
        return {}
    return {conversation.id: conversation for conversation in facts.conversations}


def _ended(known: Ticket, told: Sequence[TicketEvent]) -> Ending | None:
    """Whether those who wait for the ticket need wait no longer, and how what it waited for came to its end."""
    ended = next((end for event in told if (end := _ending(known, event)) is not None), None)
    if ended is not None or known.gravest is None or not isinstance(told[-1], CustomerWrote | IssueUnlinked):
        return ended
    # The rest of what it waited for was given up, and of what is over nobody was told.
    start: TicketState = known
    after = reduce(evolve, told, start)
    forgotten = isinstance(after, Ticket) and after.gravest is None and told[-1].after.stage is stages.OPEN
    return gravest(known.gravest, "dropped") if forgotten else None


def _ending(known: Ticket, event: TicketEvent) -> Ending | None:
    reopened = event.stage_before is stages.ON_HOLD and event.after.stage is stages.OPEN
    match event:
        case TicketSolved():
            return "completed"
        case TicketCanceled():
            return "cancelled"
        case TicketDeleted():
            return "deleted"
        case LinkedIssueChanged(ended=True) if event.after.stage is not stages.ON_HOLD:
            others = set(known.once_awaited) - {f"ISS-{event.issue.number}"}
            return gravest(known.gravest, ending_of(event.issue), "dropped" if others else None)
        case TicketWaitEnded(wait=wait) if reopened and wait.kind != "issue":
            return gravest(known.gravest, "dropped" if known.once_awaited else "completed")
        case TicketWaitEnded() | IssueUnlinked() if reopened:
            return gravest(known.gravest, "dropped")
        case _:
            return None


def _to_issues(state: Ticket | None, after: TicketFacts, now: datetime) -> Iterator[Event]:
    known, linked = _issues(state.facts if state else None), _issues(after)
    customer = customer_of(after)
    again = state is None or customer_of(state.facts) != customer
    for issue, ref in linked.items():
        if again or issue not in known:
            told = {}
            if state is not None and issue in state.told_of and ref.stage not in UNENDED:
                told = {"answered": True, "ended_at": state.ends_told.get(issue)}
            yield TicketJoined(issue_id=issue, at=now, ticket_id=after.id, customer=customer, **told)
    for issue in known:
        if issue not in linked:
            yield TicketLeft(issue_id=issue, at=now, ticket_id=after.id)


def _issues(facts: TicketFacts | None) -> dict[IssueId, IssueRef]:
    if facts is None or facts.deleted is not None:
        return {}
    return {issue.id: issue for issue in facts.issues}


def _to_parts(before: TicketFacts | None, after: TicketFacts, now: datetime) -> Iterator[Event]:
    """W13: enhancements are weighed; other parts would be a crowd's bottleneck."""
    known, now_on = _enhancement(before), _enhancement(after)
    customer = customer_of(after)
    if now_on is not None and (now_on != known or (before is not None and customer_of(before) != customer)):
        yield PartTicketJoined(part_id=now_on, at=now, ticket_id=after.id, customer=customer)
    if known is not None and known != now_on:
        yield PartTicketLeft(part_id=known, at=now, ticket_id=after.id)


def _enhancement(facts: TicketFacts | None) -> PartId | None:
    if facts is None or facts.deleted is not None or facts.part.kind is not PartKind.ENHANCEMENT:
        return None
    return facts.part.id
