"""What the environment may say about any Deskstream process, and how a wrong value is reported."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

import pydantic_settings
from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

Chosen = TypeVar("Chosen", bound=BaseSettings)


class SettingsError(RuntimeError):
    """A variable of the environment is missing or wrong: one line that names it and never shows its value."""


def _nats_url(url: str) -> str:
    if not all(server.startswith(("nats://", "tls://")) for server in url.split(",")):
        raise ValueError("must be nats:// or tls:// addresses, separated by commas")
    return url


def _postgres_url(url: str) -> str:
    if urlsplit(url).scheme not in ("postgresql", "postgres") or not urlsplit(url).hostname:
        raise ValueError("must look like postgresql://user@host:5432/database")
    return url


def _readable(path: Path) -> Path:
    try:
        path.read_bytes()
    except OSError as error:
        raise ValueError(f"names a file that cannot be read ({error.strerror})") from None
    return path


ReadableFile = Annotated[Path, AfterValidator(_readable)]


class RuntimeSettings(BaseSettings):
    """What every process is told, as `DESKSTREAM_<NAME>`; the defaults fit docker-compose."""

    model_config = SettingsConfigDict(env_prefix="DESKSTREAM_", env_ignore_empty=True, frozen=True)

    nats_url: Annotated[str, AfterValidator(_nats_url)] = "nats://nats:4222"
    """One broker, or several of a cluster separated by commas."""
    nats_seed_file: ReadableFile | None = None
    """The nkey seed that proves to the broker who we are."""
    postgres_url: Annotated[str, AfterValidator(_postgres_url), Field(repr=False)] = (
        "postgresql://deskstream@postgres:5432/deskstream"
    )
    postgres_password_file: ReadableFile | None = None
    """Read when connecting; it replaces a password in the URL."""
    pool_size: Annotated[int, Field(ge=1, le=100)] = 4
    """Connections to PostgreSQL, per service."""
    log_format: Literal["auto", "json", "console"] = "auto"
    """`auto` is `console` on a terminal and `json` elsewhere."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    health_host: str = "0.0.0.0"
    health_port: Annotated[int, Field(ge=0, le=65535)] = 0
    """Where /live and /ready are answered; 0 = nowhere."""

    @property
    def nats_servers(self) -> list[str]:
        """The brokers to try."""
        return self.nats_url.split(",")

    @property
    def postgres_dsn(self) -> str:
        """The URL to connect with, the password of the file in it. Not for logs."""
        if self.postgres_password_file is None:
            return self.postgres_url
        password = self.postgres_password_file.read_text().strip()
        parts = urlsplit(self.postgres_url)
        address = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{quote(parts.username or '')}:{quote(password, safe='')}@{address}"))


def read_settings(kind: type[Chosen]) -> Chosen:
    """Read the settings of one kind from the environment. Raises SettingsError."""
    prefix = kind.model_config.get("env_prefix", "")
    try:
        return kind()
    except ValidationError as error:
        problems = [f"{_variable(kind, problem['loc'])}: {problem['msg']}" for problem in error.errors()]
        raise SettingsError("; ".join(problems)) from None
    except pydantic_settings.SettingsError as error:
        field = re.search(r'field "(\w+)"', str(error))
        name = f"{prefix}{field[1]}".upper() if field else str(error)
        raise SettingsError(f"{name}: must be JSON") from None


def _variable(kind: type[BaseSettings], place: tuple[int | str, ...]) -> str:
    prefix = kind.model_config.get("env_prefix", "") if place and place[0] in kind.model_fields else ""
    separator = kind.model_config.get("env_nested_delimiter") or "."
    return (prefix + separator.join(str(step) for step in place)).upper()
