"""One PostgreSQL for all test processes of this checkout: the first starts it, the last stops it."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TextIO

from deskstream.runtime.embedded.home import Home, open_home
from deskstream.runtime.embedded.postgres import EmbeddedPostgres
from deskstream.runtime.embedded.processes import EmbeddedServerError


@contextmanager
def shared_postgres(folder: Path | None = None) -> Iterator[str]:
    """The URL of a server that runs while anybody is in here; its data stay for the next time.

    Those who name the same folder share a server; without one it is this checkout's.
    """
    home = open_home(folder or _folder_of_checkout())
    with (home.folder / "users").open("w") as users:
        # The kernel lets go of the lock however this process ends, so a killed run is never counted.
        fcntl.flock(users, fcntl.LOCK_SH)
        try:
            yield _started(home)
        finally:
            if _nobody_else(users):
                with home.locked():
                    EmbeddedPostgres(home, durable=False).stop()


def _nobody_else(users: TextIO) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _started(home: Home) -> str:
    with home.locked():
        server = EmbeddedPostgres(home, durable=False)
        if not server.running:
            home.install()
        try:
            return server.start()
        except EmbeddedServerError:
            # Without fsync a power cut may leave files that no longer fit each other.
            shutil.rmtree(home.folder / "postgres", ignore_errors=True)
            return server.start()


def _folder_of_checkout() -> Path:
    checkout = sha256(sys.prefix.encode()).hexdigest()[:8]
    folder = Path(tempfile.gettempdir()) / f"deskstream-tests-{os.geteuid()}-{checkout}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.lstat().st_uid != os.geteuid():
        raise EmbeddedServerError(f"{folder} belongs to somebody else: look at it and remove it.")
    return folder
