"""What tickets, issues and parts say to each other (`events.links.>`); only ticketing hears it."""

from datetime import datetime

from deskstream.contracts.chain_facts import PartRef, Severity, TicketType
from deskstream.contracts.facts import AccountFacts, ContactFacts, WorkspaceFacts
from deskstream.contracts.ids import AgentId, IssueId, MessageId, PartId, TicketId
from deskstream.contracts.linked import ConversationRef, IssueRef, NotSent
from deskstream.contracts.message import Event

LANE = "events.links"


class IssueFiledFor(Event, lane=LANE, key="ticket_id"):
    """An issue was filed for this ticket, which links it."""

    ticket_id: TicketId
    issue: IssueRef
    waits: bool = False


class IssueReported(Event, lane=LANE, key="ticket_id"):
    """An issue of this ticket's went on."""

    ticket_id: TicketId
    issue: IssueRef
    original: IssueRef | None = None
    """Of a duplicate: the issue to wait for instead."""


class AnswerOrdered(Event, lane=LANE, key="ticket_id"):
    """An agent approved the answer about an issue to all its customers."""

    ticket_id: TicketId
    issue_id: IssueId
    issue_number: int
    text: str
    by: AgentId
    ended_at: datetime | None = None
    """Which end of the issue it is about."""


class AnswerMissed(Event, lane=LANE, key="issue_id"):
    """The approved answer about an issue reached nobody of this ticket's."""

    issue_id: IssueId
    ticket_id: TicketId
    ticket_number: int
    why: NotSent


class TicketJoined(Event, lane=LANE, key="issue_id"):
    """A ticket hangs on this issue, or its customer changed."""

    issue_id: IssueId
    ticket_id: TicketId
    customer: str
    """Account, else contact, else the ticket itself: what customers are counted by."""
    answered: bool = False
    """Whether its customer was told of the issue's end before, while it was linked earlier."""
    ended_at: datetime | None = None
    """Of which end; None where that was not written down."""


class TicketLeft(Event, lane=LANE, key="issue_id"):
    issue_id: IssueId
    ticket_id: TicketId


class WaiterPassedOn(Event, lane=LANE, key="issue_id"):
    """A conversation that waits for a duplicate waits for this, its original."""

    issue_id: IssueId
    name: str
    """Of the duplicate, by which the conversation knows it."""
    conversation: ConversationRef


class WaiterCalledBack(Event, lane=LANE, key="issue_id"):
    """A duplicate was taken up again: a conversation that waits for it no longer waits for this, its original."""

    issue_id: IssueId
    name: str
    """Of the duplicate, by which the conversation knows it."""
    conversation: ConversationRef


class PartTicketJoined(Event, lane=LANE, key="part_id"):
    """A ticket hangs on this enhancement, or its customer changed."""

    part_id: PartId
    ticket_id: TicketId
    customer: str


class PartTicketLeft(Event, lane=LANE, key="part_id"):
    part_id: PartId
    ticket_id: TicketId


class DefaultPassed(Event, lane=LANE, key="part_id"):
    """Another part is the default one now."""

    part_id: PartId
    to: PartId


class TicketContinued(Event, lane=LANE, key="ticket_id"):
    """A customer answered a closed ticket: `ticket_id` opens as its follow-up."""

    ticket_id: TicketId
    follow_up_of: TicketId
    title: str
    internal: bool = False
    type: TicketType
    severity: Severity
    part: PartRef
    owner: AgentId | None = None
    channel: str = ""
    requester: ContactFacts | None = None
    account: AccountFacts | None = None
    workspace: WorkspaceFacts | None = None
    customer_engineer: AgentId | None = None
    conversation: ConversationRef
    message_id: MessageId
