"""What an operator may set."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from deskstream.contracts.facts import Priority, Stage
from deskstream.contracts.ids import TeamId


class Settings(BaseSettings):
    """`DESKSTREAM_ROUTING_<NAME>`; tables as JSON."""

    model_config = SettingsConfigDict(env_prefix="DESKSTREAM_ROUTING_", env_ignore_empty=True, frozen=True)

    team: Annotated[TeamId, Field(pattern=r"^[a-z0-9_-]{1,64}$")] = TeamId("support")
    """The team of whatever no rule sends elsewhere. It must exist: `support` does from the start."""
    capacity: Annotated[int, Field(ge=0, le=10_000)] = 10
    """Of an agent who was given none."""
    weights: dict[Stage, Annotated[int, Field(ge=0, le=1000)]] = {Stage.NEW: 1, Stage.NEEDS_RESPONSE: 1}
    """What a conversation counts against its owner's capacity, by stage. A change counts from each one's next move."""
    tiers: dict[str, Priority] = {
        "enterprise": Priority.HIGH,
        "premium": Priority.HIGH,
        "free": Priority.LOW,
    }
    """Priority by the account's tier, whatever its case."""
