"""The connection pool of one service: its own schema first, its own name in PostgreSQL's lists."""

from __future__ import annotations

from typing import TypeAlias

import asyncpg

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

_CONNECT_WITHIN = 10.0
_ANSWER_WITHIN = 30.0
_SERVER_SETTINGS = {
    # Compiling costs more than any of our short statements runs.
    "jit": "off",
    # What is read next lies in memory or on flash. With the server's default, made for spinning disks, it would sort
    # thousands of rows rather than read fifty from an index that has them in order.
    "random_page_cost": "1.1",
    "statement_timeout": "30s",
    "lock_timeout": "10s",
    # A process that hangs in a transaction must not hold its locks for ever.
    "idle_in_transaction_session_timeout": "60s",
    "timezone": "UTC",
}


async def open_pool(url: str, schema: str, *, size: int = 4) -> Pool:
    """Connect a service to its schema; up to `size` connections, one at once.

    Raises OSError or asyncpg.PostgresError when the database cannot be reached or refuses.
    """
    return await asyncpg.create_pool(
        url,
        min_size=1,
        max_size=size,
        timeout=_CONNECT_WITHIN,
        command_timeout=_ANSWER_WITHIN,
        # Our statements are few and constant: planned once per connection, kept as long as it lives.
        statement_cache_size=256,
        max_cached_statement_lifetime=0,
        reset=_leave_as_it_is,
        server_settings={"search_path": schema, "application_name": f"deskstream-{schema}", **_SERVER_SETTINGS},
    )


async def _leave_as_it_is(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    # The usual reset is one more statement for every batch. Nobody here changes a session; who takes a lock on one
    # gives it up himself.
    return None
