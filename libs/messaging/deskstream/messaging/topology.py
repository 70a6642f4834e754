"""Streams and durables, made from what the services declare: who says and who hears what."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum
from typing import Final

from nats.aio.client import Client
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    ReplayPolicy,
    RetentionPolicy,
    StreamConfig,
)
from nats.js.errors import APIError, NotFoundError
from nats.js.manager import JetStreamManager

from deskstream.contracts import subjects
from deskstream.messaging.declare import Declaration

ACK_WAIT: Final = timedelta(seconds=10)
"""What a dead reader had pulled comes again after this. A batch takes far less; a copy that comes early is known."""
DUPLICATE_WINDOW: Final = timedelta(minutes=2)
MAX_ACK_PENDING: Final = 2000

KEPT: Final = {
    subjects.INBOUND: timedelta(days=14),
    subjects.EVENTS: timedelta(days=3),
    subjects.OUTBOUND: timedelta(days=3),
}


@dataclass(frozen=True, slots=True)
class Stream:
    name: str
    subjects: tuple[str, ...]
    kept: timedelta
    latest_only: bool = False
    """Whether a message replaces the one before on the same subject."""


PROBES: Final = Stream("PROBES", (f"{subjects.PROBES}.*",), timedelta(minutes=5), latest_only=True)
"""What each service publishes on `probes.<service>` to find out whether it is ready: on disk like events, so that a
full store is noticed while nobody says anything, and never more than one small message a service."""


@dataclass(frozen=True, slots=True)
class Durable:
    """One reader's place in one stream; its name is the reader's."""

    stream: str
    reader: str


@dataclass(frozen=True, slots=True)
class Topology:
    streams: tuple[Stream, ...]
    durables: tuple[Durable, ...]


def completed(declarations: Sequence[Declaration]) -> list[Declaration]:
    """The same, where the one service that says what leaves says it on every outbound lane that somebody hears.

    So a channel is declared by its own adapter and by nobody else.
    """
    outbound = {lane for service in declarations for lane in service.hears if lane.startswith(f"{subjects.OUTBOUND}.")}
    return [_with_outbound(service, outbound) for service in declarations]


def _with_outbound(service: Declaration, heard: set[str]) -> Declaration:
    more = sorted(lane for lane in heard - set(service.says) if subjects.owner_of(lane) == service.name)
    return replace(service, says=(*service.says, *more)) if more else service


def topology(declarations: Sequence[Declaration]) -> Topology:
    """The one declaration of who hears and says what.

    Raises `ValueError` when two services write one lane, or somebody hears a lane that nobody writes.
    """
    declarations = completed(declarations)
    writers: dict[str, str] = {}
    for service in declarations:
        for lane in service.says:
            if lane in writers and not lane.startswith(f"{subjects.INBOUND}."):
                raise ValueError(f"{lane} is written by {writers[lane]} and by {service.name}; a lane has one writer")
            writers[lane] = service.name
    durables = [Durable(stream_of(lane), service.name) for service in declarations for lane in service.hears]
    heard = {lane for service in declarations for lane in service.hears if lane != subjects.INBOUND}
    if heard - writers.keys():
        raise ValueError(f"nobody says {sorted(heard - writers.keys())}, but somebody hears it")
    return Topology(streams=tuple(_streams(writers)), durables=tuple(dict.fromkeys(durables)))


def stream_of(lane: str) -> str:
    """The stream that holds a lane."""
    return subjects.stream_of(lane if "." in lane else f"{lane}.")


def _streams(lanes: Iterable[str]) -> Iterable[Stream]:
    yield Stream("INBOUND", (subjects.INBOUND_ALL,), KEPT[subjects.INBOUND])
    yield PROBES
    for lane in sorted(lanes):
        kind = lane.partition(".")[0]
        if kind != subjects.INBOUND:
            yield Stream(stream_of(lane), (f"{lane}.>",), KEPT[kind])


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that provisioning did, or would do."""

    what: str
    """`stream EVENTS_CRM`, `durable sla on EVENTS_CONVERSATION`."""
    how: str
    """`created`, `updated`, `unchanged`; `differs` where it was left as it is."""
    why: str = ""
    """What was different: `max_age is 60 instead of 259200`."""
    mend: str = ""
    """What to do about what differs."""


