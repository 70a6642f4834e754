"""What `deskstream up` writes down about itself, so that other commands find it: `.deskstream/desk.json`."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from deskstream.cli.folder import FOLDER
from deskstream.runtime.embedded.processes import Running

_FILE: Final = "desk.json"


@dataclass(frozen=True, slots=True)
class State:
    """A desk that runs, or ran until its process was killed. It holds secrets: the file is its owner's alone."""

    pid: int
    born: float
    """When the process began: tells it from a later one with its pid."""
    nats_url: str
    postgres_url: str = field(repr=False)
    api_url: str
    token: str = field(repr=False)
    smtp: str
    """`host:port`."""
    inbox: str
    """The address that mails are sent to."""
    maildir: str
    """Where mails go that no relay takes."""

    @property
    def alive(self) -> bool:
        """Whether that very process still runs."""
        return self.process.alive()

    @property
    def process(self) -> Running:
        """The process of `up`."""
        return Running(self.pid, self.born, port=0)


def write_state(folder: Path, state: State) -> None:
    """Whole or not at all."""
    write_private(folder / _FILE, json.dumps(asdict(state), indent=2))


def read_state(folder: Path) -> State | None:
    """None where nothing was written, or nothing of ours."""
    try:
        return State(**json.loads((folder / _FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def forget_state(folder: Path) -> None:
    """Nothing runs in this folder any more."""
    (folder / _FILE).unlink(missing_ok=True)


def find_folder(start: Path) -> Path | None:
    """The nearest `.deskstream` with a state, in `start` or above it."""
    for parent in (start, *start.parents):
        if (parent / FOLDER / _FILE).is_file():
            return parent / FOLDER
    return None


def write_private(path: Path, content: str) -> None:
    """A file that only its owner reads, whole or not at all."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)
    draft.replace(path)
