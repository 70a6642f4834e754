"""What a conversation says (`events.conversation.>`) and can be asked. Every event carries the state after it."""

from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from deskstream.contracts.facts import (
    ConversationFacts,
    Note,
    Participant,
    Priority,
    ReceivedMessage,
    Reply,
    Resolution,
    SnoozeFacts,
    Stage,
    Wait,
)
from deskstream.contracts.ids import AgentId, ConversationId, ReplyId
from deskstream.contracts.inbound import Attachment, ChannelName, DeliveryState, Identity, InboxName
from deskstream.contracts.linked import PreparedAnswer, SpeaksFor, TicketMeant
from deskstream.contracts.message import Command, Event

LANE = "events.conversation"
FOLLOW_UP_LANE = "events.follow_up"

TEXT_LIMIT = 32 * 1024


class ConversationEvent(Event, lane=LANE, key="conversation_id"):
    conversation_id: ConversationId
    stage_before: Stage | None = None
    """None for the first event."""
    after: ConversationFacts


class ConversationOpened(ConversationEvent):
    """Stage after: `new`, or `suspended` with the message's reasons."""

    message: ReceivedMessage | None = None
    """None when an agent opened it."""
    requester: Identity | None = None
    """How the requester is reached; None: by the sender of `message`."""


class CustomerReplied(ConversationEvent):
    message: ReceivedMessage
    by: Literal["requester", "participant", "stranger"] = "requester"
    """A stranger is nobody the conversation knew: shown as unverified, and sent nothing."""


class AutomaticMessageFiled(ConversationEvent):
    """A bounce, an out-of-office: shown in the thread, changes neither stage nor clocks."""

    message: ReceivedMessage


class SuspicionReviewed(ConversationEvent):
    """`suspended` -> `new` / `archived`, or `new` -> `suspended`."""

    verdict: Literal["valid", "spam"]
    reason: str = ""


class ReplyQueued(ConversationEvent):
    """Written, and not yet gone: it can be undone until `reply.release_at`. Changes no stage, no clock."""

    reply: Reply
    drops: tuple[str, ...] = ()
    """Names of waits that it drops when it is released."""


class ReplyWithdrawn(ConversationEvent):
    """Undone in time; or nothing is sent any more, because the conversation turned out to be spam."""

    reply_id: ReplyId


class AgentReplied(ConversationEvent):
    """A reply was released: stage and clocks change now."""

    reply: Reply
    delivery_id: ReplyId | None = None
    """The id that adapters report on, where it differs from the reply's: a failed one is sent once more."""


class DeliveryChanged(ConversationEvent):
    """How far a reply got. A permanent failure returns the conversation to `needs_response`."""

    reply_id: ReplyId
    state: DeliveryState
    reason: str | None = None
    permanent: bool = False
    kept_back: bool = False
    external_id: str | None = None
    """The channel's id of what was sent."""


class NoteAdded(ConversationEvent):
    note: Note


class TitleChanged(ConversationEvent):
    pass


class ParticipantAdded(ConversationEvent):
    participant: Participant


class TagsChanged(ConversationEvent):
    added: dict[str, str] = {}
    removed: tuple[str, ...] = ()


class PriorityChanged(ConversationEvent):
    before: Priority


class ConversationShared(ConversationEvent):
    """Shown to a developer or product manager; the owner stays."""

    agent: AgentId


class ConversationSnoozed(ConversationEvent):
    snooze: SnoozeFacts


class SnoozeEnded(ConversationEvent):
    why: Literal["time", "reply", "agent"]


class PutOnHold(ConversationEvent):
    """Escalated inside: `after.waits` names what it waits for."""

    reason: str = ""


class WaitEnded(ConversationEvent):
    """Something it waited for completed, was cancelled, ticked off or dropped; the last one ends the hold.

    Also for what it once waited for: completed, it takes `waiting_on_user` back to `needs_response`.
    """

    wait: Wait
    how: Literal["completed", "cancelled", "ticked_off", "dropped"]
    reason: str = ""
    prepared: PreparedAnswer | None = None
    """What an agent may answer now."""


