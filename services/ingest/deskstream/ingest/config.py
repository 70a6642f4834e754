"""What ingest is told by the environment."""

from typing import Annotated

from pydantic import field_validator
from pydantic_settings import NoDecode

from deskstream.runtime.thread_secret import WithThreadSecret


class Settings(WithThreadSecret):
    """`DESKSTREAM_<NAME>`."""

    ingest_suspicious_words: Annotated[tuple[str, ...], NoDecode] = ()
    """Separated by commas: a stranger's message that says one of them is looked at before it reaches an agent."""

    @field_validator("ingest_suspicious_words", mode="before")
    @classmethod
    def _words(cls, listed: str | tuple[str, ...]) -> tuple[str, ...]:
        words = listed.split(",") if isinstance(listed, str) else listed
        return tuple(word.strip() for word in words if word.strip())
