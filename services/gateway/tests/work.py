"""Tickets, issues and parts as the gateway hears of them: every event as ticketing would say it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

from deskstream.contracts import Event, ticketing
from deskstream.contracts.chain_facts import IssueFacts, PartFacts, PartKind, PartRef, TicketFacts
from deskstream.contracts.facts import AccountFacts, ContactFacts
from deskstream.contracts.issues import IssueFiled
from deskstream.contracts.linked import IssueRef
from deskstream.contracts.ticketing import PartSaved, TicketOpened
from deskstream.messaging import Heard

MONDAY = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
NAMES = UUID("0b0c4b0e-5e4d-4f0c-8c55-0d4f9d0f7f21")


def id_of(name: str) -> UUID:
    return uuid5(NAMES, name)


def part_ref(number: int = 1, name: str = "Product", kind: PartKind = PartKind.PRODUCT) -> PartRef:
    return PartRef(id=id_of(f"part {number}"), number=number, name=name, kind=kind)


class Told:
    """One object of ticketing, told event by event."""

    first: type[Event]
    key: str

    def __init__(self, number: int, facts: Any, at: datetime = MONDAY) -> None:
        self.number = number
        self.at = at
        self.facts = facts
        self.sequence = 0

    @property
    def id(self) -> UUID:
        found: UUID = self.facts.id
        return found

    def later(self, **span: float) -> Any:
        self.at += timedelta(**span)
        return self

    def say(
        self, kind: type[Event], *, actor: str | None = None, now: dict[str, Any] | None = None, **said: Any
    ) -> Any:
        """The next event; `now` is what changes in the object's state."""
        before = getattr(self.facts, "stage", None) if self.sequence else None
        self.sequence += 1
        self.facts = type(self.facts).model_validate(self.facts.model_dump() | (now or {}) | {"version": self.sequence})
        address = {"at": self.at, self.key: self.id, "after": self.facts, "stage_before": before}
        return Heard(
            id=uuid4(), data=kind.model_validate(address | said), at=self.at, actor=actor, lane=kind.LANE,
            key=str(self.id), sequence=self.sequence, correlation=uuid4(),
        )  # fmt: skip

    def begun(self, **now: Any) -> Any:
        return self.say(self.first, now=now)


class Ticket(Told):
    first = TicketOpened
    key = "ticket_id"

    def __init__(self, number: int, at: datetime = MONDAY, **facts: Any) -> None:
        known = {
            "id": id_of(f"ticket {number}"), "number": number, "version": 0, "stage": "new",
            "title": f"It fails in {number} ways", "part": part_ref(), "created_at": at,
            "requester": ContactFacts(id=id_of("carla"), name="Carla"),
            "account": AccountFacts(id=id_of("acme"), name="Acme"),
        }  # fmt: skip
        super().__init__(number, TicketFacts.model_validate(known | facts), at)


class Issue(Told):
    first = IssueFiled
    key = "issue_id"

    def __init__(self, number: int, at: datetime = MONDAY, **facts: Any) -> None:
        known = {
            "id": id_of(f"issue {number}"), "number": number, "version": 0, "stage": "triage",
            "title": f"Null pointer {number}", "part": part_ref(), "created_at": at,
        }  # fmt: skip
        super().__init__(number, IssueFacts.model_validate(known | facts), at)


class Part(Told):
    first = PartSaved
    key = "part_id"

    def __init__(self, number: int, at: datetime = MONDAY, **facts: Any) -> None:
        known = {
            "id": id_of(f"part {number}"), "number": number, "version": 0, "name": f"Part {number}", "kind": "product",
        }  # fmt: skip
        super().__init__(number, PartFacts.model_validate(known | facts), at)


def issue_ref(number=31, stage="triage", **more):
    return IssueRef(id=id_of(f"issue {number}"), number=number, stage=stage, **more)


def opened(ticket, **now):
    return ticket.say(ticketing.TicketChanged, now={"stage": "open"} | now, fields=("stage", *now), actor="anna")


def solved(ticket):
    ticket.later(hours=1)
    now = {"stage": "solved", "resolution": "workaround", "solved_at": ticket.at}
    return ticket.say(ticketing.TicketSolved, now=now, category="workaround", actor="anna")


def handed(ticket):
    return ticket.later(minutes=5).say(ticketing.AnswerSent, issue_id=id_of("issue 31"), by="anna")


def answered(ticket):
    return ticket.later(minutes=5).say(ticketing.AgentAnswered, by="anna", gives=("answer",))
