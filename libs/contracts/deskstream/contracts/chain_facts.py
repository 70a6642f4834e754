"""Public state of parts, tickets and issues, as their events carry it."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import Field

from deskstream.contracts.facts import AccountFacts, ContactFacts, Resolution, WorkspaceFacts
from deskstream.contracts.ids import AgentId, IssueId, MessageId, PartId, TaskId, TicketId
from deskstream.contracts.linked import Asks, ConversationRef, Given, IssueRef, IssueStage, TicketStage
from deskstream.contracts.message import Contract


class PartKind(StrEnum):
    """Levels of the product tree, from the top."""

    PRODUCT = "product"
    CAPABILITY = "capability"
    FEATURE = "feature"
    ENHANCEMENT = "enhancement"


class Maturity(StrEnum):
    PLANNED = "planned"
    EXPERIMENTAL = "experimental"
    BETA = "beta"
    SUPPORTED = "supported"
    DEPRECATED = "deprecated"


class Severity(StrEnum):
    BLOCKER = "blocker"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class TicketType(StrEnum):
    BUG = "bug"
    QUESTION = "question"
    FEATURE_REQUEST = "feature_request"
    INCIDENT = "incident"
    TASK = "task"


CodeChange = Literal["yes", "no", "unknown"]
Security = Literal["no", "unsure", "yes"]
"""Of an issue: whether it reveals a vulnerability."""


class Tombstone(Contract):
    """Who deleted it, and why. What was deleted keeps its number and can be restored."""

    by: AgentId | None = None
    at: datetime
    reason: str


class Weight(Contract):
    """How many tickets hang on an issue or enhancement, and how many customers stand behind them.

    W13 counts the value of linked opportunities, too. Its place is here, as one more optional field beside these, and a
    column beside theirs to sort by; the CRM, which owns opportunities, says none.
    """

    tickets: int = 0
    customers: int = 0


class PartRef(Contract):
    """A part as what hangs on it names it."""

    id: PartId
    number: int
    """Shown as PART-<number>."""
    name: str
    kind: PartKind


class PartFacts(Contract):
    """A part's public state after the event that carries it."""

    id: PartId
    number: int
    version: int
    name: str
    kind: PartKind
    parent: PartId | None = None
    default: bool = False
    """Where intake goes that names no part."""
    owners: tuple[AgentId, ...] = ()
    workers: tuple[AgentId, ...] = ()
    """Who may accept its issues beside its owners."""
    first_expert: AgentId | None = None
    second_expert: AgentId | None = None
    maturity: Maturity = Maturity.SUPPORTED
    weight: Weight = Weight()
    """Kept for enhancements."""
    deleted: Tombstone | None = None


class Task(Contract):
    """A piece of work inside a ticket (born from it) or an issue."""

    id: TaskId
    number: int
    """Counted within its ticket or issue."""
    title: str
    owner: AgentId | None = None
    state: Literal["open", "done", "dropped"] = "open"


class TicketWait(Contract):
    """Something that a ticket on hold waits for."""

    kind: Literal["issue", "person", "team", "third_party"]
    name: str = Field(min_length=1, max_length=200)
    """`ISS-31`, `carla`, `the hosting provider`."""


class TicketFacts(Contract):
    """A ticket's public state after the event that carries it."""

    id: TicketId
    number: int
    """Shown as TKT-<number>."""
    version: int
    stage: TicketStage
    type: TicketType = TicketType.QUESTION
    severity: Severity = Severity.MEDIUM
    title: str
    part: PartRef
    owner: AgentId | None = None
    internal: bool = False
    """Comes from inside, and is not shown to customers."""
    channel: str = ""
    """Where it came from; empty for inside."""
    requester: ContactFacts | None = None
    account: AccountFacts | None = None
    workspace: WorkspaceFacts | None = None
    customer_engineer: AgentId | None = None
    needs_code_change: CodeChange = "unknown"
    conversations: tuple[ConversationRef, ...] = ()
    issues: tuple[IssueRef, ...] = ()
    waits: tuple[TicketWait, ...] = ()
    asks: Asks | None = None
    """While pending: what for."""
    pending_since: datetime | None = None
    follow_ups: int = 0
    """Sent since it last became pending."""
    engineer_told: bool = False
    """Whether the customer engineer was told, asked or tagged."""
    given: tuple[Given, ...] = ()
    """What the customer was given so far."""
    confirmed: bool | None = None
    """The customer's last answer to "is this solved?"; None while there is none."""
    undecided: MessageId | None = None
    """A customer's message that may be about it: the agent decides."""
    tasks: tuple[Task, ...] = ()
    resolution: Resolution | None = None
    tags: dict[str, str] = {}
    side_of: TicketId | None = None
    """The ticket beside which this side task was made."""
    follow_up_of: TicketId | None = None
    created_at: datetime
    solved_at: datetime | None = None
    ended_at: datetime | None = None
    """When it was closed or canceled."""
    deleted: Tombstone | None = None


class Relation(Contract):
    """How one issue stands to another."""

    kind: Literal["blocks", "duplicates", "relates"]
    to: IssueId
    number: int
    """Of the other one."""


class IssueFacts(Contract):
    """An issue's public state after the event that carries it; for the dev org's eyes only."""

    id: IssueId
    number: int
    """Shown as ISS-<number>."""
    version: int
    stage: IssueStage
    title: str
    part: PartRef
    owner: AgentId | None = None
    filed_by: AgentId | None = None
    accepted_by: AgentId | None = None
    severity: Severity = Severity.MEDIUM
    security: Security = "no"
    """`yes`: confidential; `unsure`: colleagues are asked, and it is not published."""
    public_link: str | None = None
    tasks: tuple[Task, ...] = ()
    relations: tuple[Relation, ...] = ()
    weight: Weight = Weight()
    duplicate_of: IssueId | None = None
    created_at: datetime
    ended_at: datetime | None = None
    deleted: Tombstone | None = None
