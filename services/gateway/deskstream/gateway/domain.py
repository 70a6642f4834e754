"""What inbox and vistas show, as pure rules: which button, how urgent, how far a reply got, who acts next."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal, assert_never
from uuid import UUID

from deskstream.contracts.chain_facts import Severity, TicketFacts
from deskstream.contracts.facts import ContactFacts, Participant, Priority, Reply, Stage
from deskstream.contracts.inbound import Identity
from deskstream.contracts.linked import UNSOLVED
from deskstream.contracts.sla import ClockFacts, Outcome

Button = Literal["Reply", "First reply"]


def button(stage: Stage) -> Button | None:
    """What the list offers on a row (C11)."""
    match stage:
        case Stage.NEEDS_RESPONSE:
            return "Reply"
        case Stage.NEW:
            return "First reply"
        case Stage.SUSPENDED | Stage.WAITING_ON_USER | Stage.HOLD | Stage.RESOLVED | Stage.ARCHIVED:
            return None
        case _:
            assert_never(stage)


RANKS = {priority: rank for rank, priority in enumerate(Priority)}
"""Priority -> its place: 0 is urgent."""
PRIORITIES = tuple(Priority)

HEAD_STARTS = {
    Priority.URGENT: timedelta(hours=4),
    Priority.HIGH: timedelta(hours=1),
    Priority.NORMAL: timedelta(0),
    Priority.LOW: -timedelta(hours=1),
}
"""How much earlier than its due time a conversation of that priority is sorted (R2)."""


def urgency(due: datetime | None, unanswered_since: datetime | None, priority: Priority) -> datetime | None:
    """Where a conversation stands among the others, earliest first; None when nobody waits for us.

    The store sorts by the same value, computed in its table, so that an index can serve the list.
    """
    waiting = due or unanswered_since
    return None if waiting is None else waiting - HEAD_STARTS[priority]


class ClockState(StrEnum):
    RUNNING = "running"
    WARNED = "warned"
    BREACHED = "breached"
    MET = "met"
    NO_REPLY = "no_reply"


def clock_state(clock: ClockFacts, outcome: Outcome | None, now: datetime) -> ClockState:
    """A stopped clock has its outcome; a running one is judged by the time of reading."""
    if outcome is not None:
        return ClockState(outcome)
    if clock.due_at <= now:
        return ClockState.BREACHED
    return ClockState.WARNED if clock.warn_at <= now else ClockState.RUNNING


@dataclass(frozen=True, slots=True)
class Recorded:
    """One event of a conversation as the feed keeps it: the little that listeners get, and all that it said."""

    id: int
    at: datetime
    service: str
    event: str
    sequence: int
    actor: str | None
    summary: dict[str, Any]
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Delivery:
    """How far a reply got (C17)."""

    state: Literal["queued", "sent", "delivered", "failed", "unknown", "withdrawn"]
    at: datetime
    undo_until: datetime | None = None
    """Until then it can be undone; None once it was released."""
    reason: str | None = None
    permanent: bool = False

    @property
    def can_retry(self) -> bool:
        """Whether sending it again may help."""
        return self.state == "failed"


def deliveries(history: Iterable[Recorded]) -> dict[UUID, Delivery]:
    """Every reply's delivery after all of `history`, which is in order."""
    found: dict[UUID, Delivery] = {}
    for recorded in history:
        match recorded.event:
            case "reply_queued":
                reply = Reply.model_validate(recorded.body["reply"])
                found[reply.id] = Delivery("queued", recorded.at, undo_until=reply.release_at)
            case "agent_replied":
                found[UUID(recorded.body["reply"]["id"])] = Delivery("queued", recorded.at)
            case "reply_withdrawn":
                found[UUID(recorded.body["reply_id"])] = Delivery("withdrawn", recorded.at)
            case "delivery_changed":
                found[UUID(recorded.body["reply_id"])] = _changed(recorded)
    return found


def _changed(recorded: Recorded) -> Delivery:
    said = recorded.body
    return Delivery(said["state"], recorded.at, reason=said.get("reason"), permanent=said.get("permanent", False))


def participants(contact: ContactFacts | None, history: Sequence[Recorded]) -> list[Participant]:
    """The requester first, then whoever was added, wrote, or was copied in by somebody known; each once.

    A stranger who wrote is shown as unverified and brings nobody along.
    """
    found: dict[str, Participant] = {}
    for participant in [*_requester(contact, history), *_joined(history)]:
        address = _address(participant.identity)
        known = found.get(address)
        if known is None or (participant.verified and not known.verified):
            found[address] = participant
    return list(found.values())


def _requester(contact: ContactFacts | None, history: Iterable[Recorded]) -> Iterator[Participant]:
    if contact is not None and (contact.email or contact.phone or contact.external_id):
        yield _customer(contact.model_dump(include={"name", "email", "phone", "external_id"}), verified=True)
        return
    for recorded in history:
        if recorded.event == "conversation_opened" and _opener(recorded.body):
            yield _customer(_opener(recorded.body), verified=True)


def _opener(body: dict[str, Any]) -> Any:
    return body.get("requester") or body["message"]["sender"]


def _joined(history: Iterable[Recorded]) -> Iterator[Participant]:
    for recorded in history:
        body = recorded.body
        if recorded.event == "participant_added":
            yield Participant.model_validate(body["participant"])
        elif recorded.event in ("conversation_opened", "customer_replied"):
            by, message = body.get("by"), body["message"]
            if by in ("participant", "stranger"):
                yield _customer(message["sender"], verified=by == "participant")
            if by != "stranger":
                yield from (_customer(copied, verified=True) for copied in message.get("copied") or ())


def _customer(identity: dict[str, Any], *, verified: bool) -> Participant:
    return Participant(identity=Identity.model_validate(identity), side="customer", verified=verified)


def _address(identity: Identity) -> str:
    return (identity.email or identity.phone or identity.external_id or "").lower()


EntryKind = Literal["message", "reply", "note", "decision", "clock", "change"]

FOLDED = frozenset({"agent_replied", "reply_withdrawn", "delivery_changed"})
"""Shown as the delivery of the reply they are about, not as entries of their own."""


def entry_kind(recorded: Recorded) -> EntryKind:
    """How the timeline shows an event."""
    if recorded.service == "routing":
        return "decision"
    if recorded.service == "sla":
        return "clock"
    match recorded.event:
        case "conversation_opened" | "customer_replied" | "automatic_message_filed" if recorded.body.get("message"):
            return "message"
        case "reply_queued" | "agent_replied":
            return "reply"
        case "note_added":
            return "note"
        case _:
            return "change"


def entries(history: Sequence[Recorded]) -> list[Recorded]:
    """What the timeline lists, by the time it was said: a reply once, however often it was heard of."""
    shown: list[Recorded] = []
    replies: set[str] = set()
    for recorded in history:
        if entry_kind(recorded) == "reply":
            reply_id = recorded.body["reply"]["id"]
            if reply_id in replies:
                continue
            replies.add(reply_id)
        elif recorded.event in FOLDED:
            continue
        shown.append(recorded)
    return sorted(shown, key=lambda recorded: (recorded.at, recorded.id))


SEVERITIES = tuple(Severity)
"""The gravest first."""


def closed_at(ticket: TicketFacts) -> datetime | None:
    """When it was solved, or canceled without; None while it is neither (R11: closed by date)."""
    return None if ticket.stage in UNSOLVED else ticket.solved_at or ticket.ended_at
