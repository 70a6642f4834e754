"""Batches as they come from the stream, what the archive knows already, and what filing makes of both."""

from datetime import UTC, datetime
from uuid import UUID, uuid5

from deskstream.contracts import thread_token
from deskstream.contracts.ids import ConversationId, ReplyId, ThreadId
from deskstream.contracts.inbound import (
    Automatic,
    AutomaticKind,
    DeliveryReported,
    DeliveryState,
    Identity,
    InboundMessage,
    ThreadHints,
)
from deskstream.contracts.thread_token import Purpose
from deskstream.ingest.domain import Incoming, Known, Original, file_batch, message_key, thread_key

SECRET = "a secret of the desk, long enough"
AT = datetime(2026, 5, 4, 9, tzinfo=UTC)
OURS = ConversationId(UUID(int=99))
OTHER = ConversationId(UUID(int=98))
THREAD = ThreadId(UUID(int=77))
OOO = Automatic(kind=AutomaticKind.AUTO_REPLY, reason="Auto-Submitted: auto-replied")
BOUNCE = Automatic(kind=AutomaticKind.BOUNCE, reason="null return path")


def token(purpose=Purpose.REPLY, conversation=OURS, secret=SECRET):
    return thread_token.sign(conversation, secret, purpose)


def message(name="1", *, says=b"hello", publish=0, channel="email", automatic=None, hints=None, **thread):
    content = InboundMessage(
        at=AT,
        external_id=name,
        sender=Identity(email="ada@example.org"),
        automatic=automatic,
        thread=hints or ThreadHints(**thread),
    )
    id_ = uuid5(OURS, f"{channel} {name} {says!r} {publish}")
    return Incoming(id_, f"inbound.{channel}.support", channel, "support", b"", content, fingerprint=says)


def in_channel_thread(name="1", thread="t", **rest):
    return message(name, hints=ThreadHints(external_id=thread, **rest))


def report(external_id=None):
    content = DeliveryReported(
        at=AT, conversation_id=OURS, reply_id=ReplyId(OURS), state=DeliveryState.SENT, external_id=external_id
    )
    return Incoming(UUID(int=50), "inbound.email.support", "email", "support", b"", content)


def filed(*batch, known=None):
    return file_batch(batch, known or Known(), secret=SECRET)


def knows(*names, channel="email", says=b"hello"):
    return Known(originals={message_key(channel, name): Original(UUID(int=1), THREAD, says) for name in names})


def knows_thread(name):
    return Known(links={thread_key("email", name): THREAD})


def knows_sent(name):
    return Known(links={message_key("email", name): THREAD})
