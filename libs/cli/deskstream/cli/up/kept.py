"""What `up` makes once and uses again each time: secrets and ports."""

import json
import secrets
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final

from deskstream.cli.problem import Problem
from deskstream.cli.state import write_private

HTTP_PORT: Final = 8080
SMTP_PORT: Final = 2525

_FILE: Final = "kept.json"


@dataclass(frozen=True, slots=True)
class Kept:
    """Lies in the data folder, for its owner's eyes only."""

    token: str = field(repr=False)
    """What a caller of the API shows."""
    thread_secret: str = field(repr=False)
    """What reply tokens are signed with: with another one, answers to earlier mails find no conversation."""
    http_port: int = HTTP_PORT
    smtp_port: int = SMTP_PORT


def open_kept(folder: Path) -> Kept:
    """What was made in this folder before, or now. Raises Problem for a file that was damaged."""
    path = folder / _FILE
    if not path.exists():
        kept = Kept(token=secrets.token_urlsafe(32), thread_secret=secrets.token_urlsafe(32))
        _write(path, kept)
        return kept
    try:
        return Kept(**json.loads(path.read_text()))
    except (ValueError, TypeError):
        raise Problem(
            f"{path} is damaged. Put it back from a backup, or remove it: then there is a new token, and answers to "
            "mails sent so far open new conversations."
        ) from None


def keep_ports(folder: Path, kept: Kept, *, http_port: int, smtp_port: int) -> None:
    """Next time the same addresses, where they are free."""
    _write(folder / _FILE, replace(kept, http_port=http_port, smtp_port=smtp_port))


def _write(path: Path, kept: Kept) -> None:
    write_private(path, json.dumps(asdict(kept), indent=2))
