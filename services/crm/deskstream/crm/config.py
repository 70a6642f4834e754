"""What an operator may set for the CRM."""

from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Read from `DESKSTREAM_CRM_…`."""

    model_config = SettingsConfigDict(env_prefix="DESKSTREAM_CRM_", frozen=True)

    vouching_channels: frozenset[str] = frozenset({"discord", "github", "slack", "whatsapp", "widget"})
    """Channels that know themselves whose mail address and phone number a sender has; as a JSON list."""
    phone_region: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None
    """Country (ISO 3166: `DE`) of phone numbers that are written without their country code."""
    free_mail_file: Path | None = None
    """More domains that belong to no company, beside the shipped ones; `#` begins a comment."""
