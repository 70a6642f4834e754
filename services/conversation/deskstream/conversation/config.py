"""What an operator may set, as `DESKSTREAM_CONVERSATION_<NAME>`."""

from datetime import timedelta
from typing import Annotated, Final

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

OUTBOUND_CHANNELS: Final = ("email",)
"""Channels that have an adapter which sends; a reply on another one is refused."""


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="DESKSTREAM_CONVERSATION_", env_ignore_empty=True, frozen=True)

    undo_seconds: Annotated[float, Field(ge=0, le=600, allow_inf_nan=False)] = 10
    """How long a reply waits before it leaves and can be undone; 0 sends at once."""

    @property
    def undo(self) -> timedelta:
        """The same as a span of time."""
        return timedelta(seconds=self.undo_seconds)
