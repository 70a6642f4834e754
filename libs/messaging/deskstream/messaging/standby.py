"""One replica at a time: the others stand by until the database gives up the first one's lock."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import asyncpg
import structlog

from deskstream.messaging.fates import is_transient

LOOK_EVERY_S: Final = 0.5

_TRY = "SELECT pg_try_advisory_lock(hashtext(current_schema()), hashtext('hearing'))"
_GIVE_UP = "SELECT pg_advisory_unlock_all()"
_STILL_HERE = "SELECT 1"

log = structlog.get_logger()


class Standby:
    """Holds a session lock on a connection of its own; when the connection is lost, so is the lock."""

    def __init__(
        self,
        pool: "asyncpg.Pool[asyncpg.Record]",
        take_over: Callable[[], Awaitable[None]],
        stand_down: Callable[[], Awaitable[None]],
    ) -> None:
        self._pool = pool
        self._take_over = take_over
        self._stand_down = stand_down
        self.active = False

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            try:
                async with self._pool.acquire() as connection:
                    try:
                        await self._hold(connection)
                    finally:
                        await self._give_up(connection)
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("standby_lost", reason=repr(error)[:300])
            finally:
                await self._down()
            await asyncio.sleep(LOOK_EVERY_S)

    async def _hold(self, connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]") -> None:
        # A blocking lock would end at the pool's statement timeout; looking again costs one statement.
        while not await connection.fetchval(_TRY):  # noqa: ASYNC110
            await asyncio.sleep(LOOK_EVERY_S)
        self.active = True
        await self._take_over()
        while True:
            await connection.execute(_STILL_HERE)
            await asyncio.sleep(LOOK_EVERY_S)

    async def _give_up(self, connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]") -> None:
        """The pool gives connections on as they are. An error here would take the place of the cancellation that ends
        the loop; a connection that cannot be asked any more is closed, and its lock goes with it."""
        try:
            await connection.execute(_GIVE_UP)
        except Exception as error:
            if not is_transient(error):
                raise
            with suppress(asyncpg.InterfaceError):
                connection.terminate()

    async def _down(self) -> None:
        if self.active:
            self.active = False
            await self._stand_down()
