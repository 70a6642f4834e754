"""A nats-server with JetStream on loopback."""

from __future__ import annotations

import http.client
import json
import os
import signal
from pathlib import Path

from deskstream.messaging.accounts import DESK
from deskstream.runtime.embedded.home import Home
from deskstream.runtime.embedded.processes import (
    EmbeddedServerError,
    Running,
    born,
    free_port,
    last_lines,
    recall,
    spawn,
    wait_until,
)
from deskstream.runtime.privileges.accounts import Settings
from deskstream.runtime.privileges.broker import MAX_PAYLOAD

_STOP = ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0))
_ATTEMPTS = 3
# A large store is read before the server answers.
_PATIENCE = 60.0
_RELOAD_WITHIN = 5.0
_CONFIG = "nats.conf"
_NO_ACCOUNTS = "$G"
_KIB = 1024
_GIB = 1024**3


class EmbeddedNats:
    """One nats-server, its store under the home's folder. Starting and stopping are idempotent.

    `access` is who is let in and what each may do, as `privileges.broker` makes it; without it everybody on this
    machine may do anything.
    """

    def __init__(self, home: Home, *, max_file_store: int = 8 * _GIB, access: Settings | None = None) -> None:
        self._home = home
        self._max_file_store = max_file_store
        self._access = access
        self._memory = home.folder / "nats.json"
        self._log = home.folder / "nats.log"

    @property
    def running(self) -> Running | None:
        """The server's process, also one that an earlier command started."""
        running = recall(self._memory)
        return running if running and running.alive() else None

    @property
    def url(self) -> str:
        """Where to connect. Raises EmbeddedServerError when it does not run."""
        return f"nats://127.0.0.1:{self._must_run().port}"

    @property
    def monitor_url(self) -> str:
        """Where the server's own figures are, over HTTP."""
        return f"http://127.0.0.1:{self._must_run().monitor_port}"

    def start(self) -> str:
        """Start it unless it runs, wait until JetStream answers, and say the URL."""
        for _ in range(_ATTEMPTS):
            running = self._up_to_date() or self._spawn()
            wait_until(lambda r=running: _healthy(r) or not r.alive(), within=_PATIENCE)  # type: ignore[misc]
            if _healthy(running):
                return self.url
            running.stop(_STOP)
        raise EmbeddedServerError(f"nats-server does not start. It said:\n{last_lines(self._log)}")

    def admit(self, access: Settings) -> None:
        """Lets in whom this says and nobody else, from now on. Connections of those who are still let in stay, unless
        an account is new: then the server is restarted, and they come again."""
        self._access = access
        if self.running:
            self.start()

    def stop(self) -> None:
        """Stop it gracefully, by force after ten seconds."""
        if running := self.running:
            running.stop(_STOP)

    def _up_to_date(self) -> Running | None:
        """The server that runs, told of what has changed since it read its configuration; None where it has to be
        started to know it."""
        running = self.running
        if running is None or self._access is None:
            return running
        config = self._home.room("nats") / _CONFIG
        before = config.read_text() if config.exists() else ""
        self._write_config(config.parent, running.port, running.monitor_port)
        if self._account_is_new(before):
            # An account that comes by a reload never reaches JetStream (nats-server 2.14).
            running.stop(_STOP)
            return None
        if config.read_text() != before:
            read_at = _read_at(running)
            os.kill(running.pid, signal.SIGHUP)
            if not wait_until(lambda: _read_at(running) != read_at, within=_RELOAD_WITHIN):
                raise EmbeddedServerError(f"nats-server does not take its new configuration: {last_lines(self._log)}")
        return running

    def _account_is_new(self, before: str) -> bool:
        wanted = (self._access or {}).get("accounts", {})
        return not wanted.keys() <= (json.loads(before) if before else {}).get("accounts", {}).keys()

    def _spawn(self) -> Running:
        before = recall(self._memory)
        port = free_port(before.port if before else 0)
        monitor_port = free_port(before.monitor_port if before else 0)
        room = self._home.room("nats")
        self._move_store(room / "jetstream")
        config = self._write_config(room, port, monitor_port)
        pid = spawn([self._home.nats_server, "-c", config], user=self._home.user, room=room, log=self._log)
        running = Running(pid, born(pid), port, monitor_port)
        running.save(self._memory)
        return running

    def _move_store(self, store: Path) -> None:
        """Streams lie in the folder of their account: those of a server without accounts become the desk's."""
        before, now = (_NO_ACCOUNTS, DESK) if self._access else (DESK, _NO_ACCOUNTS)
        if (store / before).is_dir() and not (store / now).exists():
            (store / before).rename(store / now)

    def _write_config(self, room: Path, port: int, monitor_port: int) -> Path:
        config = room / _CONFIG
        settings: Settings = {
            "server_name": "deskstream",
            "listen": f"127.0.0.1:{port}",
            "http": f"127.0.0.1:{monitor_port}",
            "max_payload": MAX_PAYLOAD,
            "jetstream": {
                "store_dir": str(room),
                "max_memory_store": 64 * _KIB * _KIB,
                "max_file_store": self._max_file_store,
            },
        }
        settings |= self._access or {}
        # The server reads JSON as well as its own notation, and JSON quotes any path.
        config.write_text(json.dumps(settings, indent=2))
        self._home.give(config)
        return config

    def _must_run(self) -> Running:
        if running := self.running:
            return running
        raise EmbeddedServerError("The embedded NATS does not run; `deskstream up` starts it.")


def _healthy(running: Running) -> bool:
    return _asked(running, "/healthz") is not None


def _read_at(running: Running) -> str:
    """When the server last read its configuration."""
    answer = _asked(running, "/varz")
    return str(json.loads(answer)["config_load_time"]) if answer else ""


def _asked(running: Running, path: str) -> bytes | None:
    connection = http.client.HTTPConnection("127.0.0.1", running.monitor_port, timeout=1)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.read() if answer.status == http.client.OK else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
