"""What ticketing can be asked about tickets."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from deskstream.contracts.chain_facts import CodeChange, Severity, TicketType, TicketWait
from deskstream.contracts.facts import AccountFacts, ContactFacts, Resolution, WorkspaceFacts
from deskstream.contracts.ids import ContactId, ConversationId, IssueId, MessageId, PartId, TicketId
from deskstream.contracts.linked import Asks, ConversationRef, Given, TicketStage
from deskstream.contracts.message import Command
from deskstream.contracts.vistas import Tracker, Triage

TEXT_LIMIT = 16 * 1024

Handle = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,64}$")]
# One line that shows something: no control characters, and more than blanks.
_LINE = r"[^\x00-\x1f\x7f-\x9f]*"
_TITLE = rf"^{_LINE}[^\x00-\x20\x7f-\xa0\u200b-\u200f\ufeff]{_LINE}$"
Title = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=_TITLE)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Version = Annotated[int | None, Field(ge=1, description="The version that was seen; another one is refused.")]


class TicketCommand(Command, service="ticketing"):
    ticket_id: TicketId


class OpenTicket(Command, service="ticketing"):
    """Opens a ticket. Whoever asks brings what is known of conversation and customer, as `prefill_ticket` tells it."""

    title: Title
    text: str = Field("", max_length=TEXT_LIMIT)
    type: TicketType = TicketType.QUESTION
    severity: Severity = Severity.MEDIUM
    part_id: PartId | None = None
    """None: the default part."""
    owner: Handle | None = None
    internal: bool = False
    channel: str = Field("", max_length=64)
    requester: ContactFacts | None = None
    account: AccountFacts | None = None
    workspace: WorkspaceFacts | None = None
    customer_engineer: Handle | None = None
    needs_code_change: CodeChange = "unknown"
    conversation: ConversationRef | None = None
    messages: tuple[MessageId, ...] = Field((), max_length=50)
    issue_id: IssueId | None = None
    """An issue that it shall be linked to."""
    side_of: TicketId | None = None
    """Makes it a side task of this ticket; its type is `task`."""


class ChangeTicket(TicketCommand):
    """Changes the fields given; the empty text takes owner or customer engineer away."""

    title: Title | None = None
    type: TicketType | None = None
    severity: Severity | None = None
    part_id: PartId | None = None
    owner: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{0,64}$")] | None = None
    customer_engineer: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{0,64}$")] | None = None
    needs_code_change: CodeChange | None = None
    internal: bool | None = None
    version: Version = None


class SwitchRequester(TicketCommand):
    """Account and workspace follow: whoever asks brings all three as the CRM's `find_contact` tells them."""

    requester: ContactFacts
    account: AccountFacts | None = None
    workspace: WorkspaceFacts | None = None


class LinkConversation(TicketCommand):
    conversation: ConversationRef


class UnlinkConversation(TicketCommand):
    conversation_id: ConversationId
    reason: Reason
    version: Version = None


class LinkIssue(TicketCommand):
    issue_id: IssueId
    wait: bool = False
    """Also put the ticket on hold for it."""


class UnlinkIssue(TicketCommand):
    issue_id: IssueId
    reason: Reason
    version: Version = None


class RecordAnswer(TicketCommand):
    """An agent answered the customer on a way that no conversation records, such as a call."""

    asks: Asks | None = None
    gives: tuple[Given, ...] = Field((), max_length=4)


class RecordCustomer(TicketCommand):
    """The customer answered on a way that no conversation records."""

    confirmed: bool | None = None


class DecideAnswer(TicketCommand):
    """Whether the customer's undecided message concerns this ticket."""

    concerns: bool


class HoldTicket(TicketCommand):
    """Waits for somebody inside or a third party; on a ticket on hold, for one thing more."""

    waits: tuple[TicketWait, ...] = Field(min_length=1, max_length=20)
    reason: str = Field("", max_length=500)


class EndTicketWait(TicketCommand):
    name: str = Field(min_length=1, max_length=200)
    reason: Reason


class TagCustomerEngineer(TicketCommand):
    pass


class AddTicketTask(TicketCommand):
    """A task born from the ticket: while it is open, the ticket is not solved unless somebody says why."""

    title: Title
    owner: Handle | None = None


class ChangeTicketTask(TicketCommand):
    number: int = Field(ge=1)
    how: Literal["done", "dropped", "delegated", "reopened"]
    owner: Handle | None = None
    reason: str = Field("", max_length=500)
    version: Version = None


class SolveTicket(TicketCommand):
    category: Resolution
    despite_tasks: Reason | None = None


class CancelTicket(TicketCommand):
    reason: Reason


class DeleteTicket(TicketCommand):
    reason: Reason
    version: Version = None


class RestoreTicket(TicketCommand):
    pass


class FindTicket(Command, service="ticketing"):
    """One ticket with its text, by number or id."""

    number: int | None = Field(None, ge=1, le=2**53)
    ticket_id: UUID | None = None


class ListTickets(Command, service="ticketing"):
    """A page of tickets, newest first. Deleted ones only where they are asked for."""

    tracker: Tracker | None = None
    """Unsolved ones that need a code change or have an issue; all other unsolved ones."""
    triage: Triage | None = None
    stage: TicketStage | None = None
    type: TicketType | None = None
    severity: Severity | None = None
    owner: str | None = Field(None, max_length=64)
    part_id: PartId | None = None
    """Everything below it, too."""
    account_id: UUID | None = None
    contact_id: UUID | None = None
    conversation_id: ConversationId | None = None
    issue_id: IssueId | None = None
    deleted: bool = False
    before: int | None = Field(None, ge=1)
    """The last number of the page before."""
    limit: int = Field(50, ge=1, le=100)


class CountTickets(Command, service="ticketing"):
    """Tickets by part, and within each by stage."""

    account_id: UUID | None = None


class ListCustomerTickets(Command, service="ticketing"):
    """What a customer may see of the tickets of a contact: number, title, stage in plain words."""

    contact_id: ContactId
    before: int | None = Field(None, ge=1)
    limit: int = Field(50, ge=1, le=100)


class ReadChain(Command, service="ticketing"):
    """Everything that hangs together with one member, which one of these names."""

    ticket: int | None = Field(None, ge=1, le=2**53)
    issue: int | None = Field(None, ge=1, le=2**53)
    part: int | None = Field(None, ge=1, le=2**53)
    conversation: int | None = Field(None, ge=1, le=2**53)
    account_id: UUID | None = None
    limit: int = Field(50, ge=1, le=100)
    """Tickets at most; and as many issues that hang on the member itself, and parts directly below it."""
