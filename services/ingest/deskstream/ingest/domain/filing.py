"""What became of each message of a batch, and its thread: by token, then reference, then the channel's own thread."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from uuid import UUID

from deskstream.contracts import ids, thread_token
from deskstream.contracts.ids import ThreadId
from deskstream.contracts.inbound import AutomaticKind, DeliveryReported, InboundMessage
from deskstream.ingest.domain.found import Arrived, Breach, Broken, Doubled, Found, Incoming, Repeated, Reported, Via
from deskstream.ingest.domain.keys import message_key, thread_key

REUSED: Final = "used before for another message"
"""Why a message is rejected whose id stands for another content already. An adapter of ours never does that."""


class Original(NamedTuple):
    """The one message that took effect under an external id."""

    id: UUID
    thread_id: ThreadId
    fingerprint: bytes | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look up for a batch."""

    archive_ids: list[UUID]
    message_keys: list[bytes]
    link_keys: list[bytes]


@dataclass(slots=True)
class Known:
    """What is known that concerns a batch. Each message filed adds to it, so that a later one finds it."""

    archived: set[UUID] = field(default_factory=set)
    originals: dict[bytes, Original] = field(default_factory=dict)
    links: dict[bytes, ThreadId] = field(default_factory=dict)
    """Threads by what the channel calls them, and by what we sent into them."""
    new_links: dict[bytes, ThreadId] = field(default_factory=dict)
    """Those that the batch added."""

    def link(self, key: bytes, thread: ThreadId) -> None:
        """The first thread that a name stood for keeps it."""
        if key not in self.links:
            self.links[key] = self.new_links[key] = thread

    def thread_of_message(self, key: bytes) -> ThreadId | None:
        original = self.originals.get(key)
        return original.thread_id if original else self.links.get(key)


def wanted(batch: Sequence[Incoming]) -> Wanted:
    """Everything that filing this batch will ask for."""
    own, answered, threads = set[bytes](), set[bytes](), set[bytes]()
    for channel, content in ((incoming.channel, incoming.content) for incoming in batch):
        if isinstance(content, InboundMessage):
            own.add(message_key(channel, content.external_id))
            answered.update(message_key(channel, named) for named in content.thread.references)
            if content.thread.external_id is not None:
                threads.add(thread_key(channel, content.thread.external_id))
        elif isinstance(content, DeliveryReported) and content.external_id is not None:
            answered.add(message_key(channel, content.external_id))
    return Wanted([incoming.id for incoming in batch], list(own | answered), list(answered | threads))


def file_batch(batch: Sequence[Incoming], known: Known, *, secret: str) -> list[Found]:
    """What each message is, in order; `known` grows by what the batch itself makes known."""
    return [_file(incoming, known, secret) for incoming in batch]


def _file(incoming: Incoming, known: Known, secret: str) -> Found:
    if incoming.id in known.archived:
        return Repeated(incoming.id)
    known.archived.add(incoming.id)
    match incoming.content:
        case Breach() as breach:
            return _broken(incoming, breach)
        case DeliveryReported() as report:
            return _file_report(incoming, report, known)
        case InboundMessage() as message:
            return _file_message(incoming, message, known, secret)


def _broken(incoming: Incoming, breach: Breach) -> Broken:
    return Broken(incoming.id, incoming.channel, incoming.inbox, breach)


def _file_report(incoming: Incoming, report: DeliveryReported, known: Known) -> Reported:
    if report.external_id is not None:
        # Answers on channels whose message ids carry no token of ours name what they answer by this id.
        known.link(message_key(incoming.channel, report.external_id), ThreadId(report.conversation_id))
    return Reported(incoming.id, incoming.channel, report)


def _file_message(incoming: Incoming, message: InboundMessage, known: Known, secret: str) -> Found:
    key = message_key(incoming.channel, message.external_id)
    if original := known.originals.get(key):
        return _again(incoming, message.external_id, original)
    found = _find_thread(incoming, message, known, secret)
    if found.via != "token" and message.automatic and message.automatic.kind is AutomaticKind.BOUNCE:
        return _broken(incoming, Breach("thread.tokens", "a bounce of nothing that we sent", message.external_id))
    known.originals[key] = Original(incoming.id, found.thread_id, incoming.fingerprint)
    if message.thread.external_id is not None:
        known.link(thread_key(incoming.channel, message.thread.external_id), found.thread_id)
    return found


def _again(incoming: Incoming, external_id: str, original: Original) -> Doubled | Broken:
    if incoming.fingerprint != original.fingerprint:
        return _broken(incoming, Breach("external_id", REUSED, external_id))
    return Doubled(
        incoming.id,
        incoming.channel,
        incoming.inbox,
        external_id,
        original_id=original.id,
        thread_id=original.thread_id,
    )


def _find_thread(incoming: Incoming, message: InboundMessage, known: Known, secret: str) -> Arrived:
    if token := _first_token(message, secret):
        solved = None if message.automatic else _solved(message, token.conversation, secret)
        return _arrived(incoming, message, ThreadId(token.conversation), "token", solved)
    for reference in message.thread.references:
        if thread := known.thread_of_message(message_key(incoming.channel, reference)):
            return _arrived(incoming, message, thread, "reference")
    named = message.thread.external_id
    if named is not None and (thread := known.links.get(thread_key(incoming.channel, named))):
        return _arrived(incoming, message, thread, "thread")
    return _arrived(incoming, message, ThreadId(ids.object_id(incoming.id, "thread")), "new")


def _arrived(
    incoming: Incoming, message: InboundMessage, thread: ThreadId, via: Via, solved: bool | None = None
) -> Arrived:
    return Arrived(incoming.id, incoming.channel, incoming.inbox, message, thread, via, solved)


def _first_token(message: InboundMessage, secret: str) -> thread_token.Thread | None:
    read = (thread_token.read(token, secret) for token in message.thread.tokens)
    return next((thread for thread in read if thread), None)


def _solved(message: InboundMessage, conversation: ids.ConversationId, secret: str) -> bool | None:
    """Our message's own id carries a token, too: the answer may stand in a later one of the same conversation."""
    for token in message.thread.tokens:
        thread = thread_token.read(token, secret)
        if thread and thread.conversation == conversation and thread.purpose is not thread_token.Purpose.REPLY:
            return thread.purpose is thread_token.Purpose.SOLVED
    return None
