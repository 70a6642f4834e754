"""What adapters hear on `outbound.<channel>.<conversation>`: replies, and where messages went; said by conversation."""

from deskstream.contracts import subjects
from deskstream.contracts.ids import AgentId, ConversationId, MessageId, ReplyId
from deskstream.contracts.inbound import Attachment, Identity
from deskstream.contracts.message import Event


class OutboundMessage(Event, lane="outbound", key="conversation_id"):
    """A reply for the customer, in the customer's thread. Its sequence orders it within the conversation."""

    conversation_id: ConversationId
    number: int
    reply_id: ReplyId
    """What reports name, and what the channel's deterministic id follows from; another one each time it is sent."""
    channel: str
    inbox: str
    to: Identity
    copied: tuple[Identity, ...] = ()
    author: AgentId
    title: str
    text: str
    asks_solved: bool = False
    automatic: bool = False
    reminds: bool = False
    """Reminds of what was asked before. It stands in the thread, but answers no message that came in."""
    in_reply_to: str | None = None
    """External id of the message that is answered."""
    references: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()

    def lane(self) -> str:
        return subjects.outbound_lane(self.channel)

    def subject(self) -> str:
        return f"{self.lane()}.{self.conversation_id}"


class MessageAccepted(Event, lane="outbound", key="conversation_id"):
    """A message of the channel's became part of a conversation; said to adapters that are not services here."""

    conversation_id: ConversationId
    number: int
    """Shown as CONV-<number>."""
    channel: str
    inbox: str
    external_id: str
    """As the adapter published it."""
    message_id: MessageId
    """Ours, by which ingest archived it."""

    def lane(self) -> str:
        return subjects.outbound_lane(self.channel)

    def subject(self) -> str:
        return f"{self.lane()}.{self.conversation_id}"
