"""What ingest is told by the environment."""

from typing import Annotated

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from deskstream.runtime.settings import ReadableFile

SHORTEST_SECRET = 16


class Settings(BaseSettings):
    """`DESKSTREAM_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="DESKSTREAM_", env_ignore_empty=True, frozen=True)

    thread_secret_file: ReadableFile | None = None
    thread_secret: Annotated[SecretStr, Field(validate_default=True)] = SecretStr("")
    """What reply tokens are signed with, the same for every service; itself, or in a file."""
    ingest_suspicious_words: Annotated[tuple[str, ...], NoDecode] = ()
    """Separated by commas: a stranger's message that says one of them is looked at before it reaches an agent."""

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

    @field_validator("ingest_suspicious_words", mode="before")
    @classmethod
    def _words(cls, listed: str | tuple[str, ...]) -> tuple[str, ...]:
        words = listed.split(",") if isinstance(listed, str) else listed
        return tuple(word.strip() for word in words if word.strip())
