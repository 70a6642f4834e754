"""A thread: who was seen in it, and therefore whose answer is vouched for."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, assert_never

from deskstream.contracts import Event
from deskstream.contracts.facts import ReceivedMessage
from deskstream.contracts.ids import MessageId
from deskstream.contracts.inbound import Identity, InboundMessage
from deskstream.contracts.ingest import DeliveryNoted, MessageDuplicate, MessageReceived, MessageRejected
from deskstream.ingest.domain.found import Arrived, Broken, Doubled, Found, Repeated, Reported
from deskstream.ingest.domain.keys import identity_of
from deskstream.ingest.domain.screening import channel_marks, screen_stranger

# What the adapter says and every service after us reads; channel and inbox are the subject's.
_PASSED_ON: Final = tuple(
    (InboundMessage.model_fields.keys() & ReceivedMessage.model_fields.keys()) - {"channel", "inbox"}
)


@dataclass(frozen=True, slots=True)
class Joined:
    """Somebody seen for the first time in a thread."""

    identity: str
    stranger: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Opened:
    """How a thread began."""

    channel: str
    inbox: str
    via: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Thread:
    """`opened` and `joined` are what is not stored yet."""

    id: str
    stored: bool = False
    opened: Opened | None = None
    members: frozenset[str] = frozenset()
    strangers: frozenset[str] = frozenset()
    joined: tuple[Joined, ...] = ()

    @classmethod
    def unopened(cls, id: str) -> "Thread":  # noqa: A002
        """A thread of which nothing was seen: it is new, or one of our people began it."""
        return cls(id)


def decide(thread: Thread, found: Found, now: datetime, *, words: Iterable[str] = ()) -> Sequence[Event]:
    """What ingest says of a message. `words` are those that the desk does not want to read from strangers."""
    match found:
        case Arrived():
            return [_receive(thread, found, now, words)]
        case Doubled():
            return [_recognise(found, now)]
        case Broken():
            return [_reject(found, now)]
        case Reported():
            return [_note(found, now)]
        case Repeated():
            return []
        case _:
            assert_never(found)


def evolve(thread: Thread, event: object) -> Thread:
    """Remembers who wrote and who was copied."""
    if not isinstance(event, MessageReceived):
        return thread
    if not (thread.stored or thread.opened):
        message = event.message
        thread = replace(thread, opened=Opened(message.channel, message.inbox, event.via, event.at))
    joined = tuple(_newly_joined(thread, event))
    if not joined:
        return thread
    return replace(
        thread,
        members=thread.members | {one.identity for one in joined if not one.stranger},
        strangers=thread.strangers | {one.identity for one in joined if one.stranger},
        joined=thread.joined + joined,
    )


def _newly_joined(thread: Thread, event: MessageReceived) -> Iterator[Joined]:
    """The first message's people know each other. Later only its sender may be vouched for: a copied reader may be the
    wish of somebody who forged a member's address. Bounces and out-of-office notes bring nobody."""
    message = event.message
    if message.automatic is not None and not event.new_thread:
        return
    seen = thread.members | thread.strangers
    people: list[tuple[Identity, bool]] = [(message.sender, not message.verified)]
    people += [(copied, not event.new_thread) for copied in message.copied]
    for who, stranger in people:
        identity = identity_of(message.channel, who)
        if identity not in seen:
            seen |= {identity}
            yield Joined(identity, stranger, event.at)


def _receive(thread: Thread, arrived: Arrived, now: datetime, words: Iterable[str]) -> MessageReceived:
    new_thread = arrived.via == "new"
    verified = _is_vouched_for(thread, arrived)
    suspicious = channel_marks(arrived.message)
    if new_thread or not verified:
        suspicious += screen_stranger(arrived.message, words)
    return MessageReceived(
        at=now,
        thread_id=arrived.thread_id,
        new_thread=new_thread,
        via=arrived.via,
        message=ReceivedMessage(
            id=MessageId(arrived.archive_id),
            channel=arrived.channel,
            inbox=arrived.inbox,
            verified=verified,
            suspicious=suspicious,
            solved=arrived.solved,
            received_at=now,
            **{name: getattr(arrived.message, name) for name in _PASSED_ON},
        ),
    )


def _is_vouched_for(thread: Thread, arrived: Arrived) -> bool:
    """Who opens a thread is nobody's impostor, and a channel vouches for those in a thread of its own. A token or a
    reference can be passed on; so it proves the thread, not the sender."""
    match arrived.via:
        case "new" | "thread":
            return True
        case "token" | "reference":
            return identity_of(arrived.channel, arrived.message.sender) in thread.members
        case _:
            assert_never(arrived.via)


def _recognise(doubled: Doubled, now: datetime) -> MessageDuplicate:
    return MessageDuplicate(
        at=now,
        thread_id=doubled.thread_id,
        archive_id=doubled.archive_id,
        original_id=doubled.original_id,
        channel=doubled.channel,
        inbox=doubled.inbox,
        external_id=doubled.external_id,
    )


def _reject(broken: Broken, now: datetime) -> MessageRejected:
    return MessageRejected(
        at=now,
        archive_id=broken.archive_id,
        channel=broken.channel,
        inbox=broken.inbox,
        external_id=broken.breach.external_id,
        field=broken.breach.field,
        reason=broken.breach.reason,
    )


def _note(reported: Reported, now: datetime) -> DeliveryNoted:
    report = reported.report
    return DeliveryNoted(
        at=now,
        conversation_id=report.conversation_id,
        reply_id=report.reply_id,
        channel=reported.channel,
        state=report.state,
        reason=report.reason,
        permanent=report.permanent,
        kept_back=report.kept_back,
        external_id=report.external_id,
    )
