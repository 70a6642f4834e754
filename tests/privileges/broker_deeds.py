"""Everything one might try at the broker, generated from what there is, and who should succeed.

Who should is said here once more, from the declarations and in other words than the permissions are made of.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from deskstream.contracts import subjects
from deskstream.contracts.catalogue import commands
from deskstream.messaging import Declaration
from deskstream.messaging.topology import stream_of, topology

CHANGES_A_STREAM = (
    "STREAM.CREATE", "STREAM.UPDATE", "STREAM.DELETE", "STREAM.PURGE", "STREAM.MSG.DELETE", "STREAM.SNAPSHOT",
    "STREAM.RESTORE", "STREAM.LEADER.STEPDOWN", "STREAM.PEER.REMOVE", "CONSUMER.CREATE", "CONSUMER.NAMES",
    "CONSUMER.LIST",
)  # fmt: skip
CHANGES_A_DURABLE = (
    "CONSUMER.CREATE", "CONSUMER.DURABLE.CREATE", "CONSUMER.DELETE", "CONSUMER.PAUSE", "CONSUMER.RESET",
    "CONSUMER.UNPIN", "CONSUMER.LEADER.STEPDOWN",
)  # fmt: skip
LOOKS_AROUND = (
    "$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST", "$JS.API.STREAM.TEMPLATE.NAMES", "$JS.API.>",
    "$SYS.REQ.SERVER.PING", "$SYS.REQ.ACCOUNT.PING", "$KV.any.key", "$O.any.M.x", "$MQTT.sub.x", "_INBOX.x", "_R_.x",
)  # fmt: skip
LISTENS_IN = (
    ">", "*", "*.>", "*.*.>", "_INBOX.>", "_INBOX_*.>", "events.>", "events.*.message_received.>", "inbound.>",
    "outbound.>", "commands.>", "commands.*.>", "probes.>", "$JS.>", "$JS.ACK.>", "$JS.API.>", "$JS.EVENT.>", "$SYS.>",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Deed:
    """A publish or a subscription, and who may do it."""

    subject: str
    allowed: frozenset[str]


def publishes(declarations: Sequence[Declaration], apart: frozenset[str]) -> Iterator[Deed]:
    """Every subject on which somebody might publish, once. Those `apart` ask JetStream by another name."""
    for deed in _publishes(declarations):
        if deed.subject.startswith("$JS.API."):
            yield Deed(deed.subject, deed.allowed - apart)
            yield Deed(deed.subject.replace("$JS.API.", "DESK.API.", 1), deed.allowed & apart)
        else:
            yield deed


def _publishes(declarations: Sequence[Declaration]) -> Iterator[Deed]:
    yield from _lanes(declarations)
    yield from _durables(declarations)
    yield from _streams(declarations)
    yield from _commands(declarations)
    for declaration in declarations:
        yield Deed(f"_INBOX_{declaration.name}.abc.1", frozenset())
        yield Deed(subjects.probe(declaration.name), frozenset({declaration.name}))
    yield from (Deed(subject, frozenset()) for subject in LOOKS_AROUND)


def subscriptions(declarations: Sequence[Declaration], elsewhere: Sequence[str]) -> Iterator[Deed]:
    """Every subject that somebody might listen to; `elsewhere` are adapters, which may hear without a durable."""
    yield from (Deed(subject, frozenset()) for subject in LISTENS_IN)
    for declaration in declarations:
        name = declaration.name
        yield Deed(f"_INBOX_{name}.>", frozenset({name}))
        yield Deed(f"_INBOX_{name}.abc.*", frozenset({name}))
        yield Deed(subjects.commands_of(name), frozenset({name}))
        for lane in declaration.says:
            if not lane.startswith(subjects.INBOUND):
                hearing = {one.name for one in declarations if lane in one.hears and one.name in elsewhere}
                yield Deed(subjects.all_of(lane), frozenset(hearing))
            else:
                yield Deed(subjects.all_of(lane), frozenset())
    for event in ("message_duplicate", "message_rejected"):
        yield Deed(f"events.ingest.{event}.>", frozenset(elsewhere))
    yield Deed("events.ingest.message_received.>", frozenset())


def _lanes(declarations: Sequence[Declaration]) -> Iterator[Deed]:
    lanes = {lane for one in declarations for lane in one.says}
    for lane in sorted(lanes):
        yield Deed(f"{lane}.anything.key", frozenset(one.name for one in declarations if lane in one.says))
    for subject in (
        "events.*.anything.key",
        "*.crm.anything.key",
        "events.nobody.x.y",
        "inbound.nobody.x",
        "bench.raw",
    ):
        yield Deed(subject, frozenset())


def _durables(declarations: Sequence[Declaration]) -> Iterator[Deed]:
    hearing = {(stream_of(lane), one.name) for one in declarations for lane in one.hears}
    streams = [stream.name for stream in topology(declarations).streams]
    for stream in streams:
        for reader in (one.name for one in declarations):
            allowed = frozenset({reader}) if (stream, reader) in hearing else frozenset()
            for subject in (
                f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{reader}",
                f"$JS.API.CONSUMER.INFO.{stream}.{reader}",
                f"$JS.ACK.{stream}.{reader}.1.1.1.1767225600000000000.0",
                f"$JS.ACK._.ACCOUNT.{stream}.{reader}.1.1.1.1767225600000000000.0.random",
            ):
                yield Deed(subject, allowed)
            for verb in CHANGES_A_DURABLE:
                yield Deed(f"$JS.API.{verb}.{stream}.{reader}", frozenset())


def _streams(declarations: Sequence[Declaration]) -> Iterator[Deed]:
    for stream in topology(declarations).streams:
        saying = {one.name for one in declarations if any(stream_of(lane) == stream.name for lane in one.says)}
        hearing = {one.name for one in declarations if any(stream_of(lane) == stream.name for lane in one.hears)}
        shared = stream.name == stream_of(subjects.INBOUND)
        yield Deed(f"$JS.API.STREAM.INFO.{stream.name}", frozenset() if shared else frozenset(saying | hearing))
        yield Deed(f"$JS.API.STREAM.MSG.GET.{stream.name}", frozenset() if shared else frozenset(saying))
        yield Deed(f"$JS.API.DIRECT.GET.{stream.name}", frozenset(hearing if shared else saying))
        for verb in CHANGES_A_STREAM:
            yield Deed(f"$JS.API.{verb}.{stream.name}", frozenset())
    for lane in sorted({lane for one in declarations for lane in one.says if lane.startswith(subjects.INBOUND)}):
        adapter = frozenset(one.name for one in declarations if lane in one.says)
        yield Deed(f"$JS.API.DIRECT.GET.{stream_of(lane)}.{lane}.support", adapter)


def _commands(declarations: Sequence[Declaration]) -> Iterator[Deed]:
    for subject, kind in commands().items():
        calling = {one.name for one in declarations if kind in one.calls}
        yield Deed(subject, frozenset({kind.SERVICE, *calling}))
    for owner in declarations:
        for lane in (lane for lane in owner.says if not lane.startswith(subjects.INBOUND)):
            hearing = {one.name for one in declarations if lane in one.hears}
            for question in ("read_journal", "read_heads"):
                yield Deed(subjects.question(owner.name, question, lane), frozenset({owner.name, *hearing}))
    for owner in declarations:
        # Without a lane nothing says what is asked about.
        yield Deed(subjects.command(owner.name, "read_journal"), frozenset({owner.name}))
