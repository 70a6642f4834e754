"""Both embedded servers of one data folder."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from deskstream.runtime.embedded.home import Home, home_folder_of_root, open_home
from deskstream.runtime.embedded.nats import EmbeddedNats
from deskstream.runtime.embedded.postgres import EmbeddedPostgres
from deskstream.runtime.privileges.accounts import Settings


@dataclass(frozen=True)
class Addresses:
    """Where running servers are reached. The PostgreSQL URL carries the password: do not log it."""

    nats_url: str
    nats_monitor_url: str
    postgres_url: str


@dataclass(frozen=True)
class Status:
    """Process ids of what runs; None for what does not."""

    nats_pid: int | None
    postgres_pid: int | None

    @property
    def both_run(self) -> bool:
        """Whether nothing is missing."""
        return self.nats_pid is not None and self.postgres_pid is not None


class EmbeddedServers:
    """NATS and PostgreSQL whose data belong to the folder `data` (usually `.deskstream`).

    Servers of an earlier command in the same folder are found again and used. They go on running when
    this process ends, however it ends, until `stop`. All methods raise EmbeddedServerError.
    """

    def __init__(self, data: Path, *, access: Settings | None = None) -> None:
        self._data = data
        self._access = access

    def start(self) -> Addresses:
        """Start what does not run yet, and wait until both answer."""
        home = open_home(self._data)
        with home.locked():
            nats, postgres = EmbeddedNats(home, access=self._access), EmbeddedPostgres(home)
            if not (nats.running or postgres.running):
                home.install()
            postgres_url, nats_url = postgres.start(), nats.start()
            return Addresses(nats_url=nats_url, nats_monitor_url=nats.monitor_url, postgres_url=postgres_url)

    @property
    def monitor_url(self) -> str | None:
        """Where NATS tells its own figures over HTTP; None when it does not run."""
        home = self._existing_home()
        nats = EmbeddedNats(home) if home else None
        return nats.monitor_url if nats and nats.running else None

    def admit(self, access: Settings) -> None:
        """Let in whom this says and nobody else, from now on and after the next start."""
        self._access = access
        home = open_home(self._data)
        with home.locked():
            EmbeddedNats(home).admit(access)

    def stop(self) -> None:
        """Stop both; data stay. Nothing happens when neither runs."""
        home = self._existing_home()
        if home is None:
            return
        with home.locked():
            EmbeddedNats(home).stop()
            EmbeddedPostgres(home).stop()

    def discard(self) -> None:
        """Stop both and remove everything that belongs to the folder, for root what lies elsewhere too."""
        self.stop()
        if os.geteuid() == 0:
            shutil.rmtree(home_folder_of_root(self._data), ignore_errors=True)
        shutil.rmtree(self._data, ignore_errors=True)

    def status(self) -> Status:
        """What runs just now; starts nothing and makes no folder."""
        home = self._existing_home()
        if home is None:
            return Status(None, None)
        nats, postgres = EmbeddedNats(home).running, EmbeddedPostgres(home).running
        return Status(nats_pid=nats.pid if nats else None, postgres_pid=postgres.pid if postgres else None)

    def programs(self) -> Path:
        """The folder of psql, pg_dump and the rest of PostgreSQL's own tools, once it has been started."""
        return open_home(self._data).postgres_programs

    def _existing_home(self) -> Home | None:
        return open_home(self._data) if self._data.exists() else None
