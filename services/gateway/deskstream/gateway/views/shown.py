"""What the API shows: a row of the list, a whole conversation; each made from what the store read."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import Field

from deskstream.contracts import Contract
from deskstream.contracts.facts import ConversationFacts, Note, Participant, ReceivedMessage, Reply, Stage
from deskstream.contracts.ids import AgentId, TeamId
from deskstream.contracts.routing import Cause, DecisionRecord
from deskstream.contracts.sla import ClockFacts, Outcome
from deskstream.gateway import domain
from deskstream.gateway.domain import PRIORITIES, Button, ClockState, EntryKind, Recorded, button, clock_state, urgency


class Stop(Contract):
    """How a clock ended; nothing of it while it runs."""

    outcome: Outcome | None = None
    stopped_at: datetime | None = None
    business_minutes: float | None = None
    calendar_minutes: float | None = None
    calendar_minutes_from_creation: float | None = None


class KeptClock(Stop):
    """The last event of a clock, as the inbox keeps it."""

    clock: ClockFacts


class Clock(ClockFacts, Stop):
    """One clock as it stands at the time of reading."""

    state: ClockState


class Assignment(Contract):
    """How the owner became the owner, or why nobody is."""

    team: TeamId | None = None
    cause: Cause
    reason: str = ""
    handoffs: int = 0


class InboxRow(ConversationFacts):
    """A row of the list. Owner and priority are the latest that anybody said, not only the conversation itself."""

    name: str
    """CONV-<number>."""
    button: Button | None
    """What to offer on the row; None where nobody should answer now."""
    can_reply: bool
    assignment: Assignment | None = None
    clocks: tuple[Clock, ...] = ()
    due_at: datetime | None = None
    """When the next running clock is due."""
    urgency: datetime | None = None
    """The due time moved ahead by priority: the list's default order; None when nobody waits for us."""
    suggests_ticket: bool = False
    """Whether to offer to open a ticket, now; gone once there is one, it is closed, or somebody dismissed it."""
    updated_at: datetime


class InboxPage(Contract):
    conversations: tuple[InboxRow, ...]
    next: str | None
    """`cursor` of the following page; None on the last."""
    as_of: int
    """Listen to the live stream `after` this and nothing is missed."""


class Delivery(Contract):
    """How far a reply got."""

    state: str
    at: datetime
    undo_until: datetime | None = None
    reason: str | None = None
    permanent: bool = False
    can_retry: bool = False


class Decision(Contract):
    """Why this owner, at that moment."""

    at: datetime
    actor: str | None
    owner: AgentId | None = None
    previous: AgentId | None = None
    team: TeamId | None = None
    cause: Cause
    handoff: bool = False
    reason: str = ""
    record: DecisionRecord


class Entry(Contract):
    """One thing in the timeline: a message, a reply with its delivery, a note, or what else happened."""

    id: int
    """Its place in the feed."""
    kind: EntryKind
    at: datetime
    service: str
    event: str
    sequence: int
    """Of the event within its service and conversation; a conversation's own are its versions."""
    actor: str | None
    stage_before: Stage | None = None
    stage: Stage | None = None
    """After it, where the conversation itself says it."""
    message: ReceivedMessage | None = None
    reply: Reply | None = None
    delivery: Delivery | None = None
    note: Note | None = None
    details: dict[str, Any] = Field(default={}, description="What else the event said.")


class ConversationPage(InboxRow):
    participants: tuple[Participant, ...] = ()
    decisions: tuple[Decision, ...] = ()
    """Newest first."""
    timeline: tuple[Entry, ...] = ()
    """Oldest first."""
    earlier: int | None = None
    """`before` of the page with older entries; None when this one has the first."""
    as_of: int = 0
    """Listen to the live stream `after` this and nothing is missed."""


def inbox_row(row: asyncpg.Record, now: datetime) -> InboxRow:
    """A row of the list."""
    return InboxRow.model_construct(**_fields(row, now))


def conversation_page(
    row: asyncpg.Record, standing: Sequence[Recorded], latest: Sequence[Recorded], *, now: datetime, limit: int
) -> ConversationPage:
    """A conversation with its last `limit` events, or those before a place; `standing` explains them."""
    fields = _fields(row, now)
    delivered = domain.deliveries(standing)
    decided = [recorded for recorded in standing if recorded.service == "routing"]
    return ConversationPage.model_construct(
        **fields,
        participants=tuple(domain.participants(fields["contact"], standing)),
        decisions=tuple(_decision(recorded) for recorded in reversed(decided)),
        timeline=tuple(_entry(recorded, delivered) for recorded in domain.entries(latest)),
        earlier=latest[0].id if len(latest) == limit else None,
    )


def _fields(row: asyncpg.Record, now: datetime) -> dict[str, Any]:
    facts = ConversationFacts.model_validate_json(row["facts"])
    priority = PRIORITIES[row["priority"]]
    clocks = [_clock(kept, now) for kept in (row["first_clock"], row["next_clock"]) if kept]
    due_at = min((clock.due_at for clock in clocks if clock.outcome is None), default=None)
    label = button(facts.stage)
    latest = {
        "name": f"CONV-{facts.number}",
        "button": label,
        "can_reply": label is not None,
        "owner": row["owner"] or None,
        "assignment": Assignment.model_validate_json(row["routed"]) if row["routed"] else None,
        "priority": priority,
        "clocks": tuple(clocks),
        "due_at": due_at,
        "urgency": urgency(due_at, facts.oldest_unanswered_at, priority),
        "suggests_ticket": facts.suggests_ticket_at is not None and facts.suggests_ticket_at <= now,
        "updated_at": row["updated_at"],
    }
    return facts.__dict__ | latest


def _clock(text: str, now: datetime) -> Clock:
    kept = KeptClock.model_validate_json(text)
    stop = {name: value for name, value in kept.__dict__.items() if name != "clock"}
    return Clock.model_construct(**kept.clock.__dict__, **stop, state=clock_state(kept.clock, kept.outcome, now))


def _decision(recorded: Recorded) -> Decision:
    return Decision.model_validate(recorded.body | {"at": recorded.at, "actor": recorded.actor})


def _entry(recorded: Recorded, delivered: dict[UUID, domain.Delivery]) -> Entry:
    kind = domain.entry_kind(recorded)
    known = {
        "id": recorded.id,
        "kind": kind,
        "at": recorded.at,
        "service": recorded.service,
        "event": recorded.event,
        "sequence": recorded.sequence,
        "actor": recorded.actor,
        "stage_before": recorded.summary.get("stage_before"),
        "stage": recorded.summary.get("stage"),
    }
    parts: dict[str, Any] = {kind: recorded.body[kind]} if kind in ("message", "reply", "note") else {}
    if kind == "reply":
        parts["delivery"] = _delivery(delivered[UUID(recorded.body["reply"]["id"])])
    details = {name: value for name, value in recorded.body.items() if name not in parts}
    return Entry.model_validate(known | parts | {"details": details})


def _delivery(found: domain.Delivery) -> Delivery:
    return Delivery(
        state=found.state,
        at=found.at,
        undo_until=found.undo_until,
        reason=found.reason,
        permanent=found.permanent,
        can_retry=found.can_retry,
    )
