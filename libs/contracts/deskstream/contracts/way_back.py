"""The way back (`events.way_back.>`): what work says to the conversations that wait for it. Nothing here is secret."""

from typing import Literal

from deskstream.contracts.ids import AgentId, ConversationId, ReplyId
from deskstream.contracts.linked import LinkedTicket, SpeaksFor
from deskstream.contracts.message import Event

LANE = "events.way_back"

Ending = Literal["completed", "dropped", "cancelled", "wont_fix", "deleted"]
"""How something that a conversation may wait for ended; `dropped`: nobody waits for it any more, and nobody completed
it."""


class TicketReported(Event, lane=LANE, key="conversation_id"):
    """A ticket of the conversation's was linked, unlinked, or went on."""

    conversation_id: ConversationId
    ticket: LinkedTicket
    linked: bool = True
    ended: Ending | None = None
    """The waiting for it is over: what it waited for itself came to an end, or the ticket did."""
    prepared: str | None = None
    """What an agent may answer."""


class IssueEnded(Event, lane=LANE, key="conversation_id"):
    """An issue that the conversation waits for is over."""

    conversation_id: ConversationId
    name: str
    """`ISS-31`."""
    ended: Ending
    prepared: str


class ReplyWanted(Event, lane=LANE, key="conversation_id"):
    """A ticket asks its conversation to send something: a follow-up, or an answer that an agent approved."""

    conversation_id: ConversationId
    text: str
    by: AgentId | None = None
    """Who approved it; None: it is automatic."""
    speaks_for: SpeaksFor
    reply_id: ReplyId | None = None
    """By which the ticket hears what became of it; None: it does not ask."""


class NoteWanted(Event, lane=LANE, key="conversation_id"):
    """A ticket has something to tell one of us: it becomes a note in the conversation, and never leaves."""

    conversation_id: ConversationId
    text: str
    mentions: tuple[AgentId, ...] = ()
    """Whom it is for; nobody in particular where the ticket has no owner."""
