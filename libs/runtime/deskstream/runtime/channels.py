"""Which channels there are: mail, those whose services are installed here, and those that the environment names."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import entry_points
from importlib.resources import files
from typing import Annotated, Final

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from deskstream.contracts import subjects
from deskstream.contracts.inbound import ChannelName
from deskstream.messaging import Declaration, Service
from deskstream.runtime.settings import read_settings

GROUP: Final = "deskstream.services"
PREFIX: Final = "channel_"
"""Begins the name of every service that is a channel, of an adapter's durable and of its user at the broker."""

ALWAYS: Final = "email"

# With the prefix it is a schema's name in PostgreSQL, which has 63 bytes, and an entry point's.
_MOST: Final = 50


class ExtraChannels(BaseSettings):
    """`DESKSTREAM_EXTRA_CHANNELS`: what every process is told that provisions, or decides where a reply may leave."""

    model_config = SettingsConfigDict(env_prefix="DESKSTREAM_", env_ignore_empty=True, frozen=True)

    extra_channels: Annotated[tuple[ChannelName, ...], NoDecode, Field(max_length=_MOST)] = ()
    """Separated by commas: channels whose adapters are not installed here, because they are written in another
    language, or run from another image."""

    @field_validator("extra_channels", mode="before")
    @classmethod
    def _listed(cls, listed: str | Iterable[str]) -> tuple[str, ...]:
        names = listed.split(",") if isinstance(listed, str) else listed
        return tuple(dict.fromkeys(name.strip() for name in names if name.strip()))


def channels_that_send(extra: Iterable[str] = ()) -> frozenset[str]:
    """The channels by which a reply can leave: mail, what is installed here, and `extra` ones."""
    named = entry_points(group=GROUP).names
    installed = (name.removeprefix(PREFIX) for name in named if name.startswith(PREFIX))
    return frozenset({ALWAYS, *installed, *extra})


def adapters_elsewhere() -> list[Declaration]:
    """What the adapters of the extra channels hear and say, for streams, durables and permissions.

    Their code is not here, so they cannot be run. Raises SettingsError for a name that no channel can have.
    """
    installed = entry_points(group=GROUP).names
    extra = read_settings(ExtraChannels).extra_channels
    return [adapter_elsewhere(channel) for channel in extra if f"{PREFIX}{channel}" not in installed]


def adapter_elsewhere(channel: str) -> Declaration:
    """What an adapter hears and says whose code is not here."""
    return Declaration(
        name=f"{PREFIX}{channel}",
        settings=BaseSettings,
        build=_not_here,
        migrations=files("deskstream.messaging") / "migrations",
        hears=(subjects.outbound_lane(channel),),
        says=(f"{subjects.INBOUND}.{channel}",),
    )


def _not_here(settings: BaseSettings) -> Service:
    raise RuntimeError("This adapter runs elsewhere: it is only named here, by DESKSTREAM_EXTRA_CHANNELS.")
