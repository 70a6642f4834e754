"""Server processes that outlive whoever started them: started, recognised again and stopped by pid."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

# A collected Popen warns about a process that still runs, which is just what a server should do.
_STARTED: list[subprocess.Popen[bytes]] = []

# The kernel's notion of when a process began moves a little when the wall clock is set.
_SAME_BIRTH = 2.0

_LOG_LIMIT = 10 * 1024 * 1024


class EmbeddedServerError(RuntimeError):
    """An embedded server cannot be used; the text says why and what to do."""


@dataclass(frozen=True)
class User:
    """Who runs the servers when we are root: PostgreSQL refuses to run as root, rightly."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Running:
    """A server process as it is remembered in a file: `born` tells it from a later one with its pid."""

    pid: int
    born: float
    port: int
    monitor_port: int = 0

    def alive(self) -> bool:
        """Whether that very process still runs; one that ended and waits to be reaped does not."""
        _reap(self.pid)
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.born) < _SAME_BIRTH
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def stop(self, steps: Sequence[tuple[signal.Signals, float]]) -> None:
        """Send each signal in turn and give it its seconds to work."""
        for step, seconds in steps:
            if not self.alive():
                return
            with suppress(ProcessLookupError):
                os.kill(self.pid, step)
            wait_until(lambda: not self.alive(), within=seconds)

    def save(self, path: Path) -> None:
        """Remember this process in `path`, whole or not at all."""
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps(asdict(self)))
        draft.replace(path)


def recall(path: Path) -> Running | None:
    """The process remembered in `path`, running or not; None when there is none."""
    try:
        return Running(**json.loads(path.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def spawn(command: Sequence[str | Path], *, user: User | None, room: Path, log: Path) -> int:
    """Start a server in a session of its own, so that Ctrl-C ends us first; answers its pid."""
    if log.exists() and log.stat().st_size > _LOG_LIMIT:
        log.replace(log.with_suffix(".log.old"))
    with log.open("ab") as output:
        child = subprocess.Popen(
            command,
            cwd=room,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            user=user.uid if user else None,
            group=user.gid if user else None,
            extra_groups=[] if user else None,
        )
    _STARTED.append(child)
    return child.pid


def born(pid: int) -> float:
    """When the process began; 0 when it is already gone."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return 0.0


def environment() -> dict[str, str]:
    """What a server sees of our environment: nothing that could change how it behaves."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def free_port(wanted: int = 0) -> int:
    """`wanted` when it is free on loopback, else any port that is."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise EmbeddedServerError("No free port on 127.0.0.1.")


def wait_until(condition: Callable[[], bool], *, within: float) -> bool:
    """Poll a condition; whether it came true in time."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def last_lines(log: Path, count: int = 15) -> str:
    """The end of a log, for an error that shows what the server said."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-count:]) if log.exists() else ""


def _reap(pid: int) -> None:
    for child in _STARTED:
        if child.pid == pid and child.poll() is not None:
            _STARTED.remove(child)
            return
