"""The real command in folders of their own, where whole desks run."""

import asyncio
import json
import os
import pty
import shutil
import subprocess
import sys
from contextlib import contextmanager

from deskstream.cli.folder import FOLDER
from deskstream.runtime.embedded.home import home_folder_of_root
from deskstream.runtime.embedded.servers import EmbeddedServers
from deskstream.testkit.eventually import eventually

MAIL = b"From: Ada <ada@acme.example>\r\nMessage-ID: <%d@acme.example>\r\nSubject: Hello %d\r\n\r\nIt is broken.\r\n"
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("DESKSTREAM_")}
COMMAND = [sys.executable, "-m", "deskstream.cli"]
STARTS = 3


def deskstream(folder, *arguments, **more):
    """The real command, run to its end."""
    environment = CLEAN | more.pop("env", {})
    command = [*COMMAND, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=110, check=False, **more)


def on_terminal(folder, *arguments, columns=60, env=None):
    """How the real command ended, and what a terminal of so many columns got of it."""
    ours, theirs = pty.openpty()
    environment = {**CLEAN, "TERM": "xterm-256color", "COLUMNS": str(columns), **(env or {})}
    process = subprocess.Popen(
        [*COMMAND, *arguments], cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown = b"".join(iter(lambda: _read(ours), b""))
    os.close(ours)
    return process.wait(30), shown.decode()


def _read(terminal):
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


@contextmanager
def up(folder, *options):
    """`up` in the foreground; its first line of JSON, and its process."""
    process, line = _started(folder, options)
    try:
        assert "error" not in line, line
        yield line, process
    finally:
        process.kill()
        process.communicate()
        EmbeddedServers(folder / FOLDER).stop()


def _started(folder, options):
    """Tries again where another test's desk took a port that was free when this one chose it."""
    for _ in range(STARTS):
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [*COMMAND, "up", "--json", *options], cwd=folder, env=CLEAN, stdout=subprocess.PIPE, stderr=log
            )
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        if "in use" not in line.get("error", ""):
            break
        process.communicate()
    return process, line


def mails(folder, count):
    paths = [folder / f"{number}.eml" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(MAIL % (number, number))
    return [str(path) for path in paths]


def wait_for(condition, within=20.0):
    """For tests without a loop, whose conditions run commands."""
    return asyncio.run(eventually(condition, within=within))


def conversations(folder):
    return json.loads(deskstream(folder, "conversations", "--json").stdout)["conversations"]


@contextmanager
def cleaned(folder):
    """Root's servers keep their data elsewhere."""
    yield folder
    shutil.rmtree(home_folder_of_root(folder / FOLDER), ignore_errors=True)
