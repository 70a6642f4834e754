"""Who is who on a test's servers: each service is itself and may do what it needs; the test may do anything."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

import asyncpg

from deskstream.messaging import Declaration
from deskstream.messaging.permissions import permissions
from deskstream.runtime.channels import adapters_elsewhere
from deskstream.runtime.privileges.accounts import Settings
from deskstream.runtime.privileges.credentials import Credentials
from deskstream.runtime.privileges.grants import grants
from deskstream.runtime.privileges.guard import VARIABLE, Guard
from deskstream.runtime.privileges.keys import make_seed, write_secret
from deskstream.runtime.privileges.roles import make_roles


class Guarded(Protocol):
    """A broker that can be told whom it lets in, also while it runs."""

    def start(self) -> str:
        """Starts it; its URL."""

    def admit(self, access: Settings) -> None:
        """Lets in whom this says and nobody else, from now on."""

    def stop(self) -> None:
        """Ends it."""


@dataclass
class _Door:
    """A broker of ours, and whom it lets in."""

    server: Guarded
    admitted: dict[str, Declaration] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    """Who was ever admitted: the broker keeps an account for whoever needs one."""


_OFTEN_APART: Final = ("channel_email", "channel_pager", "posting")
"""Adapters of many tests: for another one the broker is restarted once."""

_DOORS: Final[dict[str, _Door]] = {}


@contextmanager
def guarded(make: Callable[[Settings], Guarded], folder: Path) -> Iterator[str]:
    """The URL of a broker that lets services in as they are declared, and whoever shows no seed as the observer.

    `make` makes it, with whom it lets in at first; seeds and passwords come into `folder`.
    """
    os.environ[VARIABLE] = str(folder)
    server = make(Guard(folder, (), observed=True, reserved=_OFTEN_APART).access())
    url = server.start()
    _DOORS[url] = _Door(server, known=set(_OFTEN_APART))
    try:
        yield url
    finally:
        del _DOORS[url]
        os.environ.pop(VARIABLE, None)
        server.stop()


def forget_everybody(nats_url: str) -> None:
    """The next test begins: whoever is admitted then is admitted alone."""
    if door := _DOORS.get(nats_url):
        door.admitted.clear()


def admit(nats_url: str, services: Iterable[Declaration]) -> None:
    """Gives these services what they declare, beside those that this test has admitted already.

    On a broker that is not ours only the seeds are made: services show them, and it does not ask.
    """
    if (folder := os.environ.get(VARIABLE)) is None:
        return
    named = {service.name: service for service in services}
    for name in named:
        make_seed(Credentials(Path(folder)), name)
    if door := _DOORS.get(nats_url):
        door.admitted |= named
        door.known |= {user.user for user in permissions(list(named.values())) if user.apart}
        door.server.admit(_guard(Path(folder), door).access())


def _guard(folder: Path, door: _Door) -> Guard:
    """Adapters whose code is elsewhere may hear what became of their messages, too."""
    elsewhere = {adapter.name for adapter in adapters_elsewhere()}
    services = [one for name, one in door.admitted.items() if name not in elsewhere]
    adapters = [door.admitted[name] for name in elsewhere & door.admitted.keys()]
    return Guard(folder, services, adapters, observed=True, reserved=sorted(door.known))


async def employ(connection: asyncpg.Connection[asyncpg.Record], database: str, services: Sequence[str]) -> None:
    """Roles for these services, and what each may do with the tables that are there now."""
    passwords = {name: password_of(database, name) for name in services}
    try:
        await make_roles(connection, passwords)
    except asyncpg.InsufficientPrivilegeError:
        # A server of somebody's who lets us make databases, and no roles: services work as their owner.
        return
    await grants(connection, services)
    if folder := os.environ.get(VARIABLE):
        for name, password in passwords.items():
            path = Credentials(Path(folder)).password_file(name)
            if not path.exists():
                write_secret(path, password)


def password_of(database: str, user: str) -> str:
    """The same in every process that tests on this server: roles are the server's."""
    return sha256(f"{urlsplit(database).password}/{user}".encode()).hexdigest()
