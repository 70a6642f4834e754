"""What ingest says: `events.ingest.>`, keyed by thread; `events.delivery.>`, keyed by conversation; and is asked."""

from typing import Literal
from uuid import UUID

from deskstream.contracts.facts import ReceivedMessage
from deskstream.contracts.ids import ConversationId, ReplyId, ThreadId
from deskstream.contracts.inbound import DeliveryState
from deskstream.contracts.message import Command, Contract, Event

LANE = "events.ingest"
DELIVERY_LANE = "events.delivery"


class MessageReceived(Event, lane=LANE, key="thread_id"):
    """A message was archived, is no double, and has its thread."""

    thread_id: ThreadId
    new_thread: bool
    via: Literal["new", "token", "reference", "thread"]
    """How the thread was found."""
    message: ReceivedMessage


class MessageDuplicate(Event, lane=LANE, key="thread_id"):
    """The same external id, the same body: it came again, and has no effect."""

    thread_id: ThreadId
    archive_id: UUID
    original_id: UUID
    channel: str
    inbox: str
    external_id: str


class MessageRejected(Event, lane=LANE, key="archive_id"):
    """It breaks the contract; it is kept, and its sender can read field and reason here."""

    archive_id: UUID
    channel: str
    inbox: str
    external_id: str | None = None
    field: str
    reason: str


TOLD_TO_ADAPTERS: tuple[type[Event], ...] = (MessageDuplicate, MessageRejected)
"""What an adapter that is no service of ours may hear: neither holds anything that somebody wrote. `message_received`
does, whatever the channel."""


class DeliveryNoted(Event, lane=DELIVERY_LANE, key="conversation_id"):
    """An adapter reported what became of a reply."""

    conversation_id: ConversationId
    reply_id: ReplyId
    channel: str
    state: DeliveryState
    reason: str | None = None
    permanent: bool = False
    kept_back: bool = False
    external_id: str | None = None


class CountInbound(Command, service="ingest"):
    """What became of everything that was ever received, by channel; answered by `InboundCounts`."""


class ChannelCounts(Contract):
    """`received` = `applied` + `duplicate` + `rejected` + `dead` + `waiting` + `dropped`."""

    received: int = 0
    applied: int = 0
    """Messages that took effect, and delivery reports."""
    duplicate: int = 0
    rejected: int = 0
    dead: int = 0
    """Failed too often: a person has to look. Not archived yet, like what waits."""
    waiting: int = 0
    """Failed, and will be tried again."""
    dropped: int = 0
    """Dead ones that somebody gave up."""


class InboundCounts(Contract):
    channels: dict[str, ChannelCounts]
    """By channel; the empty name counts what came on a subject that names none."""
