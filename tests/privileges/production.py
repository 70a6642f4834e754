"""A desk as production runs it: servers on what `provision --permissions` writes, a process for each service.

Each process finds the secrets that a container would give it, and no others.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from deskstream.messaging.permissions import OPERATOR
from deskstream.runtime.embedded.home import Home, open_home
from deskstream.runtime.embedded.postgres import DATABASE, EmbeddedPostgres
from deskstream.runtime.embedded.processes import environment, free_port
from deskstream.runtime.embedded.servers import EmbeddedServers

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("DESKSTREAM_")}
READY_WITHIN_S = 90.0
STOP_WITHIN_S = 40.0


@dataclass
class Written:
    """The folder that the command writes, and the broker that runs on it; the command line moves its ports."""

    folder: Path
    port: int = field(default_factory=free_port)
    channels: str = ""
    """Adapters that are known beside the services."""
    _server: subprocess.Popen[bytes] | None = None

    @property
    def credentials(self) -> Path:
        """Everybody's secrets."""
        return self.folder / "made/credentials"

    @property
    def nats_url(self) -> str:
        """Where the broker is, by the name on its certificate."""
        return f"tls://localhost:{self.port}"

    def write(self) -> dict[str, Any]:
        """What the command says of it. Repeated, it keeps every secret."""
        hosts = ("--host", "localhost", "--store", str(self.folder / "store"))
        options = ("--permissions", "--out", str(self.folder / "made"), *hosts, "--json")
        done = run(self.folder, {"DESKSTREAM_EXTRA_CHANNELS": self.channels}, "provision", *options)
        return dict(json.loads(done))

    @contextmanager
    def broker(self) -> Iterator[None]:
        """A nats-server on that very configuration. Its log lies in the folder."""
        self._server = self._started()
        try:
            yield
        finally:
            self._stop()

    def restart_broker(self) -> None:
        """As for a new account: streams, and those who come again, are as before."""
        self._stop()
        self._server = self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        moved = ["-a", "127.0.0.1", "-p", str(self.port), "-m", str(free_port())]
        configuration = self.folder / "made/nats/nats.conf"
        starts = self._starts()
        with (self.folder / "nats.log").open("ab") as log:
            server = subprocess.Popen(
                [Home(self.folder, user=None).nats_server, "-c", configuration, *moved],
                env=environment(), stdout=subprocess.DEVNULL, stderr=log,
            )  # fmt: skip
        when(lambda: self._starts() > starts, "broker")
        return server

    def _stop(self) -> None:
        assert self._server is not None
        self._server.terminate()
        self._server.wait(10)

    def _starts(self) -> int:
        path = self.folder / "nats.log"
        return path.read_text().count("Server is ready") if path.exists() else 0

    @property
    def broker_log(self) -> str:
        """What the broker has said."""
        return (self.folder / "nats.log").read_text()

    def give(self, user: str) -> Path:
        """A folder with this user's secrets and nobody else's, as a container gets it."""
        own = self.folder / "given" / user
        own.mkdir(parents=True, exist_ok=True)
        for file in (*self.credentials.glob(f"{user}.*"), self.credentials / "ca.crt"):
            shutil.copy(file, own)
        return own


@dataclass
class Desk:
    """Who runs on those servers."""

    written: Written
    postgres_url: str
    told: dict[str, str]
    """What every service is told beside its secrets."""
    api: httpx.Client
    smtp_port: int
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    health: dict[str, int] = field(default_factory=dict)

    def deskstream(self, *arguments: str) -> str:
        """A command as whoever runs the desk gives it, with the operator's secrets; its output. Ends with 0."""
        return run(self.written.folder, self.as_user(OPERATOR), *arguments)

    def as_user(self, user: str) -> dict[str, str]:
        """The environment of a process that is this user."""
        return {
            "DESKSTREAM_NATS_URL": self.written.nats_url,
            "DESKSTREAM_POSTGRES_URL": self.postgres_url,
            "DESKSTREAM_CREDENTIALS": str(self.written.give(user)),
            "DESKSTREAM_EXTRA_CHANNELS": self.written.channels,
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.running.values():
            process.kill()
            process.wait()

    def start(self, *services: str) -> None:
        """Each as its container does; waits until all are ready."""
        for service in services:
            self._start(service)
        for service in services:
            when(partial(self._is_ready, service), f"a ready {service}", within=READY_WITHIN_S)

    def _start(self, service: str) -> None:
        self.health[service] = free_port(self.health.get(service, 0))
        told = self.told | self.as_user(service) | {"DESKSTREAM_HEALTH_PORT": str(self.health[service])}
        with self.log_of(service).open("ab") as log:
            self.running[service] = subprocess.Popen(
                [sys.executable, "-m", "deskstream.runtime", service],
                cwd=self.written.folder, env=CLEAN | told, stdout=log, stderr=log,
            )  # fmt: skip

    def _is_ready(self, service: str) -> bool:
        assert self.running[service].poll() is None, self.log_of(service).read_text()[-3000:]
        try:
            return httpx.get(f"http://127.0.0.1:{self.health[service]}/ready").status_code == HTTPStatus.OK
        except httpx.TransportError:
            return False

    def stop(self, *services: str) -> None:
        """In good order, all at once."""
        for service in services:
            self.running[service].send_signal(signal.SIGTERM)
        for service in services:
            self.running.pop(service).wait(STOP_WITHIN_S)

    def log_of(self, service: str) -> Path:
        """What it has said."""
        return self.written.folder / f"{service}.log"

    def said(self, service: str) -> list[dict[str, Any]]:
        """The same, line by line."""
        return [json.loads(line) for line in self.log_of(service).read_text().splitlines() if line.startswith("{")]


@contextmanager
def database(folder: Path, roles: Path) -> Iterator[str]:
    """The URL of a PostgreSQL of its own in which a superuser has run the roles; it names nobody."""
    home = open_home(folder / "servers")
    with home.locked():
        home.install()
        server = EmbeddedPostgres(home, durable=False)
        superuser = server.start()
    try:
        command = [str(home.postgres_programs / "psql"), "-v", "ON_ERROR_STOP=1", "-q", "-f", str(roles), superuser]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        yield f"postgresql://127.0.0.1:{urlsplit(superuser).port}/{DATABASE}?sslmode=disable"
    finally:
        EmbeddedServers(folder / "servers").discard()


def run(folder: Path, told: Mapping[str, str], *arguments: str) -> str:
    """What the real command says; an error with its words when it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "deskstream.cli", *arguments],
        cwd=folder, env=CLEAN | dict(told), capture_output=True, text=True, timeout=90,
    )  # fmt: skip
    assert done.returncode == 0, f"deskstream {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def when(look: Any, what: str, within: float = 20.0) -> Any:
    """What `look` finds as soon as it finds something."""
    deadline = time.monotonic() + within
    while not (found := look()):
        assert time.monotonic() < deadline, f"no {what} within {within:.0f} s"
        time.sleep(0.1)
    return found
