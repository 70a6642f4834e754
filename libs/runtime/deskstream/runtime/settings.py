"""What the environment may say about any Deskstream process, and how a wrong value is reported."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

import pydantic_settings
from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from deskstream.messaging.permissions import OPERATOR
from deskstream.runtime.privileges.credentials import Credentials, role_of

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


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise ValueError("names no folder")
    return path


ReadableFile = Annotated[Path, AfterValidator(_readable)]
Folder = Annotated[Path, AfterValidator(_folder)]


class RuntimeSettings(BaseSettings):
    """What every process is told, as `DESKSTREAM_<NAME>`; the defaults fit docker-compose."""

    model_config = SettingsConfigDict(env_prefix="DESKSTREAM_", env_ignore_empty=True, frozen=True)

    nats_url: Annotated[str, AfterValidator(_nats_url)] = "nats://nats:4222"
    """One broker, or several of a cluster separated by commas."""
    nats_seed_file: ReadableFile | None = None
    """The nkey seed that proves to the broker who we are."""
    nats_tls_ca_file: ReadableFile | None = None
    """The certificate by which we recognise the broker, where no public authority vouches for it."""
    nats_tls_cert_file: ReadableFile | None = None
    """Our own certificate, for a broker that asks for one; its key is in `nats_tls_key_file`."""
    nats_tls_key_file: ReadableFile | None = None
    credentials: Folder | None = None
    """A folder as `deskstream provision --permissions` writes it: each service finds there who it is to both servers.
    What a file of the settings above names comes first."""
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
    """Where /live, /ready and /metrics are answered; 0 = nowhere."""
    otlp_url: Annotated[str, Field(pattern=r"^(https?://\S+)?$")] = ""
    """Where spans go, by OTLP over HTTP: `http://collector:4318/v1/traces`; empty = nowhere."""
    trace_ratio: Annotated[float, Field(ge=0, le=1)] = 0.01
    """Which share of what arrives is followed through all services; what a sender follows is followed anyway."""
    wait_for_servers: Annotated[float, Field(gt=0, le=86_400)] = 60
    """Seconds that a starting process gives its database, which may start later; it says what it waits for."""

    @property
    def nats_servers(self) -> list[str]:
        """The brokers to try."""
        return self.nats_url.split(",")

    @property
    def postgres_server(self) -> str:
        """Where the database is, as one may show it."""
        return urlsplit(self.postgres_url).netloc.rpartition("@")[2]

    @property
    def postgres_dsn(self) -> str:
        """The URL for whoever runs the desk: the owner of the tables. Not for logs."""
        return self.postgres_dsn_of(OPERATOR)

    def postgres_dsn_of(self, user: str) -> str:
        """The URL to connect with as this service, or `operator`; the password of the file in it. Not for logs."""
        name, secret = urlsplit(self.postgres_url).username or "", self.postgres_password_file
        if secret is None and self.credentials and (own := Credentials(self.credentials).password_file(user)).exists():
            name, secret = role_of(user), own
        if secret is None:
            return self.postgres_url
        parts, password = urlsplit(self.postgres_url), secret.read_text().strip()
        address = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{quote(name)}:{quote(password, safe='')}@{address}"))


def read_settings(kind: type[Chosen]) -> Chosen:
    """Read the settings of one kind from the environment. Raises SettingsError.

    For every variable `X`, `X_FILE` may name a file that holds the value, as secrets are given to containers.
    """
    prefix = kind.model_config.get("env_prefix", "")
    try:
        return kind(**_from_files(kind))
    except ValidationError as error:
        problems = [f"{_variable(kind, problem['loc'])}: {problem['msg']}" for problem in error.errors()]
        raise SettingsError("; ".join(problems)) from None
    except pydantic_settings.SettingsError as error:
        field = re.search(r'field "(\w+)"', str(error))
        name = f"{prefix}{field[1]}".upper() if field else str(error)
        raise SettingsError(f"{name}: must be JSON") from None


def _from_files(kind: type[BaseSettings]) -> dict[str, Any]:
    """By field, what lies in the files; fields of the settings' own that end in `_file` mean something else."""
    given: dict[str, Any] = {}
    for field in (name for name in kind.model_fields if f"{name}_file" not in kind.model_fields):
        variable = _variable(kind, (field,))
        if path := os.environ.get(f"{variable}_FILE"):
            if os.environ.get(variable):
                raise SettingsError(f"{variable}: is set, and so is {variable}_FILE; set one of them")
            given[field] = _content(f"{variable}_FILE", Path(path))
    return given


def _content(variable: str, path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not UTF-8"
        raise SettingsError(f"{variable}: names a file that cannot be read ({why})") from None


def _variable(kind: type[BaseSettings], place: tuple[int | str, ...]) -> str:
    prefix = kind.model_config.get("env_prefix", "") if place and place[0] in kind.model_fields else ""
    separator = kind.model_config.get("env_nested_delimiter") or "."
    return (prefix + separator.join(str(step) for step in place)).upper()
