"""A nats-server with JetStream on loopback."""

from __future__ import annotations

import http.client
import json
import signal
from pathlib import Path

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

_STOP = ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0))
_ATTEMPTS = 3
# A large store is read before the server answers.
_PATIENCE = 60.0
_KIB = 1024
_GIB = 1024**3


class EmbeddedNats:
    """One nats-server, its store under the home's folder. Starting and stopping are idempotent."""

    def __init__(self, home: Home, *, max_file_store: int = 8 * _GIB) -> None:
        self._home = home
        self._max_file_store = max_file_store
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
            running = self.running or self._spawn()
            wait_until(lambda r=running: _healthy(r) or not r.alive(), within=_PATIENCE)  # type: ignore[misc]
            if _healthy(running):
                return self.url
            running.stop(_STOP)
        raise EmbeddedServerError(f"nats-server does not start. It said:\n{last_lines(self._log)}")

    def stop(self) -> None:
        """Stop it gracefully, by force after ten seconds."""
        if running := self.running:
            running.stop(_STOP)

    def _spawn(self) -> Running:
        before = recall(self._memory)
        port = free_port(before.port if before else 0)
        monitor_port = free_port(before.monitor_port if before else 0)
        room = self._home.room("nats")
        config = self._write_config(room, port, monitor_port)
        pid = spawn([self._home.nats_server, "-c", config], user=self._home.user, room=room, log=self._log)
        running = Running(pid, born(pid), port, monitor_port)
        running.save(self._memory)
        return running

    def _write_config(self, room: Path, port: int, monitor_port: int) -> Path:
        config = room / "nats.conf"
        settings = {
            "server_name": "deskstream",
            "listen": f"127.0.0.1:{port}",
            "http": f"127.0.0.1:{monitor_port}",
            "max_payload": 128 * _KIB,
            "jetstream": {
                "store_dir": str(room),
                "max_memory_store": 64 * _KIB * _KIB,
                "max_file_store": self._max_file_store,
            },
        }
        # The server reads JSON as well as its own notation, and JSON quotes any path.
        config.write_text(json.dumps(settings, indent=2))
        self._home.give(config)
        return config

    def _must_run(self) -> Running:
        if running := self.running:
            return running
        raise EmbeddedServerError("The embedded NATS does not run; `deskstream up` starts it.")


def _healthy(running: Running) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", running.monitor_port, timeout=1)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
