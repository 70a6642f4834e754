"""`deskstream down`."""

import os
import signal
from pathlib import Path
from typing import Final

import typer

from deskstream.cli import output
from deskstream.cli.execution import in_our_words
from deskstream.cli.folder import FOLDER
from deskstream.cli.state import find_folder, forget_state, read_state
from deskstream.runtime.embedded.servers import EmbeddedServers

app = typer.Typer()

# What is being handled gets 25 s, the servers' own stop the rest.
_STEPS: Final = ((signal.SIGTERM, 60.0), (signal.SIGKILL, 5.0))


@app.command()
def command(as_json: output.AsJson = False) -> None:
    """Stop what `up` runs here. What was said and kept stays.

    Finds the desk of this folder or one above it: its process is asked to finish what it handles, then both servers
    are stopped. Where nothing runs, nothing happens.
    """
    folder = find_folder(Path.cwd()) or Path.cwd() / FOLDER
    with in_our_words():
        stopped = _stop(folder)
    if as_json:
        output.say_json({"stopped": stopped, "folder": str(folder)})
    else:
        output.line("Stopped. `deskstream up` goes on where it was." if stopped else "Nothing runs here.")


def _stop(folder: Path) -> list[str]:
    """What was running, and is not any more."""
    servers = EmbeddedServers(folder)
    state = read_state(folder)
    runs = {"up": bool(state and state.alive and state.pid != os.getpid())}
    status = servers.status()
    runs |= {"nats": status.nats_pid is not None, "postgres": status.postgres_pid is not None}
    if state and runs["up"]:
        state.process.stop(_STEPS)
    servers.stop()
    forget_state(folder)
    return [name for name, ran in runs.items() if ran]
