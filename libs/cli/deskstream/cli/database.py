"""A desk's database, one service's schema at a time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias

import asyncpg

from deskstream.cli import services
from deskstream.cli.place import without_password
from deskstream.cli.problem import Problem, misused

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

CONNECT_WITHIN_S = 10.0


@asynccontextmanager
async def database(dsn: str) -> AsyncIterator[Connection]:
    """One connection. Raises Problem when there is none, asyncpg.PostgresError when we are not let in."""
    try:
        connection = await asyncpg.connect(
            dsn, timeout=CONNECT_WITHIN_S, command_timeout=600, server_settings={"application_name": "deskstream"}
        )
    except (OSError, TimeoutError, asyncpg.CannotConnectNowError) as error:
        why = str(error) or f"no answer within {CONNECT_WITHIN_S:g} s"
        raise Problem(f"PostgreSQL does not answer at {without_password(dsn)} ({why}). Does it run?") from None
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


async def schemas_made(connection: Connection, wanted: str | None = None) -> list[str]:
    """Schemas of installed services that the database has; with a service's name, that one. Raises Problem."""
    known = services.names()
    if wanted is not None and wanted not in known:
        raise misused(f"There is no service {wanted}. There are: {', '.join(known)}.")
    rows = await connection.fetch(
        "SELECT nspname FROM pg_namespace WHERE nspname = ANY($1::text[]) ORDER BY nspname",
        [wanted] if wanted else known,
    )
    return [row["nspname"] for row in rows]
