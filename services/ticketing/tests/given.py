"""Tickets, issues and parts as people make them: all objects of a desk in memory, and the way of what they say."""

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import count, zip_longest
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from deskstream.calendars import BusinessCalendar, Window
from deskstream.contracts import Event
from deskstream.contracts import issues as of_issues
from deskstream.contracts import ticket_commands as of_tickets
from deskstream.contracts.chain_facts import PartFacts, PartKind, PartRef, TicketFacts
from deskstream.contracts.facts import AccountFacts, ContactFacts
from deskstream.contracts.ids import (
    AccountId,
    AgentId,
    ContactId,
    ConversationId,
    IssueId,
    MessageId,
    PartId,
    ReplyId,
    TaskId,
    TicketId,
)
from deskstream.contracts.linked import ConversationRef, NotSent, SpeaksFor
from deskstream.contracts.links import LANE as LINKS
from deskstream.contracts.links import TicketContinued
from deskstream.contracts.ticket_talk import CustomerAnswered, ReachChanged, TicketNotSpokenFor, TicketSpokenFor
from deskstream.contracts.way_back import ReplyWanted
from deskstream.ticketing.domain import Addressed, Known, TimeCame, Wish, issue, part, ticket
from deskstream.ticketing.domain.issue.changing import shown
from deskstream.ticketing.domain.ticket.deciding import Answered, Continued

BERLIN = ZoneInfo("Europe/Berlin")
NAMES = UUID("00000000-0000-4000-8000-000000000000")
ANNA, BRUNO, CARLA = AgentId("anna"), AgentId("bruno"), AgentId("carla")
MORNING = datetime(2026, 5, 4, 9, 0, tzinfo=BERLIN)

_numbers = count(1)


def new_id() -> UUID:
    return uuid5(NAMES, str(next(_numbers)))


def follow_up_of(ticket_id: UUID) -> TicketId:
    return TicketId(uuid5(ticket_id, "follow_up"))


def hour(at: int) -> int:
    return at * 3600


OFFICE = BusinessCalendar(
    id="office",
    version="1",
    zone=BERLIN,
    week=(((Window(hour(9), hour(12)), Window(hour(13), hour(17))),) * 5) + ((), ()),
    days_off=lambda year: {date(2026, 5, 1): "Labour Day"} if year == 2026 else {},
)
PROMISE = ticket.Promise(OFFICE)
PRODUCT = PartRef(id=PartId(uuid5(NAMES, "product")), number=1, name="Product", kind=PartKind.PRODUCT)
DARK_MODE = PartRef(id=PartId(uuid5(NAMES, "dark")), number=2, name="Dark mode", kind=PartKind.ENHANCEMENT)
ACME = AccountFacts(id=AccountId(uuid5(NAMES, "acme")), name="Acme")
ADA = ContactFacts(id=ContactId(uuid5(NAMES, "ada")), name="Ada", email="ada@acme.com")


def conversation(number: int = 12) -> ConversationRef:
    return ConversationRef(id=ConversationId(uuid5(NAMES, f"CONV-{number}")), number=number, channel="email")


def berlin(day: int, clock: str, month: int = 5) -> datetime:
    hours, minutes = clock.split(":")
    return datetime(2026, month, day, int(hours), int(minutes), tzinfo=BERLIN)