class ConversationResolved(ConversationEvent):
    category: Resolution


class ConversationArchived(ConversationEvent):
    pass


class FollowUpNeeded(ConversationEvent):
    """A customer answered an archived conversation; `follow_up_id` opens, or is open already, and gets it."""

    follow_up_id: ConversationId


class MessagePassedOn(Event, lane=FOLLOW_UP_LANE, key="follow_up_id"):
    """What the follow-up gets. On a lane of its own, which only conversation hears: on the other it would be sent every
    event of its own again, to skip it."""

    follow_up_id: ConversationId
    conversation_id: ConversationId
    """The archived one."""
    after: ConversationFacts
    """Of the archived one."""
    message: ReceivedMessage
    requester: Identity | None = None
    """How the requester of the archived conversation is reached."""
    tickets: tuple[TicketMeant, ...] = ()
    """The archived one's, which hear of the message from the follow-up; none for a stranger's."""


class ConversationCommand(Command, service="conversation"):
    conversation_id: ConversationId


class StartConversation(Command, service="conversation"):
    """An agent writes first; the customer's answer starts the first clock."""

    contact: Identity
    channel: ChannelName = "email"
    inbox: InboxName = "support"
    title: str = Field(min_length=1, max_length=500)
    text: str = Field(min_length=1, max_length=TEXT_LIMIT)


class SendReply(ConversationCommand):
    text: str = Field(min_length=1, max_length=TEXT_LIMIT)
    last_seen: int = Field(ge=0)
    """`after.version` of the last event the writer saw."""
    confirm: bool = False
    """Send although somebody else wrote in between."""
    signal: bool = False
    asks_solved: bool = False
    drops: tuple[str, ...] = Field((), max_length=20)
    """Names of waits that this answer drops; dropping the last one ends the hold."""
    attachments: tuple[Attachment, ...] = Field((), max_length=20)
    speaks_for: tuple[SpeaksFor, ...] = Field((), max_length=20)
    """Tickets of the conversation that the reply speaks for; they hear of it when it leaves."""


class UndoReply(ConversationCommand):
    reply_id: ReplyId


class RetryReply(ConversationCommand):
    """Sends a failed reply once more."""

    reply_id: ReplyId


class AddNote(ConversationCommand):
    text: str = Field(min_length=1, max_length=TEXT_LIMIT)


class SetTitle(ConversationCommand):
    title: str = Field(min_length=1, max_length=500)


class AddParticipant(ConversationCommand):
    identity: Identity
    side: Literal["customer", "dev_org"]


class ChangeTags(ConversationCommand):
    add: dict[str, str] = {}
    remove: tuple[str, ...] = ()


class SetPriority(ConversationCommand):
    priority: Priority


class Share(ConversationCommand):
    agent: AgentId = Field(pattern=r"^[a-z0-9_-]{1,64}$")


class Snooze(ConversationCommand):
    until: AwareDatetime | None = None
    until_reply: bool = False
    reason: str = Field(min_length=1, max_length=500)


class EndSnooze(ConversationCommand):
    pass


class Hold(ConversationCommand):
    waits: tuple[Wait, ...] = Field(min_length=1, max_length=20)
    reason: str = Field("", max_length=500)


class EndWait(ConversationCommand):
    """One thing the conversation waits for is over: an agent ticks it off or drops it, or it completed, was cancelled.

    What completed or was cancelled may also be something it once waited for.
    """

    name: str = Field(min_length=1, max_length=200)
    how: Literal["completed", "cancelled", "ticked_off", "dropped"]
    reason: str = Field(min_length=1, max_length=500)


class Resolve(ConversationCommand):
    category: Resolution


class Archive(ConversationCommand):
    pass


class Review(ConversationCommand):
    verdict: Literal["valid", "spam"]
    reason: str = Field("", max_length=500)


class FindConversation(Command, service="conversation"):
    """The conversation of a number or an id, with its public state, and whether it suggests to open a ticket."""

    number: int | None = Field(None, ge=1, le=2**53)
    conversation_id: UUID | None = None