async def provision(
    client: Client, wanted: Topology, *, replicas: int | None = None, change_durables: bool = False
) -> list[Change]:
    """Makes streams and durables what the declarations say; never deletes, never loses a reader's place.

    A durable that somebody has changed is left so, and reported, unless `change_durables`. `replicas` is how many
    copies a cluster keeps of each stream; None leaves it, and makes new ones with one.
    """
    manager = client.jsm()
    changes = [await _stream(manager, stream, replicas) for stream in wanted.streams]
    return changes + [await _durable(manager, durable, change=change_durables) for durable in wanted.durables]


async def _stream(manager: JetStreamManager, stream: Stream, replicas: int | None) -> Change:
    what, config = f"stream {stream.name}", _stream_config(stream)
    try:
        known = (await manager.stream_info(stream.name)).config
    except NotFoundError:
        await manager.add_stream(replace(config, num_replicas=replicas or 1))
        return Change(what, "created")
    config.num_replicas = replicas or known.num_replicas
    if not (why := _differences(known, config, _STREAM_FIELDS)):
        return Change(what, "unchanged")
    for field in _STREAM_FIELDS:
        # What else an operator has set, such as a limit of bytes, stays.
        setattr(known, field, getattr(config, field))
    try:
        await manager.update_stream(known)
    except APIError as error:
        if error.err_code != _CANNOT_CHANGE:
            raise
        return Change(what, "differs", f"{why} ({error.description})", _MEND_STREAM.format(stream=stream.name))
    return Change(what, "updated", why)


def _stream_config(stream: Stream) -> StreamConfig:
    return StreamConfig(
        name=stream.name,
        subjects=list(stream.subjects),
        retention=RetentionPolicy.LIMITS,
        discard=DiscardPolicy.OLD if stream.latest_only else DiscardPolicy.NEW,
        max_msgs_per_subject=1 if stream.latest_only else -1,
        max_age=stream.kept.total_seconds(),
        duplicate_window=DUPLICATE_WINDOW.total_seconds(),
        deny_delete=True,
        allow_direct=True,
    )


def durable_config(reader: str) -> ConsumerConfig:
    """How every durable is made."""
    return ConsumerConfig(
        durable_name=reader,
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=ACK_WAIT.total_seconds(),
        max_deliver=-1,
        max_ack_pending=MAX_ACK_PENDING,
        replay_policy=ReplayPolicy.INSTANT,
    )


async def _durable(manager: JetStreamManager, durable: Durable, *, change: bool) -> Change:
    what = f"durable {durable.reader} on {durable.stream}"
    config = durable_config(durable.reader)
    try:
        known = (await manager.consumer_info(durable.stream, durable.reader)).config
    except NotFoundError:
        await manager.add_consumer(durable.stream, config)
        return Change(what, "created")
    fixed, tunable = _differences(known, config, _FIXED), _differences(known, config, _TUNABLE)
    if fixed:
        mend = _MEND_FIXED.format(stream=durable.stream, reader=durable.reader)
        return Change(what, "differs", ", ".join(filter(None, (fixed, tunable))), mend)
    if not tunable:
        return Change(what, "unchanged")
    if not change:
        return Change(what, "differs", tunable, _MEND_TUNABLE)
    await manager.add_consumer(durable.stream, config)
    return Change(what, "updated", tunable)


def _differences(known: object, wanted: object, fields: Sequence[str]) -> str:
    """In words; what the server leaves out is the same as nothing."""
    pairs = ((field, getattr(known, field) or None, getattr(wanted, field) or None) for field in fields)
    return ", ".join(f"{field} is {_plain(was)} instead of {_plain(is_)}" for field, was, is_ in pairs if was != is_)


def _plain(value: object) -> object:
    return value.value if isinstance(value, Enum) else value


_STREAM_FIELDS: Final = (
    "subjects", "retention", "discard", "max_age", "max_msgs_per_subject", "duplicate_window", "deny_delete",
    "allow_direct", "num_replicas",
)  # fmt: skip
_TUNABLE: Final = ("ack_wait", "max_deliver", "max_ack_pending")
_FIXED: Final = ("ack_policy", "deliver_policy", "filter_subject", "filter_subjects", "replay_policy")
"""What the server does not change in a durable that exists."""

_CANNOT_CHANGE: Final = 10052
"""The server's code for a stream that cannot become what is asked for."""

_MEND_STREAM: Final = (
    "NATS cannot change that in a stream that exists: remove it (`nats stream rm {stream}`), then "
    "`deskstream provision` and `deskstream reconcile --apply`"
)
_MEND_TUNABLE: Final = "if nobody meant it so: `deskstream provision --durables`"
_MEND_FIXED: Final = (
    "`nats consumer rm {stream} {reader}`, then `deskstream provision`: it hears everything once more, and knows what "
    "it has applied"
)
