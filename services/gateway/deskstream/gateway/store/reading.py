"""One moment's view of the database for everything a request reads."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from deskstream.messaging import Tx

# Filters are optional parameters: only a plan made for the values at hand sees which of them are there.
_BEGIN = """
    SELECT
        set_config('plan_cache_mode', 'force_custom_plan', true),
        now() AS now,
        (SELECT COALESCE(max(id), 0) FROM feed) AS as_of
"""

PATIENCE = 5.0
"""Seconds that a request waits for a connection; then it is told to come again."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A snapshot: what is read through `tx` is what the feed led to up to `as_of`."""

    tx: Tx
    now: datetime
    as_of: int


@asynccontextmanager
async def moment(pool: "asyncpg.Pool[asyncpg.Record]") -> AsyncIterator[Moment]:
    """Opens a snapshot in which nothing can be written."""
    async with (
        pool.acquire(timeout=PATIENCE) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        row = await connection.fetchrow(_BEGIN)
        assert row is not None
        yield Moment(connection, row["now"], row["as_of"])
