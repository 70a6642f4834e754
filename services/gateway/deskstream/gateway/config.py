"""What the gateway is told from outside."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


def _address(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError("must be host:port")
    return value


class Settings(BaseSettings):
    """Read as `DESKSTREAM_GATEWAY_<NAME>`; the defaults fit docker-compose, the token has none."""

    model_config = SettingsConfigDict(env_prefix="DESKSTREAM_GATEWAY_", env_ignore_empty=True, frozen=True)

    listen: Annotated[str, AfterValidator(_address)] = "0.0.0.0:8080"
    """Where HTTP is answered."""
    token: Annotated[SecretStr, Field(min_length=16)]
    """What a caller must show as `Authorization: Bearer …`; replicas share it."""
    feed_every: Annotated[float, Field(gt=0, le=10)] = 0.1
    """Seconds between two looks into the feed for those who listen live."""
    heartbeat: Annotated[float, Field(gt=0, le=300)] = 15.0
    """Seconds of silence after which a live listener gets a sign of life."""
    listeners: Annotated[int, Field(ge=1, le=10_000)] = 500
    """Live listeners at a time in one process."""
    requests: Annotated[int, Field(ge=1, le=10_000)] = 200
    """Commands under way at a time in one process, each with up to 1 MiB, and as many reads; others get 503."""
    stop_within: Annotated[int, Field(ge=1, le=60)] = 15
    """Seconds that requests under way get when the process stops."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to listen on."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)
