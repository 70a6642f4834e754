"""The whole system as one AsyncAPI 3.0 document: every subject, who sends and who receives on it, and what."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from deskstream.contracts import subjects
from deskstream.contracts.catalogue import commands, events
from deskstream.contracts.definitions import (
    ACCEPTED,
    ANSWERED,
    ENVELOPE,
    EVERY_SERVICE_ANSWERS,
    INBOUND,
    OUTBOUND,
    Schema,
    definitions,
    event_name,
    refer,
)
from deskstream.contracts.envelope import HEADER_ID, HEADER_SEQUENCE, HEADER_TYPE
from deskstream.contracts.journal import CommandRefused, NumberLost, OfLane
from deskstream.contracts.message import Command, Event

_ANY_SERVICE: Final = "{service}"
_TEXT: Final = {"type": "string"}
_EVENT_HEADERS: Final = {
    "type": "object",
    "properties": {
        "Nats-Msg-Id": {**_TEXT, "description": "The event's id: a double within the broker's window is dropped."},
        HEADER_ID: {**_TEXT, "format": "uuid"},
        HEADER_TYPE: {**_TEXT, "description": "By which an event that nobody handles is skipped without decoding it."},
        HEADER_SEQUENCE: {**_TEXT, "pattern": "^[0-9]{1,18}$"},
    },
    "required": [HEADER_ID, HEADER_TYPE, HEADER_SEQUENCE],
}
_COMMAND_HEADERS: Final = {
    "type": "object",
    "properties": {
        "Idempotency-Key": {
            **_TEXT,
            "maxLength": 200,
            "description": "The same key and body: the same answer for 24 h.",
        },
        "Request-Digest": {
            **_TEXT,
            "description": "Compared instead of the body, where the asker makes that of more than it was asked.",
        },
        "Actor": {**_TEXT, "description": "Who asks: a dev-org member's handle."},
    },
}


@dataclass(frozen=True, slots=True)
class ServiceDescription:
    """What a service declares: the lanes it hears and says, and the commands of others that it calls."""

    name: str
    hears: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    calls: tuple[type[Command], ...] = ()


def document(services: Sequence[ServiceDescription], *, version: str = "0.1.0") -> Schema:
    """AsyncAPI 3.0 of these services; every `$ref` leads to another place of the document.

    An operation is named `<service>.<says|hears|calls|answers>.<channel>`.
    """
    channels = dict(_channels(services))
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Deskstream",
            "version": version,
            "description": "Everything that travels between adapters and services over NATS JetStream.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"nats": {"host": "{host}", "protocol": "nats", "variables": {"host": {"default": "nats:4222"}}}},
        "channels": channels,
        "operations": dict(_operations(services, channels)),
        "components": {
            "messages": dict(_messages()),
            "schemas": {_component(name): refer(schema, _schema_reference) for name, schema in definitions().items()},
        },
    }


def _channels(services: Sequence[ServiceDescription]) -> Iterator[tuple[str, Schema]]:
    address = subjects.inbound("{channel}", "{inbox}")
    yield subjects.INBOUND, _channel(address, INBOUND, "What adapters publish: what arrived, what became of what left.")
    for lane in sorted({lane for service in services for lane in (*service.says, *service.hears)}):
        if lane.partition(".")[0] == subjects.INBOUND:
            continue
        names = sorted(_said_on(lane))
        if lane.startswith(f"{subjects.OUTBOUND}."):
            yield lane, _channel(f"{lane}.{{conversation_id}}", names, "Replies that leave by this channel.")
        else:
            yield lane, _channel(f"{lane}.{{event}}.{{key}}", names, f"What {subjects.owner_of(lane)} says.")
    for subject, kind in commands().items():
        yield subject, _channel(subject, [_name_of(kind)], _first_line(kind))
    for kind in EVERY_SERVICE_ANSWERS:
        of_a_lane = issubclass(kind, OfLane)
        subject = (subjects.question(_ANY_SERVICE, kind.NAME, "{lane}") if of_a_lane
                   else subjects.command(_ANY_SERVICE, kind.NAME))  # fmt: skip
        yield f"{subjects.COMMANDS}.{kind.NAME}", _channel(subject, [_name_of(kind)], _first_line(kind))
    yield ANSWERED, _channel(None, [ANSWERED], "The inbox of whoever asked.")


def _channel(address: str | None, names: Iterable[str], sentence: str) -> Schema:
    parts = [] if address is None else [token[1:-1] for token in address.split(".") if token.startswith("{")]
    return {
        "address": address,
        "description": sentence,
        **({"parameters": {part: {"description": _PARAMETERS[part]} for part in parts}} if parts else {}),
        "messages": {_component(name): {"$ref": f"#/components/messages/{_component(name)}"} for name in names},
    }


_PARAMETERS: Final = {
    "channel": "The adapter's channel, 1 to 32 of a-z, 0-9 and _.",
    "inbox": "The inbox it arrived at, 1 to 64 of A-Z, a-z, 0-9, _ and -.",
    "event": "The event's name in snake case.",
    "key": "The id of the object that the event is about: what orders it.",
    "conversation_id": "The conversation that the reply belongs to.",
    "service": "Any service.",
    "lane": "One of its lanes, two tokens: events.crm.",
}


def _said_on(lane: str) -> Iterator[str]:
    if lane.startswith(f"{subjects.OUTBOUND}."):
        yield from (OUTBOUND, ACCEPTED)
        return
    yield from (event_name(kind) for kind in events().values() if lane == kind.LANE)
    if lane == subjects.events_lane(subjects.owner_of(lane)):
        yield event_name(CommandRefused)
    yield event_name(NumberLost)


def _operations(services: Sequence[ServiceDescription], channels: Schema) -> Iterator[tuple[str, Schema]]:
    for service in services:
        for lane in service.says:
            channel = subjects.INBOUND if lane.startswith(f"{subjects.INBOUND}.") else lane
            yield f"{service.name}.says.{lane}", _operation("send", channel, channels)
        for lane in service.hears:
            yield f"{service.name}.hears.{lane}", _operation("receive", lane, channels)
        for kind in service.calls:
            subject = kind.command_subject()
            yield f"{service.name}.calls.{subject}", {**_operation("send", subject, channels), "reply": _reply()}
        for subject, kind in commands().items():
            if service.name == kind.SERVICE:
                operation = {**_operation("receive", subject, channels), "reply": _reply()}
                yield f"{service.name}.answers.{subject}", operation


def _operation(action: str, channel: str, channels: Schema) -> Schema:
    messages = channels[channel]["messages"]
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in messages],
    }


def _reply() -> Schema:
    return {
        "channel": {"$ref": f"#/channels/{ANSWERED}"},
        "messages": [{"$ref": f"#/channels/{ANSWERED}/messages/{ANSWERED}"}],
    }


def _messages() -> Iterator[tuple[str, Schema]]:
    for name in INBOUND:
        yield _component(name), _message(name, {"$ref": _schema_reference(name)})
    for kind in events().values():
        name = event_name(kind)
        payload = {"allOf": [{"$ref": _schema_reference(ENVELOPE)}, _with_data(name)]}
        yield _component(name), {**_message(name, payload), "headers": _EVENT_HEADERS, "summary": _first_line(kind)}
    for asked in (*commands().values(), *EVERY_SERVICE_ANSWERS):
        name = _name_of(asked)
        message = _message(name, {"$ref": _schema_reference(name)})
        yield _component(name), {**message, "headers": _COMMAND_HEADERS, "summary": _first_line(asked)}
    yield ANSWERED, _message(ANSWERED, {"$ref": _schema_reference(ANSWERED)})


def _with_data(name: str) -> Schema:
    return {"properties": {"data": {"$ref": _schema_reference(name)}}}


def _message(name: str, payload: Schema) -> Schema:
    return {"name": _component(name), "contentType": "application/json", "payload": payload}


def _name_of(kind: type[Command]) -> str:
    return kind.command_subject().replace(".", "/") if kind.SERVICE else f"{subjects.COMMANDS}/{kind.NAME}"


def _component(name: str) -> str:
    return name.replace("/", ".")


def _schema_reference(name: str) -> str:
    return f"#/components/schemas/{_component(name)}"


def _first_line(kind: type[Event] | type[Command]) -> str:
    return (kind.__doc__ or kind.__name__).partition("\n")[0]
