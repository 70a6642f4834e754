"""Who may publish and hear what at the broker, made from the declarations: allow lists; what is not named is denied.

Subjects of the broker's own: NATS ADR-2 (JetStream API), ADR-15 (acknowledgements, with and without domain).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from deskstream.contracts import subjects
from deskstream.contracts.ingest import TOLD_TO_ADAPTERS
from deskstream.contracts.journal import ReadHeads, ReadJournal
from deskstream.messaging.declare import Declaration
from deskstream.messaging.topology import stream_of

OPERATOR: Final = "operator"
"""Whoever holds this user's seed runs the desk: makes streams, asks every service, publishes again what was lost."""

ABOUT_ONESELF: Final = "$SYS.REQ.USER.INFO"
"""Where anybody may ask the server who it takes him for, and what he may."""


@dataclass(frozen=True, slots=True)
class Permissions:
    """One user of the broker."""

    user: str
    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


def permissions(declarations: Sequence[Declaration], channels: Iterable[str] = ()) -> list[Permissions]:
    """Of every service, of the adapter of each further channel, and of the operator; each with an inbox of its own."""
    adapters = [of_adapter(channel) for channel in sorted(set(channels))]
    return [*(of_service(declaration) for declaration in declarations), *adapters, of_operator()]


def of_service(service: Declaration) -> Permissions:
    """What a service needs for what it declares that it hears, says and calls."""
    publish = [
        *(subjects.all_of(lane) for lane in service.says),
        *(subject for lane in service.says for subject in _looking_at(lane)),
        *(subject for lane in service.hears for subject in _hearing(lane, service.name)),
        *(kind.command_subject() for kind in service.calls),
        subjects.commands_of(service.name),
        subjects.probe(service.name),
        ABOUT_ONESELF,
    ]
    return _permissions(service.name, publish, [inbox_of(service.name), subjects.commands_of(service.name)])


def of_adapter(channel: str) -> Permissions:
    """What the adapter of a channel needs that is no service of ours."""
    user, outbound = adapter_of(channel), subjects.outbound_lane(channel)
    publish = [subjects.all_of(subjects.inbound_lane(channel)), *_reading(outbound, user), ABOUT_ONESELF]
    told = [subjects.all_of(f"{kind.LANE}.{kind.NAME}") for kind in TOLD_TO_ADAPTERS]
    return _permissions(user, publish, [inbox_of(user), subjects.all_of(outbound), *told])


def of_operator() -> Permissions:
    """What the commands of `deskstream` need. It cannot publish into anybody's inbox, so it answers for nobody."""
    everything = [subjects.all_of(kind) for kind in (subjects.INBOUND, subjects.EVENTS, subjects.OUTBOUND)]
    publish = [*everything, subjects.all_of(subjects.COMMANDS), "$JS.API.>", "$JS.ACK.>", ABOUT_ONESELF]
    return _permissions(OPERATOR, publish, [*everything, "_INBOX.>", inbox_of(OPERATOR), "$JS.EVENT.ADVISORY.>"])


def adapter_of(channel: str) -> str:
    """The user of the adapter of a channel: named as if it were a service."""
    return f"channel_{channel}"


def inbox_prefix(user: str) -> str:
    """Where answers to a user go, and nobody else's: the client's `inbox_prefix`."""
    return f"_INBOX_{user}"


def inbox_of(user: str) -> str:
    """Everything that comes to a user's inboxes."""
    return f"{inbox_prefix(user)}.>"


def _hearing(lane: str, reader: str) -> Iterator[str]:
    yield from _reading(lane, reader)
    if lane == subjects.INBOUND:
        # The order of arrival is the stream's: its one reader fetches what a crash made come late.
        yield f"$JS.API.DIRECT.GET.{stream_of(lane)}"
        return
    yield f"$JS.API.STREAM.INFO.{stream_of(lane)}"
    for kind in (ReadJournal, ReadHeads):
        yield subjects.question(subjects.owner_of(lane), kind.NAME, lane)


def _reading(lane: str, reader: str) -> Iterator[str]:
    """Its own durable's messages, and their acknowledgements."""
    stream = stream_of(lane)
    yield f"$JS.API.CONSUMER.INFO.{stream}.{reader}"
    yield f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{reader}"
    yield f"$JS.ACK.{stream}.{reader}.>"
    yield f"$JS.ACK.*.*.{stream}.{reader}.>"


def _looking_at(lane: str) -> Iterator[str]:
    """Where its own stream stands, so that a writer sees whether stream and journal fit each other."""
    stream = stream_of(lane)
    if lane.startswith(f"{subjects.INBOUND}."):
        # All adapters share this stream: the last message of its own subjects is all that one may see.
        yield f"$JS.API.DIRECT.GET.{stream}.{subjects.all_of(lane)}"
        return
    yield f"$JS.API.STREAM.INFO.{stream}"
    yield f"$JS.API.STREAM.MSG.GET.{stream}"
    yield f"$JS.API.DIRECT.GET.{stream}"


def _permissions(user: str, publish: Iterable[str], subscribe: Iterable[str]) -> Permissions:
    return Permissions(user, tuple(sorted(set(publish))), tuple(sorted(set(subscribe))))
