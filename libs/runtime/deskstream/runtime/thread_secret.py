"""The one secret that several services share: what reply tokens are signed with."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from deskstream.runtime.settings import ReadableFile

SHORTEST_SECRET = 16


class WithThreadSecret(BaseSettings):
    """Settings of a service that signs or reads reply tokens. There is no default: a known secret is none."""

    model_config = SettingsConfigDict(env_prefix="DESKSTREAM_", env_ignore_empty=True, frozen=True)

    thread_secret_file: ReadableFile | None = None
    thread_secret: Annotated[SecretStr, Field(validate_default=True)] = SecretStr("")
    """The same for every service; itself, or in a file."""

    @field_validator("thread_secret")
    @classmethod
    def _from_file(cls, secret: SecretStr, info: ValidationInfo) -> SecretStr:
        path = info.data.get("thread_secret_file")
        text = secret.get_secret_value() or (path.read_text().strip() if path else "")
        if len(text) < SHORTEST_SECRET:
            raise ValueError(
                f"needs at least {SHORTEST_SECRET} random characters, the same for every service "
                "(`openssl rand -hex 32`); DESKSTREAM_THREAD_SECRET_FILE may name a file that holds them"
            )
        return SecretStr(text)
