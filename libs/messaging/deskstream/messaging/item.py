"""One message on its way through the runner, wherever it came from."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

from deskstream.contracts import subjects
from deskstream.contracts.envelope import HEADER_ID, HEADER_SEQUENCE, HEADER_TYPE
from deskstream.messaging.declare import Heard
from deskstream.messaging.trace_context import context_in

RAW_IDS = UUID("5d0ab7a4-7c0c-4d0e-9df6-0c6a1c9e9b52")
"""Namespace of the ids of messages that have none: made from their position in the stream."""

RAW_TYPE = "raw"


class Source(StrEnum):
    STREAM = "stream"
    WAITING = "waiting"
    JOURNAL = "journal"
    COMMAND = "command"
    TIMER = "timer"


class Fate(StrEnum):
    """What a batch made of an item."""

    APPLIED = "applied"
    SKIPPED = "skipped"
    DUPLICATE = "duplicate"
    REFUSED = "refused"
    WAITING = "waiting"
    FAILED = "failed"
    DEAD = "dead"


@dataclass(slots=True, eq=False)
class Item:
    """`sequence` is 0 for what is not numbered. `delivered` counts the broker's deliveries, this one included."""

    source: Source
    lane: str
    key: str
    sequence: int
    type: str
    subject: str
    body: bytes
    id: UUID | None = None
    delivered: int = 1
    ack: str = ""
    origin: str = ""
    """`<stream>/<stream sequence>`: the same for every delivery of one stored message."""
    retry: bool = False
    """A failed one whose time has come: it may pass where others of its key wait."""
    tries: int = 0
    suspect: bool = False
    """Nobody counts its deliveries, so that it may be what ended an earlier process."""
    counted: bool = False
    """A try of it was counted before any handler saw it, which holds its key until it comes to an end."""
    actor: str | None = None
    idempotency_key: str = ""
    request_digest: str | None = None
    """Tells repeats of a command, in whose body there may stand something else meanwhile."""
    future: "asyncio.Future[str] | None" = None
    asked: Any = None
    """A command, decoded; for a timer the aggregate's name is `type`."""
    due_at: datetime | None = None
    heard: Heard[Any] | None = None
    context: str | None = None
    """The trace context of what is no event: those carry theirs in the body."""
    fate: "Fate | None" = None
    """What became of it in the batch that was last run."""
    span: Any = None
    """What follows it through this service, if it is followed at all."""

    @property
    def by_arrival(self) -> bool:
        """Whether only the order of arrival orders it."""
        return self.source is Source.STREAM and self.sequence == 0 and self.lane.startswith(subjects.INBOUND)

    @property
    def position(self) -> tuple[str, str]:
        return self.lane, self.key


@dataclass(frozen=True, slots=True)
class Delivery:
    """What the ack subject of a JetStream delivery tells."""

    stream: str
    delivered: int
    stream_sequence: int
    timestamp: str


def delivery_of(ack: str) -> Delivery:
    """`$JS.ACK.<stream>.<durable>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>`, or the form with domain
    and account before the stream (NATS ADR-15)."""
    tokens = ack.split(".")
    if len(tokens) >= 11:
        tokens = tokens[:2] + tokens[4:]
    return Delivery(tokens[2], int(tokens[4]), int(tokens[5]), tokens[7])


def pending_of(ack: str) -> int:
    """How many more messages the durable had when it delivered this one."""
    tokens = ack.split(".")
    return int(tokens[10] if len(tokens) >= 11 else tokens[8])


def from_stream(subject: str, body: bytes, headers: dict[str, str] | None, ack: str) -> Item:
    """An item for a message that a durable delivered. Headers that lie are found out when the body is decoded."""
    delivery = delivery_of(ack)
    origin = f"{delivery.stream}/{delivery.stream_sequence}"
    item = Item(
        source=Source.STREAM,
        lane=subjects.lane_of(subject),
        key=subjects.key_of(subject),
        sequence=0,
        type=RAW_TYPE,
        subject=subject,
        body=body,
        delivered=delivery.delivered,
        ack=ack,
        origin=origin,
    )
    if headers and subject.startswith(subjects.INBOUND):
        item.context = context_in(headers)
    elif headers:
        item.type = _printable(headers.get(HEADER_TYPE, RAW_TYPE))
        item.sequence = _number(headers.get(HEADER_SEQUENCE))
        item.id = _uuid(headers.get(HEADER_ID))
    if item.id is None:
        # The time is part of it: a stream made anew counts from 1 again.
        item.id = uuid5(RAW_IDS, f"{origin}/{delivery.timestamp}")
    if item.type == RAW_TYPE:
        item.key = str(item.id)
    return item


def fetched_from_stream(stream: str, subject: str, body: bytes, sequence: int, stored_ns: int) -> Item:
    """An item for an inbound message that was read from the stream by its sequence: the same id as when delivered."""
    origin = f"{stream}/{sequence}"
    identity = uuid5(RAW_IDS, f"{origin}/{stored_ns}")
    return Item(
        source=Source.STREAM, lane=subjects.lane_of(subject), key=str(identity), sequence=0, type=RAW_TYPE,
        subject=subject, body=body, id=identity, origin=origin,
    )  # fmt: skip


def stream_sequence_of(item: Item) -> int:
    """Where in its stream an item was."""
    return int(item.origin.rpartition("/")[2])


def _printable(name: str) -> str:
    """A type that no writer of ours could have named is no type: the message is kept as raw bytes."""
    return name if name.isascii() and name.isprintable() and len(name) <= 200 else RAW_TYPE


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else 0


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


@dataclass(slots=True)
class Said:
    """One journal row, as it is written and published."""

    message_id: UUID
    lane: str
    key: str
    sequence: int
    subject: str
    type: str
    correlation: UUID
    causation: UUID
    actor: str | None
    body: str
    context: str | None = None
    """The trace context, for what travels without an envelope."""
    id: int = 0
    """The journal's id, known after the insert."""


@dataclass(slots=True)
class Outcomes:
    """How many of a batch met which fate."""

    applied: int = 0
    skipped: int = 0
    duplicate: int = 0
    refused: int = 0
    waiting: int = 0
    failed: int = 0
    lines: list[dict[str, Any]] = field(default_factory=list)
