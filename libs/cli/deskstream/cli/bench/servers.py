"""Servers with nothing in them, for one measurement."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deskstream.runtime.embedded.servers import Addresses, EmbeddedServers
from deskstream.runtime.privileges.credentials import FOLDER
from deskstream.runtime.privileges.guard import Guard
from deskstream.runtime.schemas import installed_services


@contextmanager
def servers_of_its_own(guard: Guard | None = None) -> Iterator[tuple[Addresses, dict[str, int]]]:
    """Embedded servers and their pids; gone afterwards. With a guard services are told apart."""
    with tempfile.TemporaryDirectory(prefix="deskstream-bench-") as folder:
        servers = EmbeddedServers(Path(folder) / "data", access=guard.access() if guard else None)
        try:
            addresses = servers.start()
            yield addresses, _pids(servers)
        finally:
            servers.discard()


@contextmanager
def a_guard() -> Iterator[Guard]:
    """Lets each service do what it declares, and whoever shows no seed anything: we look on from outside."""
    with tempfile.TemporaryDirectory(prefix="deskstream-bench-") as folder:
        yield Guard(Path(folder) / FOLDER, list(installed_services().values()), observed=True)


def _pids(servers: EmbeddedServers) -> dict[str, int]:
    status = servers.status()
    assert status.nats_pid is not None
    assert status.postgres_pid is not None
    return {"nats": status.nats_pid, "postgres": status.postgres_pid}
