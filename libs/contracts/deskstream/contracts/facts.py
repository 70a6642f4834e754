"""Public state that events carry, so that no reader has to call back."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import Field

from deskstream.contracts.ids import (
    AccountId,
    AgentId,
    ContactId,
    ConversationId,
    MessageId,
    NoteId,
    ReplyId,
    ThreadId,
    WorkspaceId,
)
from deskstream.contracts.inbound import Attachment, Automatic, Identity
from deskstream.contracts.linked import LinkedTicket, PreparedAnswer, SpeaksFor
from deskstream.contracts.message import Contract


class Priority(StrEnum):
    URGENT = "urgent"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class AccountStage(StrEnum):
    PROSPECT = "prospect"
    CUSTOMER = "customer"
    CHURNED = "churned"


class ContactFacts(Contract):
    id: ContactId
    name: str
    email: str | None = None
    phone: str | None = None
    external_id: str | None = None


class AccountFacts(Contract):
    id: AccountId
    name: str
    stage: AccountStage = AccountStage.PROSPECT
    tier: str | None = None
    priority: Priority | None = None
    default_owner: AgentId | None = None


class WorkspaceFacts(Contract):
    id: WorkspaceId
    name: str
    default_owner: AgentId | None = None


class ReceivedMessage(Contract):
    """A customer's message as every service after ingest sees it. Bodies over 32 KiB are cut; `body_blob` has all."""

    id: MessageId
    channel: str
    inbox: str
    external_id: str
    sender: Identity
    verified: bool = True
    """False when a stranger answered a known thread."""
    copied: tuple[Identity, ...] = ()
    requester: Identity | None = None
    """Whose concern it is when that is not the sender; counts for a message that opens a thread."""
    title: str | None = None
    text: str = ""
    quoted: str | None = None
    html: str | None = None
    body_blob: str | None = None
    raw_blob: str | None = None
    attachments: tuple[Attachment, ...] = ()
    automatic: Automatic | None = None
    no_auto_answer: bool = False
    suspicious: tuple[str, ...] = ()
    """Reasons to look before it reaches an agent; empty for a valid message."""
    flags: tuple[str, ...] = ()
    language: str | None = None
    answers: ReplyId | None = None
    """Which of our replies it answers, by the id under which that was sent."""
    solved: bool | None = None
    """The customer's answer to "is this solved?", when this message is one."""
    sent_at: datetime | None = None
    received_at: datetime


class Stage(StrEnum):
    NEW = "new"
    SUSPENDED = "suspended"
    WAITING_ON_USER = "waiting_on_user"
    NEEDS_RESPONSE = "needs_response"
    HOLD = "hold"
    RESOLVED = "resolved"
    ARCHIVED = "archived"


class Kind(StrEnum):
    """Who started a conversation."""

    CUSTOMER = "customer"
    AGENT = "agent"
    SYSTEM = "system"


class Resolution(StrEnum):
    ANSWERED = "answered"
    CONFIRMED = "confirmed"
    WORKAROUND = "workaround"
    DEFECT = "defect"
    FEATURE_REQUEST = "feature_request"
    SILENT_AFTER_ANSWER = "silent_after_answer"
    SILENT_NO_ANSWER = "silent_no_answer"
    CONTINUED_IN_TICKET = "continued_in_ticket"
    SPAM = "spam"
    DUPLICATE = "duplicate"


class Wait(Contract):
    """Something inside that a conversation waits for: a person, a ticket, an issue, a third party."""

    kind: Literal["person", "team", "ticket", "issue", "third_party"]
    name: str = Field(min_length=1, max_length=200)
    """Names it among all that the conversation waits for: `carla`, `TKT-7`."""


class Participant(Contract):
    """Somebody in the conversation beside its contact."""

    identity: Identity
    side: Literal["customer", "dev_org"]
    verified: bool = True
    added_by: AgentId | None = None


class SnoozeFacts(Contract):
    until: datetime | None = None
    until_reply: bool = False
    reason: str


class Reply(Contract):
    """A public message of an agent."""

    id: ReplyId
    author: AgentId
    text: str
    signal: bool = False
    """A mere "I'm on it": changes no stage and stops no clock."""
    asks_solved: bool = False
    automatic: bool = False
    attachments: tuple[Attachment, ...] = ()
    written_at: datetime
    release_at: datetime
    """When it leaves unless it is undone."""
    speaks_for: tuple[SpeaksFor, ...] = ()
    """The tickets that it speaks for."""


class Note(Contract):
    """An internal remark; never sent outside."""

    id: NoteId
    author: AgentId
    text: str
    mentions: tuple[str, ...] = ()


class ConversationFacts(Contract):
    """A conversation's public state after the event that carries it."""

    id: ConversationId
    thread_id: ThreadId
    number: int
    """Shown as CONV-<number>."""
    version: int
    """The sequence of the event that carries this, within the conversation's lane."""
    stage: Stage
    kind: Kind = Kind.CUSTOMER
    channel: str
    inbox: str
    title: str = ""
    contact: ContactFacts | None = None
    account: AccountFacts | None = None
    workspace: WorkspaceFacts | None = None
    owner: AgentId | None = None
    priority: Priority = Priority.NORMAL
    language: str | None = None
    tags: dict[str, str] = {}
    """Tag -> value; the value of a plain tag is the empty text."""
    waits: tuple[Wait, ...] = ()
    snooze: SnoozeFacts | None = None
    resolution: Resolution | None = None
    """While it is resolved or archived; also `spam` where a review found that."""
    confirmed: bool | None = None
    """The customer's last answer to "is this solved?"; None while there is none for its present state."""
    follow_up_of: ConversationId | None = None
    earlier_owner: AgentId | None = None
    """Owner of the conversation this one follows up."""
    shared_with: tuple[AgentId, ...] = ()
    created_at: datetime
    valid_at: datetime | None = None
    """When it first was `new` with a customer waiting: first response counts from here.

    None until a suspended one is reviewed, and for one that an agent started and the customer only answered.
    """
    oldest_unanswered_at: datetime | None = None
    """The oldest customer message that no human public reply has answered; None while suspended and once closed."""
    last_public_at: datetime
    public_replies: int = 0
    """Released replies by a human that were no mere signal."""
    tickets: tuple[LinkedTicket, ...] = ()
    prepared: tuple[PreparedAnswer, ...] = ()
    """What may be answered about work that is over; gone with the next reply."""
    ticket_suggestion_dismissed: bool = False
    suggests_ticket_at: datetime | None = None
    """From then on it suggests to open a ticket (C7); None: never, as it stands now."""