@dataclass
class Desk:
    """Every object that was made, and what they said; what they say to each other arrives in order per object."""

    now: datetime = MORNING
    promise: ticket.Promise = PROMISE
    tickets: dict[UUID, ticket.TicketState] = field(default_factory=dict)
    issues: dict[UUID, issue.IssueState] = field(default_factory=dict)
    parts: dict[UUID, Any] = field(default_factory=dict)
    said: list[Any] = field(default_factory=list)
    queues: dict[str, list[Event]] = field(default_factory=lambda: defaultdict(list))
    """What is under way, per key."""
    wanted: list[ReplyWanted] = field(default_factory=list)
    """What conversations were asked to send, and said nothing about yet."""
    choose: Callable[[Sequence[str]], str] = min
    """Whose turn it is, of all keys with something under way."""

    def settle(self) -> None:
        """Until nothing is under way."""
        while keys := sorted(key for key, queue in self.queues.items() if queue):
            self._arrive(self.queues[self.choose(keys)].pop(0))

    def tell_ticket(self, ticket_id: UUID, message: Any) -> list[Any]:
        state = self.tickets.get(ticket_id) or ticket.Unopened(TicketId(ticket_id), len(self.tickets) + 1)
        said = ticket.decide(self.promise, state, message, self.now)
        for event in said:
            state = ticket.evolve(state, event)
        self.tickets[ticket_id] = state
        return self._heard(said)

    def tell_issue(self, issue_id: UUID, message: Any) -> list[Any]:
        state = self.issues.get(issue_id) or issue.Unfiled(IssueId(issue_id), len(self.issues) + 31)
        if isinstance(message, Event):
            state = issue.evolve(state, message)
        said = issue.decide(state, message, self.now)
        for event in said:
            state = issue.evolve(state, event)
        self.issues[issue_id] = state
        return self._heard(said)

    def tell_part(self, part_id: UUID, message: Any) -> list[Any]:
        state = self.parts.get(part_id) or part.Unmade(PartId(part_id), len(self.parts) + 1)
        if isinstance(message, Event):
            state = part.evolve(state, message)
        said = part.decide(state, message, self.now)
        for event in said:
            state = part.evolve(state, event)
        self.parts[part_id] = state
        return self._heard(said)

    def _heard(self, said: list[Any]) -> list[Any]:
        self.said += said
        for event in said:
            if event.lane() == LINKS:
                self.queues[event.key()].append(event)
            elif isinstance(event, ReplyWanted):
                self.wanted.append(event)
        return said

    def _arrive(self, event: Event) -> None:
        if isinstance(event, TicketContinued):
            self.tell_ticket(event.ticket_id, Continued(event, follow_up_of(event.ticket_id)))
            return
        {"ticket_id": self.tell_ticket, "issue_id": self.tell_issue, "part_id": self.tell_part}[event.KEY](
            UUID(event.key()), event
        )

    def ask(self, of: UUID, kind: type[Any], /, **more: Any) -> list[Any]:
        """A command to an object that exists, `by` somebody, with what is `known`; what was said."""
        by, known = more.pop("by", ANNA), more.pop("known", Known())
        if kind is of_issues.ApproveAnswer:
            known = Known(addressed=self._addressed(of))
        name = next(name for name in ("ticket_id", "issue_id", "part_id") if name in kind.model_fields)
        tell = {"ticket_id": self.tell_ticket, "issue_id": self.tell_issue, "part_id": self.tell_part}[name]
        return tell(of, Wish(of, kind(**more | {name: of}), by=by, task_id=TaskId(new_id()), known=known))

    def _addressed(self, of: UUID) -> dict[TicketId, Addressed]:
        waiting = [self.tickets.get(one) for one, joined in self.issue(of).tickets.items() if not joined.answered]
        known = [state.facts for state in waiting if isinstance(state, ticket.Ticket)]
        return {it.id: _addressed(it, f"ISS-{self.issue(of).facts.number}") for it in known}

    def open(self, *, at: PartRef = PRODUCT, issue_of: UUID | None = None, **more: Any) -> Any:
        """A ticket of Ada's."""
        new = new_id()
        wanted = {"title": "It crashes", "requester": ADA, "account": ACME, "conversation": conversation()} | more
        if issue_of is not None:
            wanted["issue_id"] = issue_of
        found = Known(part=at, issue=self.ref(issue_of) if issue_of else None)
        self.tell_ticket(new, Wish(new, of_tickets.OpenTicket(**wanted), by=ANNA, known=found))
        return new

    def file(self, *tickets: UUID, wait: bool = False, title: str = "Null pointer in the parser", **more: Any) -> Any:
        new = new_id()
        wanted = of_issues.FileIssue(title=title, tickets=tuple(TicketId(t) for t in tickets), wait=wait, **more)
        self.tell_issue(new, Wish(new, wanted, by=BRUNO, known=Known(part=PRODUCT)))
        return new

    def ref(self, issue_id: UUID) -> Any:
        return shown(self.issue(issue_id).facts)

    def hold(self, of: UUID, *issues: UUID) -> None:
        """On hold for issues that are linked to it."""
        waits = [{"kind": "issue", "name": f"ISS-{self.issue(one).facts.number}"} for one in issues]
        self.ask(of, of_tickets.HoldTicket, waits=waits)

    def link(self, of: UUID, to: UUID, *, wait: bool = False) -> list[Any]:
        return self.ask(of, of_tickets.LinkIssue, issue_id=to, wait=wait, known=Known(issue=self.ref(to)))

    def accept(self, of: UUID) -> None:
        self.ask(of, of_issues.AcceptIssue, by=CARLA)

    def end(self, of: UUID, stage: str = "completed", *, original: UUID | None = None) -> list[Any]:
        """Accepted where it has to be, and over."""
        if self.issue(of).facts.stage == "triage":
            self.accept(of)
        found = Known(issue=self.ref(original)) if original else None
        more = {"duplicate_of": original} if original else {}
        return self.ask(of, of_issues.MoveIssue, stage=stage, reason="because", known=found, **more)

    def customer(self, of: UUID, concerns: str = "this_ticket", **more: Any) -> list[Any]:
        told = {"conversation": conversation(), "message_id": MessageId(new_id()), "concerns": concerns} | more
        wrote = CustomerAnswered(**{"at": self.now, "ticket_id": of} | told)
        return self.tell_ticket(of, Answered(wrote, follow_up_of(of)))

    def reply(self, of: UUID, *gives: str, asks: str | None = None, automatic: bool = False) -> list[Any]:
        speaks = SpeaksFor(ticket_id=TicketId(of), asks=asks, gives=gives)
        told = TicketSpokenFor(
            at=self.now, ticket_id=of, conversation=conversation(), reply_id=ReplyId(new_id()), by=ANNA, speaks=speaks,
            automatic=automatic,
        )  # fmt: skip
        return self.tell_ticket(of, told)

    def silence(self, of: UUID, why: Any, where: ConversationRef | None = None) -> list[Any]:
        """Nothing can be sent in a conversation of its any more; None: something can again."""
        ref = (where or conversation()).model_copy(update={"silenced": why})
        return self.tell_ticket(of, ReachChanged(ticket_id=TicketId(of), at=self.now, conversation=ref))

    def deliver(self, *whys: NotSent | None) -> list[Any]:
        """What conversations were asked to send leaves; or it does not, for the reason that stands in its place."""
        wanted, self.wanted = self.wanted, []
        said = []
        for one, why in zip_longest(wanted, whys[: len(wanted)]):
            to = ConversationRef(id=one.conversation_id, number=12, channel="email")
            told = {"ticket_id": one.speaks_for.ticket_id, "at": self.now, "conversation": to, "by": one.by or ANNA}
            told |= {"reply_id": one.reply_id, "automatic": one.by is None}
            left = TicketSpokenFor(**told, speaks=one.speaks_for) if why is None else None
            said += self.tell_ticket(one.speaks_for.ticket_id, left or TicketNotSpokenFor(**told, why=why))
        return said

    def wake(self, of: UUID, why: NotSent | None = None) -> list[Any]:
        """At the moment that it asked for; what it wants to send leaves, unless a reason is given."""
        moment = self.due(of)
        assert moment is not None
        self.now = max(moment, self.now)
        return [*self.tell_ticket(of, TimeCame()), *self.deliver(why)]

    def due(self, of: UUID) -> datetime | None:
        return ticket.due(self.promise, self.tickets[of])

    def ticket(self, of: UUID) -> Any:
        state = self.tickets[of]
        assert isinstance(state, ticket.Ticket)
        return state

    def issue(self, of: UUID) -> Any:
        state = self.issues[of]
        assert isinstance(state, issue.Issue)
        return state

    def stage(self, of: UUID) -> str:
        return str(self.ticket(of).facts.stage)

    def told(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.said if isinstance(event, kind)]

    def in_stage(self, stage: str, **more: Any) -> Any:
        """A ticket that came to a stage the way people bring it there."""
        one = self.open(**more)
        match stage:
            case "open":
                self.reply(one)
            case "pending":
                self.reply(one, asks="information")
            case "on_hold":
                self.ask(one, of_tickets.HoldTicket, waits=[{"kind": "person", "name": "carla"}])
            case "solved" | "closed":
                self.customer(one, solved=True)
                self.ask(one, of_tickets.SolveTicket, category="confirmed")
                if stage == "closed":
                    self.wake(one)
            case "canceled":
                self.ask(one, of_tickets.CancelTicket, reason="a double")
        assert self.stage(one) == stage
        return one


def shuffled(seed: int) -> Callable[[Sequence[str]], str]:
    """Some order, the same for the same seed."""
    dice = random.Random(seed)
    return lambda keys: dice.choice(list(keys))


def names(said: Sequence[Event]) -> list[str]:
    return [event.NAME for event in said]


def made_part(kind: PartKind = PartKind.PRODUCT, **more: Any) -> PartFacts:
    return PartFacts(**{"id": PartId(new_id()), "number": 9, "version": 1, "name": kind.value, "kind": kind} | more)


def later(**by: float) -> timedelta:
    return timedelta(**by)


def _addressed(facts: TicketFacts, about: str) -> Addressed:
    waits = any(wait.name != about for wait in facts.waits)
    return Addressed(facts.number, tuple(one.silenced for one in facts.conversations), facts.internal, waits)
