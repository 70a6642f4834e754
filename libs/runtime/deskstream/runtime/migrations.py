"""Plain SQL files that make and change a service's schema: forward only, each once, in one transaction."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources.abc import Traversable
from itertools import pairwise
from pathlib import PurePath
from typing import TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"

_FILE_NAME = re.compile(r"\d{4}_[a-z0-9_]+\.sql")
_SCHEMA_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_PATIENCE = 600.0


class MigrationError(RuntimeError):
    """The schema cannot be brought up to date; the text names the file and says what to do."""


@dataclass(frozen=True)
class Migration:
    """One file. `source` is the package it comes from, as the record names it."""

    source: str
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """Of the text: an applied file must not change any more."""
        return sha256(self.sql.encode()).hexdigest()

    def __str__(self) -> str:
        return f"{self.source}/{self.name}"


def read_migrations(folders: Iterable[Traversable]) -> list[Migration]:
    """All `NNNN_what.sql` of the folders: folders in the given order, files by name.

    Raises MigrationError for a name that is not of that form and for a number used twice.
    """
    return [migration for folder in folders for migration in _read_folder(folder)]


async def migrate(connection: Connection, schema: str, sources: Iterable[Traversable]) -> list[Migration]:
    """Make the schema when it is missing, apply what it lacks, and say what that was.

    Safe to call from several processes at once: one works, the others wait and find nothing left. Raises
    MigrationError when a file that was applied has changed since, or when PostgreSQL refuses a file.
    """
    wanted = read_migrations(sources)
    async with _alone(connection, schema):
        await _create_schema(connection, schema)
        missing = _not_applied(wanted, await _applied(connection, schema), schema)
        for migration in missing:
            await _apply(connection, schema, migration)
    return missing


async def missing_migrations(connection: Connection, schema: str, sources: Iterable[Traversable]) -> list[Migration]:
    """What `migrate` would apply; changes nothing. Raises MigrationError when an applied file has changed."""
    return _not_applied(read_migrations(sources), await _applied(connection, schema), schema)


def _read_folder(folder: Traversable) -> list[Migration]:
    path = PurePath(str(folder))
    source = path.parent.name if path.name == "migrations" else f"{path.parent.name}/{path.name}"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    for name, following in pairwise([*names, ""]):
        if not _FILE_NAME.fullmatch(name):
            raise MigrationError(f"{source}/{name}: a migration is named NNNN_what.sql.")
        if name[:4] == following[:4]:
            raise MigrationError(f"{source}: {name} and {following} have the same number.")
    return [Migration(source, name, (folder / name).read_text(encoding="utf-8")) for name in names]


@asynccontextmanager
async def _alone(connection: Connection, schema: str) -> AsyncIterator[None]:
    key = f"deskstream migrations of {schema}"
    await connection.execute("SET lock_timeout = 0; SET statement_timeout = 0")
    await connection.execute("SELECT pg_advisory_lock(hashtextextended($1, 0))", key, timeout=_PATIENCE)
    try:
        yield
    finally:
        await connection.execute("SELECT pg_advisory_unlock(hashtextextended($1, 0))", key)
        await connection.execute("RESET lock_timeout; RESET statement_timeout")


async def _create_schema(connection: Connection, schema: str) -> None:
    if not _SCHEMA_NAME.fullmatch(schema):
        raise MigrationError(f"{schema!r} is not a name for a schema.")
    await connection.execute(
        f"""
        CREATE SCHEMA IF NOT EXISTS {schema};
        CREATE TABLE IF NOT EXISTS {schema}.migrations (
            source text NOT NULL,
            name text NOT NULL,
            sha256 text NOT NULL,
            at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (source, name)
        )
        """
    )


async def _applied(connection: Connection, schema: str) -> dict[tuple[str, str], str]:
    async with connection.transaction():
        await _use(connection, schema)
        if await connection.fetchval("SELECT to_regclass('migrations')") is None:
            return {}
        rows = await connection.fetch("SELECT source, name, sha256 FROM migrations")
    return {(row["source"], row["name"]): row["sha256"] for row in rows}


def _not_applied(wanted: list[Migration], applied: dict[tuple[str, str], str], schema: str) -> list[Migration]:
    for migration in wanted:
        if applied.get((migration.source, migration.name), migration.sha256) != migration.sha256:
            raise MigrationError(
                f"{migration} has changed since it was applied to schema {schema}: "
                "put it back and write the change as a new file."
            )
    return [migration for migration in wanted if (migration.source, migration.name) not in applied]


async def _apply(connection: Connection, schema: str, migration: Migration) -> None:
    try:
        async with connection.transaction():
            await _use(connection, schema)
            await connection.execute(migration.sql, timeout=_PATIENCE)
            await connection.execute(
                "INSERT INTO migrations (source, name, sha256) VALUES ($1, $2, $3)",
                migration.source,
                migration.name,
                migration.sha256,
            )
    except asyncpg.PostgresError as error:
        raise MigrationError(f"{migration} cannot be applied to schema {schema}: {error}") from error


async def _use(connection: Connection, schema: str) -> None:
    await connection.execute("SELECT set_config('search_path', $1, true)", schema)
