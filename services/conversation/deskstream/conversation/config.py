"""What an operator may set, as `DESKSTREAM_<NAME>`."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from deskstream.runtime.channels import ExtraChannels, channels_that_send


class Settings(ExtraChannels):
    conversation_undo_seconds: Annotated[float, Field(ge=0, le=600, allow_inf_nan=False)] = 10
    """How long a reply waits before it leaves and can be undone; 0 sends at once."""

    conversation_suggest_ticket_seconds: Annotated[float, Field(ge=0, le=31_536_000, allow_inf_nan=False)] = 300
    """How long after it was first valid a conversation without a ticket suggests one."""

    @property
    def suggest_ticket_after(self) -> timedelta:
        """The same as a span of time."""
        return timedelta(seconds=self.conversation_suggest_ticket_seconds)

    @property
    def undo(self) -> timedelta:
        """The same as a span of time."""
        return timedelta(seconds=self.conversation_undo_seconds)

    @property
    def channels(self) -> frozenset[str]:
        """Channels by which replies leave; one on another channel is refused."""
        return channels_that_send(self.extra_channels)
