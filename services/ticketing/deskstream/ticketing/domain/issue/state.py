"""What is remembered of an issue: its facts, its text, and the tickets and conversations that wait for it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple, TypeAlias

from deskstream.contracts import Event
from deskstream.contracts.chain_facts import IssueFacts
from deskstream.contracts.ids import IssueId, TicketId
from deskstream.contracts.issues import (
    AnswerApproved,
    AnswerLeftOut,
    IssueEvent,
    IssueFiled,
    IssueMoved,
    IssueRelated,
    IssueSecurityMarked,
    IssueTextChanged,
    IssueUnrelated,
    IssueWatched,
    PublicationHeld,
)
from deskstream.contracts.linked import ConversationRef, IssueRef
from deskstream.contracts.links import TicketJoined, TicketLeft
from deskstream.ticketing.domain.issue.stages import ENDED

WITHHELD_LIMIT: Final = 50


class Watcher(NamedTuple):
    """A conversation that waits for an issue, and the name that it waits for."""

    conversation: ConversationRef
    name: str


class Joined(NamedTuple):
    """A ticket that hangs on an issue."""

    customer: str
    answered: bool = False
    """Whether an answer about the issue was approved for it."""


@dataclass(frozen=True, slots=True)
class Unfiled:
    """An issue that does not exist; `number` is the one it gets."""

    id: IssueId
    number: int


@dataclass(frozen=True, slots=True)
class Issue:
    facts: IssueFacts
    text: str = ""
    watchers: tuple[Watcher, ...] = ()
    """Conversations that wait for it without a ticket between them."""
    original: IssueRef | None = None
    """Of a duplicate."""
    withheld: tuple[str, ...] = ()
    """Links that it had, or was to have: if it becomes confidential, nobody is told them."""
    tickets: Mapping[TicketId, Joined] = field(default_factory=dict)
    moved: Mapping[TicketId, Joined | None] = field(default_factory=dict)
    """What of `tickets` is not stored yet; None: gone."""
    rerelated: bool = False
    """Whether its relations changed since it was loaded."""
    rewatched: bool = False
    """Whether somebody more waits for it since it was loaded."""

    @property
    def id(self) -> IssueId:
        return self.facts.id


IssueState: TypeAlias = Unfiled | Issue


def evolve(state: IssueState, event: Event) -> IssueState:
    """The state after an event; the same state for events that do not concern it."""
    if isinstance(state, Unfiled):
        return Issue(event.after, text=event.text) if isinstance(event, IssueFiled) else state
    match event:
        case IssueEvent():
            return _told(replace(state, facts=event.after, withheld=_links_it_had(state, event)), state, event)
        case TicketJoined():
            known = state.tickets.get(event.ticket_id)
            told = event.answered and event.ended_at in (None, state.facts.ended_at)
            answered = told or (known is not None and known.answered)
            return with_ticket(state, event.ticket_id, Joined(event.customer, answered))
        case TicketLeft():
            return with_ticket(state, event.ticket_id, None) if event.ticket_id in state.tickets else state
        case _:
            return state


def _told(after: Issue, before: Issue, event: IssueEvent) -> Issue:
    match event:
        case IssueTextChanged():
            return replace(after, text=event.text)
        case IssueMoved():
            moved = replace(after, original=event.original)
            return _to_be_told_anew(moved) if _taken_up(before, event) else moved
        case IssueWatched():
            watcher = Watcher(event.conversation, event.name)
            others = tuple(known for known in before.watchers if known != watcher)
            return replace(after, watchers=(*others, watcher) if event.waits else others, rewatched=True)
        case IssueRelated() | IssueUnrelated():
            return replace(after, rerelated=True)
        case AnswerApproved():
            return _marked(after, event.tickets, answered=True)
        case AnswerLeftOut():
            return _marked(after, (event.ticket_id,), answered=False)
        case _:
            return after


def _links_it_had(before: Issue, event: IssueEvent) -> tuple[str, ...]:
    links = [before.facts.public_link]
    if isinstance(event, IssueSecurityMarked | PublicationHeld):
        links.append(event.link)
    unsaid = (link for link in links if link is not None and link != event.after.public_link)
    return tuple(dict.fromkeys((*before.withheld, *unsaid)))[-WITHHELD_LIMIT:]


def _taken_up(before: Issue, moved: IssueMoved) -> bool:
    return before.facts.stage in ENDED and moved.after.stage not in ENDED


def _to_be_told_anew(state: Issue) -> Issue:
    """What was answered did not hold: once it is over again, everybody is answered again."""
    return _marked(state, [ticket for ticket, joined in state.tickets.items() if joined.answered], answered=False)


def _marked(state: Issue, tickets: Iterable[TicketId], *, answered: bool) -> Issue:
    marked = {ticket: state.tickets[ticket]._replace(answered=answered) for ticket in tickets}
    return replace(state, tickets={**state.tickets, **marked}, moved={**state.moved, **marked})


def with_ticket(state: Issue, ticket: TicketId, joined: Joined | None) -> Issue:
    """With a ticket more, or less."""
    tickets = {known: one for known, one in state.tickets.items() if known != ticket}
    if joined is not None:
        tickets[ticket] = joined
    return replace(state, tickets=tickets, moved={**state.moved, ticket: joined})
