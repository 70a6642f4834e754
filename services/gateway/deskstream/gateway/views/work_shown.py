"""What the API shows of tickets, issues and parts; each made from what the views hold and ticketing answers."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
from pydantic import Field

from deskstream.contracts import Contract
from deskstream.contracts.chain_facts import IssueFacts, PartFacts, PartKind, PartRef, Severity, TicketFacts, Weight
from deskstream.contracts.facts import AccountFacts, Stage
from deskstream.contracts.linked import ConversationRef, IssueStage, TicketStage
from deskstream.contracts.vistas import TRACKERS, TRIAGES, Tracker, Triage, Turn, turn_of
from deskstream.gateway.domain import Recorded

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class TicketRow(TicketFacts):
    """A row of a vista."""

    name: str
    """TKT-<number>."""
    triage: Triage
    tracker: Tracker | None
    turn: Turn
    """Who acts next (W3); the others are its `waits`."""
    closed_at: datetime | None
    """When it was solved, or canceled without."""
    told: bool
    """Whether its customer was answered since then (R11)."""
    updated_at: datetime


class TicketsPage(Contract):
    tickets: tuple[TicketRow, ...]
    next: str | None
    """`cursor` of the following page; None on the last."""
    as_of: int
    """Listen to the live stream `after` this and nothing is missed."""


class BoardPart(Contract):
    """One lane of the board: a part with its tickets by stage."""

    id: UUID
    number: int
    """PART-<number>."""
    name: str
    kind: PartKind
    stages: dict[TicketStage, int]
    """Only those that have some."""


class Board(Contract):
    parts: tuple[BoardPart, ...]
    as_of: int
    """Listen to the live stream `after` this and nothing is missed."""


class Step(Contract):
    """One thing that happened to a ticket, an issue or a part. Of issues without a word: these may be secret."""

    id: int
    """Its place in the feed."""
    at: datetime
    event: str
    sequence: int
    actor: str | None
    stage_before: TicketStage | IssueStage | None = None
    stage: TicketStage | IssueStage | None = None
    """After it."""
    details: dict[str, Any] = Field(default={}, description="What else the event said.")


class History(Contract):
    history: tuple[Step, ...]
    """Oldest first."""
    earlier: int | None
    """`before` of the page with older steps; None when this one has the first."""
    as_of: int
    """Listen to the live stream `after` this and nothing is missed."""


class TicketPage(History):
    ticket: TicketFacts
    turn: Turn
    """Who acts next (W3); the others are its `waits`."""
    text: str = ""


class IssuePage(History):
    issue: IssueFacts
    text: str = ""


class PartPage(History):
    part: PartFacts


class IssueRow(Contract):
    """A row of the list of issues."""

    id: UUID
    number: int
    """ISS-<number>."""
    version: int
    stage: IssueStage
    title: str
    part: PartRef
    owner: str | None
    severity: Severity
    security: str
    weight: Weight
    """How many tickets and customers stand behind it (W13)."""
    created_at: datetime
    ended_at: datetime | None


class IssuesPage(Contract):
    issues: tuple[IssueRow, ...]
    next: int | None
    """`skip` of the following page; None on the last."""


class PartsPage(Contract):
    parts: tuple[PartFacts, ...]
    next: int | None
    """`skip` of the following page; None on the last."""


class ChainMember(Contract):
    id: UUID
    number: int
    deleted: bool


class ChainTicket(ChainMember):
    title: str
    stage: TicketStage
    turn: Turn
    """Who acts next (W3); the others are its `waits`."""
    owner: str | None
    part: int
    account: str | None
    conversations: tuple[int, ...]
    issues: tuple[int, ...]
    waits: tuple[str, ...]


class ChainRelation(Contract):
    kind: str
    issue: int


class ChainIssue(ChainMember):
    title: str
    stage: IssueStage
    owner: str | None
    part: int
    confidential: bool
    relations: tuple[ChainRelation, ...]
    weight: Weight
    waiting: tuple[int, ...] = ()
    """Conversations that wait for it without a ticket between them."""


class ChainPart(ChainMember):
    name: str
    kind: PartKind
    parent: int | None


class ChainConversation(ConversationRef):
    title: str = ""
    stage: Stage | None = None
    """None while nothing was heard of it."""


class Chain(Contract):
    """Everything that hangs together with one member, each member once, naming the others by their numbers (W10)."""

    of: str
    tickets: tuple[ChainTicket, ...]
    issues: tuple[ChainIssue, ...]
    parts: tuple[ChainPart, ...]
    """With all that they are part of."""
    conversations: tuple[ChainConversation, ...]
    accounts: tuple[AccountFacts, ...]
    more: bool
    """Whether there are more tickets than were asked for."""


class CustomersTicket(Contract):
    """A ticket as its customer may see it: no word of any issue (W12)."""

    id: UUID
    number: int
    title: str
    stage: str
    """In the customer's words."""
    filed: bool
    """Whether it was filed with the engineers."""
    links: tuple[str, ...]
    """That everybody may open."""


class CustomersTickets(Contract):
    tickets: tuple[CustomersTicket, ...]
    next: int | None
    """`before` of the following page; None on the last."""


def ticket_row(row: asyncpg.Record) -> TicketRow:
    """A row of a vista; its part is called as it is called now."""
    facts = TicketFacts.model_validate_json(row["facts"])
    now = {
        "part": facts.part.model_copy(update={"name": row["part_name"] or facts.part.name}),
        "name": f"TKT-{facts.number}",
        "triage": TRIAGES[row["triage"]],
        "tracker": TRACKERS[row["tracker"]],
        "turn": turn_of(facts.stage),
        "closed_at": _moment(row["closed"]),
        "told": row["is_told"],
        "updated_at": _moment(row["updated"]),
    }
    return TicketRow.model_construct(**facts.__dict__ | now)


def board(rows: Iterable[asyncpg.Record], as_of: int) -> Board:
    """Parts in the order of their numbers, each with its tickets by stage."""
    parts: dict[UUID, BoardPart] = {}
    for row in rows:
        part = parts.get(row["part_id"])
        if part is None:
            names = {"number": row["number"], "name": row["name"], "kind": row["kind"]}
            part = parts[row["part_id"]] = BoardPart(id=row["part_id"], stages={}, **names)
        part.stages[TicketStage(row["stage"])] = row["tickets"]
    return Board(parts=tuple(parts.values()), as_of=as_of)


def history(latest: Sequence[Recorded], *, limit: int, as_of: int) -> dict[str, Any]:
    """The last `limit` steps, or those before a place."""
    return {
        "history": [_step(recorded).model_dump(mode="json") for recorded in latest],
        "earlier": latest[0].id if len(latest) == limit else None,
        "as_of": as_of,
    }


def _step(recorded: Recorded) -> Step:
    return Step(
        id=recorded.id,
        at=recorded.at,
        event=recorded.event,
        sequence=recorded.sequence,
        actor=recorded.actor,
        stage_before=recorded.summary.get("stage_before"),
        stage=recorded.summary.get("stage"),
        details=recorded.body,
    )


def _moment(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else _EPOCH + timedelta(microseconds=microseconds)
