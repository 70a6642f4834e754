"""A batch's transaction: begun, and told how to plan, in one round trip."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import asyncpg

from deskstream.messaging.declare import Tx
from deskstream.messaging.fates import DATABASE_UNWELL

# A batch's statements take arrays and find rows by their keys, one of them or two hundred. PostgreSQL would plan them
# anew for each short array, which takes three times as long as running them; so each is planned once a connection.
# That plan is kept while its tables grow from nothing, so it must not read them whole.
_BEGIN: Final = "BEGIN; SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL enable_seqscan = off"


@asynccontextmanager
async def batch_transaction(pool: "asyncpg.Pool[asyncpg.Record]") -> AsyncIterator[Tx]:
    """Commits what is done inside, or nothing of it when an error leaves the block.

    Raises whatever the database does. A connection that cannot even roll back is given up.
    """
    async with pool.acquire() as connection:
        try:
            await connection.execute(_BEGIN)
            yield connection
        except BaseException:
            await _roll_back(connection)
            raise
        # PostgreSQL commits nothing after an error, says so in its answer only, and does not call it one.
        if await connection.execute("COMMIT") != "COMMIT":
            raise asyncpg.InFailedSQLTransactionError("an error of a statement was swallowed: nothing is committed")


async def _roll_back(connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]") -> None:
    done = False
    try:
        with suppress(*DATABASE_UNWELL):
            await connection.execute("ROLLBACK")
            done = True
    finally:
        if not done:
            # One that is gone already was taken out of the pool.
            with suppress(asyncpg.InterfaceError):
                connection.terminate()
