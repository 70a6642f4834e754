"""A desk's database, one service's schema at a time."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TypeAlias

import asyncpg

from deskstream.cli.place import without_password
from deskstream.cli.problem import NoAnswer

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

CONNECT_WITHIN_S = 10.0


@asynccontextmanager
async def database(dsn: str) -> AsyncIterator[Connection]:
    """One connection. Raises NoAnswer when there is none, asyncpg.PostgresError when we are not let in."""
    try:
        connection = await asyncpg.connect(
            dsn, timeout=CONNECT_WITHIN_S, command_timeout=600, server_settings={"application_name": "deskstream"}
        )
    except (OSError, TimeoutError, asyncpg.CannotConnectNowError) as error:
        why = str(error) or f"no answer within {CONNECT_WITHIN_S:g} s"
        raise NoAnswer(f"PostgreSQL does not answer at {without_password(dsn)} ({why}). Does it run?") from None
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def schema(connection: Connection, name: str) -> AsyncIterator[Connection]:
    """A transaction in which a service's tables go by their own names."""
    async with connection.transaction():
        await connection.execute("SELECT set_config('search_path', $1, true)", name)
        yield connection


@asynccontextmanager
async def undone(connection: Connection) -> AsyncIterator[None]:
    """Whatever is done inside is not done: to see what would become of it."""
    attempt = connection.transaction()
    await attempt.start()
    try:
        yield
    finally:
        await attempt.rollback()


async def schemas_made(connection: Connection, names: Sequence[str]) -> list[str]:
    """Those of these services whose schema the database has."""
    rows = await connection.fetch(
        "SELECT nspname FROM pg_namespace WHERE nspname = ANY($1::text[]) ORDER BY nspname", names
    )
    return [row["nspname"] for row in rows]
