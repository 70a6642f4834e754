"""Fresh databases for tests: cloned from a template that has every service's schema."""

from __future__ import annotations

import os
import warnings
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import EntryPoint, entry_points
from importlib.resources.abc import Traversable
from itertools import count
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import psutil

from deskstream.runtime.migrations import migrate, read_migrations

# Several checkouts' states may be tested at the same time; older ones are nobody's any more.
_TEMPLATES_KEPT = 10
_NUMBERS = count(1)


class Registered(Protocol):
    """What an entry point of the group `deskstream.services` must have."""

    name: str
    migrations: tuple[Traversable, ...]


def service_entry_points() -> dict[str, EntryPoint]:
    """The registered services by name, not imported yet."""
    return {entry.name: entry for entry in entry_points(group="deskstream.services")}


def importable_services() -> list[Registered]:
    """The registered services; one that cannot be imported is left out with a warning."""
    services: list[Registered] = []
    missing: list[str] = []
    for name, entry in sorted(service_entry_points().items()):
        try:
            services.append(entry.load())
        except Exception as error:
            missing.append(f"{name} ({error})")
    if missing:
        warnings.warn(f"Not in the test database, cannot be imported: {', '.join(missing)}", stacklevel=2)
    return services


@dataclass(frozen=True)
class Template:
    """A migrated database that nobody connects to. `server_url` may create databases."""

    server_url: str
    name: str

    @asynccontextmanager
    async def clone(self) -> AsyncIterator[str]:
        """The URL of a database of its own; dropped afterwards, whoever is still connected."""
        name = f"test_{os.getpid()}_{next(_NUMBERS)}"
        admin = await asyncpg.connect(self.server_url)
        try:
            await admin.execute(f"CREATE DATABASE {name} TEMPLATE {self.name} STRATEGY FILE_COPY")
            yield database_url(self.server_url, name)
            await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        finally:
            await admin.close()


def database_url(server_url: str, name: str) -> str:
    """The same server, another database."""
    return urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))


async def make_template(server_url: str, services: Iterable[Registered]) -> Template:
    """The template of these services' SQL, built unless some earlier run has."""
    services = list(services)
    template = Template(server_url, f"template_{_fingerprint(services)}")
    admin = await asyncpg.connect(server_url)
    try:
        await admin.execute("SELECT pg_advisory_lock(hashtextextended('deskstream test template', 0))")
        await _drop_leftovers(admin)
        if not await admin.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", template.name):
            await _build(admin, template, services)
    finally:
        await admin.close()
    return template


async def _build(admin: asyncpg.Connection[asyncpg.Record], template: Template, services: list[Registered]) -> None:
    draft = template.name.replace("template", "draft")
    await admin.execute(f"DROP DATABASE IF EXISTS {draft} WITH (FORCE)")
    await admin.execute(f"CREATE DATABASE {draft}")
    connection = await asyncpg.connect(database_url(template.server_url, draft))
    try:
        for service in services:
            await _migrate_or_leave_out(connection, service)
    finally:
        await connection.close()
    await admin.execute(f"ALTER DATABASE {draft} WITH ALLOW_CONNECTIONS false")
    await admin.execute(f"ALTER DATABASE {draft} RENAME TO {template.name}")


async def _migrate_or_leave_out(connection: asyncpg.Connection[asyncpg.Record], service: Registered) -> None:
    # One service's broken file fails the tests of that service, which try it again, and no others.
    try:
        await migrate(connection, service.name, service.migrations)
    except Exception as error:
        warnings.warn(f"Service {service.name} is not in the test database: {error}", stacklevel=2)
        await connection.execute(f"DROP SCHEMA IF EXISTS {service.name} CASCADE")


async def _drop_leftovers(admin: asyncpg.Connection[asyncpg.Record]) -> None:
    names = [row["datname"] for row in await admin.fetch("SELECT datname FROM pg_database ORDER BY oid DESC")]
    killed = [name for name in names if name.startswith("test_") and not psutil.pid_exists(int(name.split("_")[1]))]
    old = [name for name in names if name.startswith("template_")][_TEMPLATES_KEPT:]
    for name in killed + old:
        await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _fingerprint(services: Iterable[Registered]) -> str:
    files = [
        f"{service.name} {migration} {migration.sha256}"
        for service in services
        for migration in read_migrations(service.migrations)
    ]
    return sha256("\n".join(files).encode()).hexdigest()[:16]
