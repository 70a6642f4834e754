"""What conversations say to tickets (`events.ticket_talk.>`): only those with tickets, so that nobody else pays."""

from deskstream.contracts.ids import AgentId, MessageId, ReplyId, TicketId
from deskstream.contracts.linked import Concerns, ConversationRef, NotSent, SpeaksFor, TicketStage
from deskstream.contracts.message import Event

LANE = "events.ticket_talk"


class CustomerAnswered(Event, lane=LANE, key="ticket_id"):
    """The customer wrote in a conversation of this ticket's."""

    ticket_id: TicketId
    conversation: ConversationRef
    message_id: MessageId
    concerns: Concerns
    stage: TicketStage | None = None
    """The ticket's, as the conversation knew it."""
    passed_on: bool = False
    """It was written in an archived conversation, and went on to this one, its follow-up, which the ticket links."""
    solved: bool | None = None
    """The customer's answer to "is this solved?"."""


class TicketSpokenFor(Event, lane=LANE, key="ticket_id"):
    """A reply that names the ticket has left."""

    ticket_id: TicketId
    conversation: ConversationRef
    reply_id: ReplyId
    by: AgentId
    automatic: bool = False
    speaks: SpeaksFor


class TicketNotSpokenFor(Event, lane=LANE, key="ticket_id"):
    """A reply that speaks for the ticket does not leave, and why; `undeliverable`: it left, and failed for good."""

    ticket_id: TicketId
    conversation: ConversationRef
    reply_id: ReplyId
    by: AgentId | None = None
    automatic: bool = False
    why: NotSent


class ReachChanged(Event, lane=LANE, key="ticket_id"):
    """Nothing can be sent any more in a conversation of this ticket's, or something can again."""

    ticket_id: TicketId
    conversation: ConversationRef
    """Its `silenced` says why; None: it can."""


class TicketAwaited(Event, lane=LANE, key="name"):
    """A conversation on hold waits for a ticket, linked or not."""

    name: str
    """`TKT-7`."""
    conversation: ConversationRef


class IssueAwaited(Event, lane=LANE, key="name"):
    """A conversation on hold waits for an issue without a ticket between them."""

    name: str
    """`ISS-31`."""
    conversation: ConversationRef
