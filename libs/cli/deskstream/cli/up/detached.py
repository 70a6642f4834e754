"""`up` in the background: the same command as a process of its own, waited for until it runs."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from deskstream.cli.problem import Problem
from deskstream.cli.state import State, read_state
from deskstream.runtime.embedded.processes import last_lines

READY_WITHIN_S: Final = 120.0

# A collected Popen warns about a process that still runs, which is just what this one should do.
_STARTED: list[subprocess.Popen[bytes]] = []


def start_detached(folder: Path, options: Sequence[str]) -> State:
    """Starts it and returns when it is ready. Raises Problem with the end of its log when it does not get there."""
    folder.mkdir(mode=0o700, exist_ok=True)
    log = folder / "up.log"
    with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "deskstream.cli", "up", "--hide-token", *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd=folder.parent,
        )
    _STARTED.append(child)
    deadline = time.monotonic() + READY_WITHIN_S
    while child.poll() is None and time.monotonic() < deadline:
        if (state := read_state(folder)) and state.pid == child.pid:
            return state
        time.sleep(0.05)
    child.terminate()
    raise Problem(f"It did not start. The end of {log}:\n{last_lines(log)}")
