"""What is remembered of a conversation: its public facts and little beside, bounded whatever its length."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeAlias
from uuid import UUID

from deskstream.contracts.facts import ConversationFacts, Note, Participant, ReceivedMessage, Reply, Wait
from deskstream.contracts.ids import AgentId, ConversationId, ReplyId, TicketId
from deskstream.contracts.inbound import DeliveryState, Identity
from deskstream.contracts.linked import SpeaksFor

PARTICIPANTS_LIMIT: Final = 100
REFERENCES_LIMIT: Final = 20
REMARKS_LIMIT: Final = 6
DELIVERIES_LIMIT: Final = 20
QUEUE_LIMIT: Final = 10
ONCE_AWAITED_LIMIT: Final = 50


class MessageKind(StrEnum):
    """What stands in the thread. The customer's and replies are public, notes are not, automatic ones say nothing."""

    CUSTOMER = "customer"
    AUTOMATIC = "automatic"
    REPLY = "reply"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Remark:
    """Something somebody wrote lately, for the last-seen guard. `author` is a label for customers."""

    version: int
    kind: MessageKind
    author: str
    excerpt: str


@dataclass(frozen=True, slots=True)
class QueuedReply:
    """Written, not yet released."""

    reply: Reply
    position: int
    drops: tuple[str, ...] = ()
    overtaken_at: datetime | None = None
    """The oldest customer message that came in after it was written: it does not answer that one."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """How far a released reply got, and what its failure would bring back."""

    id: ReplyId
    """What adapters report on."""
    reply_id: ReplyId
    position: int
    state: DeliveryState = DeliveryState.QUEUED
    lost: bool = False
    """Failed for good."""
    answers: bool = False
    """Neither signal nor automatic: it stopped a clock."""
    answered_since: datetime | None = None
    """The oldest customer message that it answered."""
    overtaken_at: datetime | None = None
    spoke_for: tuple[TicketId, ...] = ()
    """The tickets that it was about: what answers it is about them."""
    speaks_for: tuple[SpeaksFor, ...] = ()
    """What it does for tickets, as long as it is not lost."""
    author: AgentId | None = None
    automatic: bool = False


@dataclass(frozen=True, slots=True)
class Filed:
    """A message of the thread that is not stored yet; `position` is the version that brought it."""

    position: int
    id: UUID
    kind: MessageKind
    at: datetime
    content: ReceivedMessage | Reply | Note


@dataclass(frozen=True, slots=True)
class Marked:
    """What became of a reply that was filed at `position`."""

    position: int
    state: str
    """A `DeliveryState`, or `withdrawn`."""
    reason: str | None = None
    permanent: bool = False
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class Unopened:
    """A conversation that does not exist; `number` is the one it gets when it is opened."""

    id: ConversationId
    number: int


@dataclass(frozen=True, slots=True)
class Conversation:
    """An existing conversation. `facts` is what its last own event carried, with owner and priority as routing said."""

    facts: ConversationFacts
    requester: Identity
    """How its contact is reached; nobody else ever takes this place."""
    participants: tuple[Participant, ...] = ()
    answered_id: str | None = None
    """The channel's id of the last message of somebody known: what a reply answers."""
    references: tuple[str, ...] = ()
    """The channel's ids of the first and the latest messages, either way."""
    remarks: tuple[Remark, ...] = ()
    queued: tuple[QueuedReply, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    once_awaited: tuple[Wait, ...] = ()
    """What it no longer waits for though it did not complete; its completion still counts (C8)."""
    follow_up: ConversationId | None = None
    """Where what is written to it goes since it was archived."""
    spoken_for: tuple[TicketId, ...] = ()
    """The tickets that the latest released reply spoke for: what is written next is about them."""
    confidential: frozenset[str] = frozenset()
    """Which names of issues in what waits to leave are confidential by now (W12); looked up, not kept."""
    priority_by_hand: bool = False
    """A person's choice holds against routing's."""
    filed: tuple[Filed, ...] = ()
    marked: tuple[Marked, ...] = ()

    @property
    def id(self) -> ConversationId:
        return self.facts.id

    @property
    def number(self) -> int:
        return self.facts.number


State: TypeAlias = Unopened | Conversation
