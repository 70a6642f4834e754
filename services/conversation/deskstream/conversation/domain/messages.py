"""What is decided upon beside plain commands: messages that carry ids and settings which `decide` may not make."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

from deskstream.contracts.conversation import (
    AddNote,
    AddParticipant,
    Archive,
    ChangeTags,
    EndSnooze,
    EndWait,
    Hold,
    MessagePassedOn,
    Resolve,
    Review,
    SendReply,
    SetPriority,
    SetTitle,
    Share,
    Snooze,
    StartConversation,
    UndoReply,
)
from deskstream.contracts.conversation_tickets import DismissTicketSuggestion
from deskstream.contracts.facts import AccountFacts, ContactFacts, ReceivedMessage, Reply, WorkspaceFacts
from deskstream.contracts.ids import AgentId, ConversationId, NoteId, ReplyId
from deskstream.contracts.ingest import DeliveryNoted
from deskstream.contracts.way_back import IssueEnded, NoteWanted, ReplyWanted, TicketReported


@dataclass(frozen=True, slots=True)
class Incoming:
    """A customer's message whose sender is known, or one that an archived conversation passes on."""

    conversation_id: ConversationId
    message: ReceivedMessage
    follow_up_id: ConversationId
    """The conversation to open if this one is archived and has no follow-up yet."""
    contact: ContactFacts | None = None
    """The sender's; None when passed on."""
    account: AccountFacts | None = None
    workspace: WorkspaceFacts | None = None
    passed_on: MessagePassedOn | None = None
    answered: bool = False
    """Its adapter is to hear which conversation it became part of."""


@dataclass(frozen=True, slots=True)
class Sending:
    """How replies leave: after the time in which they can be undone, by channels that have an adapter."""

    undo: timedelta
    channels: frozenset[str]


@dataclass(frozen=True, slots=True)
class Start:
    conversation_id: ConversationId
    reply_id: ReplyId
    by: AgentId | None
    asked: StartConversation
    sending: Sending
    confidential: frozenset[str] = frozenset()
    """Which names of issues that a customer would read are confidential (W12)."""


@dataclass(frozen=True, slots=True)
class WriteReply:
    conversation_id: ConversationId
    reply_id: ReplyId
    by: AgentId | None
    asked: SendReply
    sending: Sending
    confidential: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SendAgain:
    """A failed reply once more; `reply` is None when there is none of that id."""

    conversation_id: ConversationId
    reply_id: ReplyId
    delivery_id: ReplyId
    reply: Reply | None
    confidential: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SendWanted:
    """A ticket asks to send something."""

    conversation_id: ConversationId
    reply_id: ReplyId
    wanted: ReplyWanted
    sending: Sending
    confidential: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class TakeNote:
    """A ticket has something to tell one of us."""

    conversation_id: ConversationId
    note_id: NoteId
    wanted: NoteWanted


@dataclass(frozen=True, slots=True)
class WriteNote:
    conversation_id: ConversationId
    note_id: NoteId
    by: AgentId | None
    asked: AddNote


@dataclass(frozen=True, slots=True)
class Retitle:
    conversation_id: ConversationId
    asked: SetTitle
    confidential: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Join:
    conversation_id: ConversationId
    by: AgentId | None
    asked: AddParticipant


@dataclass(frozen=True, slots=True)
class TimeCame:
    """The moment that `due` named: a reply may leave, a snooze may end."""


Asked: TypeAlias = (
    WriteReply
    | UndoReply
    | SendAgain
    | WriteNote
    | Retitle
    | Join
    | ChangeTags
    | SetPriority
    | Share
    | Snooze
    | EndSnooze
    | Hold
    | EndWait
    | Resolve
    | Archive
    | Review
    | DismissTicketSuggestion
)
"""Commands to a conversation that exists."""

Work: TypeAlias = TicketReported | IssueEnded | SendWanted | TakeNote
"""What tickets and issues say."""

Message: TypeAlias = Incoming | DeliveryNoted | TimeCame | Start | Work | Asked
