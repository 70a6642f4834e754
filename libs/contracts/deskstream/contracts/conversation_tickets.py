"""What a conversation says of its tickets, on its own lane, and can be asked about them."""

from pydantic import Field

from deskstream.contracts.conversation import ConversationCommand, ConversationEvent
from deskstream.contracts.ids import MessageId
from deskstream.contracts.linked import LinkedTicket


class LinkedTicketsChanged(ConversationEvent):
    """A ticket was linked or unlinked, or went on."""

    ticket: LinkedTicket
    linked: bool = True


class TicketSuggestionDismissed(ConversationEvent):
    """It suggests no ticket any more."""


class DismissTicketSuggestion(ConversationCommand):
    pass


class PrefillTicket(ConversationCommand):
    """What `open_ticket` needs to know of a conversation: title and text from the chosen messages, and who asks."""

    messages: tuple[MessageId, ...] = Field((), max_length=50)
    """Empty: the first one."""
