"""CloudEvents 1.0 (structured JSON) around an event, with the registered extensions.

Source: CloudEvents 1.0.2, JSON format §2.4, extensions `sequence`, `traceparent`; `correlationid`, `causationid` and
`actor` are ours. Headers repeat what a reader needs to skip an event without decoding it.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from deskstream.contracts.inbound import DeliveryReported, InboundMessage
from deskstream.contracts.message import Contract, Event

E = TypeVar("E", bound=Event)

HEADER_ID = "ce-id"
HEADER_TYPE = "ce-type"
HEADER_SEQUENCE = "ce-sequence"
TYPE_PREFIX = "deskstream."


class Unreadable(Exception):
    """The bytes are no CloudEvent of the type expected."""


class CloudEvent(Contract, Generic[E]):
    """One event as it travels. `subject` is the key; `sequence` counts from 1 within (lane, key)."""

    specversion: str = "1.0"
    id: UUID
    source: str
    type: str
    subject: str
    time: datetime
    sequence: int = 0
    correlationid: UUID
    causationid: UUID
    actor: str | None = None
    traceparent: str | None = None
    data: E


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the runner knows about an event that the event itself does not: identity, order, cause, author."""

    id: UUID
    sequence: int
    correlation: UUID
    causation: UUID
    actor: str | None
    at: datetime
    traceparent: str | None = None


def event_type(event: type[Event] | Event) -> str:
    """`deskstream.<lane's service>.<event>`, the CloudEvents type; what several services say has no service in it."""
    service = event.LANE.removeprefix("events.")
    return f"{TYPE_PREFIX}{service}.{event.NAME}" if service else f"{TYPE_PREFIX}{event.NAME}"


def encode(event: Event, stamp: Stamp) -> str:
    """The event as the text that is journaled and published; adapters' contracts travel bare."""
    data = event.model_dump_json(exclude_defaults=True)
    if isinstance(event, (InboundMessage, DeliveryReported)):
        # Which of the two it is must be said, although each has it as its default.
        return f'{{"type":"{event.type}",{data[1:]}'
    actor = "" if stamp.actor is None else f'"actor":{_quoted(stamp.actor)},'
    trace = "" if stamp.traceparent is None else f'"traceparent":{_quoted(stamp.traceparent)},'
    return (
        f'{{"specversion":"1.0","id":"{stamp.id}","source":{_source(event.lane())},'
        f'"type":"{_type_of(type(event))}","subject":{_quoted(event.key())},"time":"{stamp.at.isoformat()}",'
        f'"datacontenttype":"application/json","sequence":"{stamp.sequence}",'
        f'"correlationid":"{stamp.correlation}","causationid":"{stamp.causation}",{actor}{trace}"data":{data}}}'
    )


def decode(kind: type[E], body: bytes | str) -> CloudEvent[E]:
    """The event that `body` holds.

    Raises `Unreadable` when it is not JSON, not a CloudEvent, or its data breaks the contract of `kind`.
    """
    try:
        return _reader(kind).validate_json(body)  # type: ignore[no-any-return]
    except ValidationError as error:
        raise Unreadable(f"{kind.NAME}: {_first_problem(error)}") from error


@cache
def _reader(kind: type[Event]) -> TypeAdapter[Any]:
    return TypeAdapter(CloudEvent[kind])  # type: ignore[valid-type]


@cache
def _type_of(kind: type[Event]) -> str:
    return event_type(kind)


@lru_cache(maxsize=1000)
def _source(lane: str) -> str:
    return _quoted(f"/{lane.replace('.', '/')}")


_text: TypeAdapter[str] = TypeAdapter(str)


def _quoted(value: str) -> str:
    return _text.dump_json(value).decode()


def _first_problem(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc']) or 'body'}: {first['msg']}"
