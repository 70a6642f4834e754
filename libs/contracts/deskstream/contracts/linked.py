"""What conversations and tickets know of each other. All of it may be shown to customers: no word of any issue."""

from enum import StrEnum
from typing import Final, Literal

from pydantic import Field

from deskstream.contracts.ids import ConversationId, IssueId, TicketId
from deskstream.contracts.message import Contract


class TicketStage(StrEnum):
    """Where a ticket stands, and thereby who acts next."""

    NEW = "new"
    OPEN = "open"
    PENDING = "pending"
    ON_HOLD = "on_hold"
    SOLVED = "solved"
    CLOSED = "closed"
    CANCELED = "canceled"


UNSOLVED: Final = frozenset({TicketStage.NEW, TicketStage.OPEN, TicketStage.PENDING, TicketStage.ON_HOLD})
UNCLOSED: Final = UNSOLVED | {TicketStage.SOLVED}


class IssueStage(StrEnum):
    TRIAGE = "triage"
    BACKLOG = "backlog"
    PRIORITIZED = "prioritized"
    IN_DEVELOPMENT = "in_development"
    IN_REVIEW = "in_review"
    IN_TESTING = "in_testing"
    IN_DEPLOYMENT = "in_deployment"
    COMPLETED = "completed"
    WONT_FIX = "wont_fix"
    DUPLICATE = "duplicate"


Silenced = Literal["archived", "suspended", "no_adapter"]
"""Why a conversation sends nothing: it is over, nobody found it valid yet, or nothing sends on its channel."""
NotSent = (
    Silenced
    | Literal[
        "confidential",
        "queue_full",
        "too_large",
        "withdrawn",
        "unknown_conversation",
        "no_conversation",
        "internal",
        "still_waits",
        "undeliverable",
    ]
)
"""Why something that was to be sent for a ticket did not leave, or left and did not arrive."""


class ConversationRef(Contract):
    """A conversation as tickets name it."""

    id: ConversationId
    number: int
    """Shown as CONV-<number>."""
    channel: str = ""
    silenced: Silenced | None = None
    """Among a ticket's conversations: why nothing can be sent there, as far as it heard."""


class LinkedTicket(Contract):
    """A ticket as its conversations know it."""

    id: TicketId
    number: int
    """Shown as TKT-<number>."""
    title: str
    """In the customer's language."""
    stage: TicketStage
    internal: bool = False
    """Not for the customer's eyes."""


Concerns = Literal["this_ticket", "only_one", "perhaps"]
"""Whether a message answers what was said for a ticket, or that is its conversation's only unclosed one."""


class TicketMeant(Contract):
    """A ticket that a customer's message may be about."""

    ticket_id: TicketId
    concerns: Concerns
    stage: TicketStage
    """As the conversation knows it."""


class IssueRef(Contract):
    """An issue as its tickets know it: never its title or text, and no link of a confidential one."""

    id: IssueId
    number: int
    """Shown as ISS-<number>."""
    stage: IssueStage
    confidential: bool = False
    public_link: str | None = None
    deleted: bool = False


class PreparedAnswer(Contract):
    """What an agent may send when something that a conversation waited for is over."""

    work: str
    """`TKT-7`, `ISS-31`."""
    text: str


Given = Literal["answer", "workaround", "public_link", "filed"]
"""What a reply may give: an answer, a workaround, a link that everybody may open, the news that it was filed."""
Asks = Literal["confirmation", "information"]


class SpeaksFor(Contract):
    """A ticket that a reply speaks for, and what it does for it."""

    ticket_id: TicketId
    asks: Asks | None = None
    """Then the ticket waits for the customer."""
    gives: tuple[Given, ...] = Field((), max_length=4)
