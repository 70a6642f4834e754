"""The rules of a conversation, pure: what is decided about a message, and what that changes."""

from deskstream.conversation.domain.deciding import decide
from deskstream.conversation.domain.evolving import evolve
from deskstream.conversation.domain.state import Conversation, State, Unopened
from deskstream.conversation.domain.waking import due

__all__ = ["Conversation", "State", "Unopened", "decide", "due", "evolve"]
