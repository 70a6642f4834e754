"""Which desk a command talks to: the one that the environment names, else the one that runs here or above."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from deskstream.cli.folder import SERVERS
from deskstream.cli.problem import Problem, misused
from deskstream.cli.state import State, find_folder, read_state
from deskstream.runtime.embedded.servers import EmbeddedServers
from deskstream.runtime.privileges.credentials import FOLDER as CREDENTIALS
from deskstream.runtime.settings import RuntimeSettings, SettingsError, read_settings

API_URL: Final = "DESKSTREAM_API_URL"
TOKEN: Final = "DESKSTREAM_GATEWAY_TOKEN"
SMTP: Final = "DESKSTREAM_SMTP"

NOTHING_HERE: Final = (
    "No desk runs in this folder or above it. Start one with `deskstream up`, or name its servers: set {}."
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a desk's parts are reached; what is None was not named."""

    settings: RuntimeSettings | None = None
    api_url: str | None = None
    token: str | None = field(default=None, repr=False)
    smtp: str | None = None
    inbox: str | None = None
    folder: Path | None = None
    """Of the desk that `up` runs; None where the environment names the servers."""
    state: State | None = None

    @property
    def servers(self) -> RuntimeSettings:
        """The broker and the database. Raises Problem."""
        if self.settings is None:
            raise Problem(NOTHING_HERE.format("DESKSTREAM_NATS_URL and DESKSTREAM_POSTGRES_URL"))
        return self.settings

    @property
    def api(self) -> tuple[str, str]:
        """URL and token of the HTTP API. Raises Problem."""
        if not self.api_url:
            raise Problem(NOTHING_HERE.format(f"{API_URL} (http://host:8080) and {TOKEN}"))
        if not self.token:
            raise Problem(f"The API wants to know who asks: set {TOKEN}.")
        return self.api_url, self.token

    @property
    def mail_server(self) -> tuple[str, int]:
        """Host and port where mails are taken in. Raises Problem."""
        if not self.smtp:
            raise Problem(NOTHING_HERE.format(f"{SMTP} (host:2525), or say --smtp host:2525"))
        return host_and_port(self.smtp)


def find_place(environment: Mapping[str, str] | None = None, start: Path | None = None) -> Place:
    """The place that commands called here talk to. Raises Problem for a variable that is wrong."""
    environment = os.environ if environment is None else environment
    if any(environment.get(name) for name in (*SERVERS, API_URL, SMTP)):
        return _named(environment)
    folder = find_folder((start or Path.cwd()).resolve())
    state = read_state(folder) if folder else None
    if folder is None or state is None or not _runs(folder, state):
        return Place()
    return _running_here(folder, state)


def host_and_port(text: str) -> tuple[str, int]:
    """`127.0.0.1:2525`, `[::1]:25`. Raises Problem."""
    host, colon, port = text.rpartition(":")
    if not (colon and host.strip("[]") and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise misused(f"{text!r} is no mail server: write host:port, like 127.0.0.1:2525.")
    return host.strip("[]"), int(port)


def without_password(url: str) -> str:
    """A server's URL as one may show it."""
    parts = urlsplit(url)
    user = f"{parts.username}@" if parts.username else ""
    return urlunsplit(parts._replace(netloc=user + parts.netloc.rpartition("@")[2], query=""))


def _named(environment: Mapping[str, str]) -> Place:
    settings = None
    if any(environment.get(name) for name in SERVERS):
        try:
            settings = read_settings(RuntimeSettings)
        except SettingsError as error:
            raise misused(str(error)) from None
    return Place(
        settings=settings,
        api_url=environment.get(API_URL) or None,
        token=environment.get(TOKEN) or None,
        smtp=environment.get(SMTP) or None,
    )


def _runs(folder: Path, state: State) -> bool:
    """Its servers answer questions also when the process of `up` was killed."""
    return state.alive or EmbeddedServers(folder).status().both_run


def _running_here(folder: Path, state: State) -> Place:
    credentials = folder / CREDENTIALS
    return Place(
        settings=RuntimeSettings(
            nats_url=state.nats_url,
            postgres_url=state.postgres_url,
            credentials=credentials if credentials.is_dir() else None,
        ),
        api_url=state.api_url,
        token=state.token,
        smtp=state.smtp,
        inbox=state.inbox,
        folder=folder,
        state=state,
    )
