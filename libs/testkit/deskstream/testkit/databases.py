"""Fresh databases for tests: cloned from a template that has every service's schema."""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import EntryPoint, entry_points
from itertools import count
from typing import TypeAlias
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import psutil

from deskstream import blobs
from deskstream.messaging import Declaration
from deskstream.runtime.migrations import migrate, read_migrations
from deskstream.runtime.privileges import grants
from deskstream.runtime.schemas import GROUP, Sources, schemas
from deskstream.testkit.identities import employ

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

# Several checkouts' states may be tested at the same time; older ones are nobody's any more.
_TEMPLATES_KEPT = 10
_NUMBERS = count(1)


def service_entry_points() -> dict[str, EntryPoint]:
    """The registered services by name, not imported yet."""
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def importable_services() -> list[Declaration]:
    """The registered services; one that cannot be imported is left out with a warning."""
    services: list[Declaration] = []
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
        name = new_name()
        admin = await asyncpg.connect(self.server_url)
        try:
            await self.copy(admin, name)
            yield database_url(self.server_url, name)
            await drop(admin, name)
        finally:
            await admin.close()

    async def copy(self, admin: Connection, name: str) -> None:
        """Makes a database of that name; `admin` is connected to another one."""
        await admin.execute(f"CREATE DATABASE {name} TEMPLATE {self.name} STRATEGY FILE_COPY")


def new_name() -> str:
    """A name that no database of this server has or had; once this process is no more, others drop it."""
    return f"test_{os.getpid()}_{next(_NUMBERS)}"


async def drop(admin: Connection, name: str) -> None:
    """The database is no more, whoever is connected to it; nothing happens when there is none."""
    await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def database_url(server_url: str, name: str) -> str:
    """The same server, another database."""
    return urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))


async def make_template(server_url: str, services: Iterable[Declaration]) -> Template:
    """The template of these services' SQL, built unless some earlier run has."""
    wanted = schemas(services)
    template = Template(server_url, f"template_{_fingerprint(wanted)}")
    admin = await asyncpg.connect(server_url)
    try:
        await admin.execute("SELECT pg_advisory_lock(hashtextextended('deskstream test template', 0))")
        await _drop_leftovers(admin)
        if not await admin.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", template.name):
            await _build(admin, template, wanted)
    finally:
        await admin.close()
    return template


async def _build(admin: Connection, template: Template, wanted: dict[str, Sources]) -> None:
    draft = template.name.replace("template", "draft")
    await drop(admin, draft)
    await admin.execute(f"CREATE DATABASE {draft}")
    connection = await asyncpg.connect(database_url(template.server_url, draft))
    try:
        for schema, sources in wanted.items():
            await _migrate_or_leave_out(connection, schema, sources)
        await employ(connection, template.server_url, sorted(wanted.keys() - {blobs.SCHEMA}))
    finally:
        await connection.close()
    await admin.execute(f"ALTER DATABASE {draft} WITH ALLOW_CONNECTIONS false")
    await admin.execute(f"ALTER DATABASE {draft} RENAME TO {template.name}")


async def _migrate_or_leave_out(connection: Connection, schema: str, sources: Sources) -> None:
    # One service's broken file fails the tests of that service, which try it again, and no others.
    try:
        await migrate(connection, schema, sources)
    except Exception as error:
        warnings.warn(f"{schema} is not in the test database: {error}", stacklevel=2)
        await connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")


async def _drop_leftovers(admin: Connection) -> None:
    names = [row["datname"] for row in await admin.fetch("SELECT datname FROM pg_database ORDER BY oid DESC")]
    killed = [name for name in names if name.startswith("test_") and not psutil.pid_exists(int(name.split("_")[1]))]
    old = [name for name in names if name.startswith("template_")][_TEMPLATES_KEPT:]
    for name in killed + old:
        await drop(admin, name)


def _fingerprint(wanted: dict[str, Sources]) -> str:
    files = [
        f"{schema} {migration} {migration.sha256}"
        for schema, sources in wanted.items()
        for migration in read_migrations(sources)
    ]
    return sha256("\n".join([*files, inspect.getsource(grants)]).encode()).hexdigest()[:16]
