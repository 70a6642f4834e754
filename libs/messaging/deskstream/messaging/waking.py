"""The loop that hands due timers to the runner: at once when a batch sets an early one, else by looking often."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Final

import asyncpg
import structlog

from deskstream.messaging import timers
from deskstream.messaging.batch import Done
from deskstream.messaging.fates import is_transient
from deskstream.messaging.positions import read_now
from deskstream.messaging.runner import MAX_BATCH, Runner

LOOK_EVERY_S: Final = 0.5
"""Another replica may have set a timer; half a second keeps the promise of one second at rest."""

CATCH_UP_S: Final = 0.1

BACKLOG: Final = 500
"""Events on their way that are no backlog, only load."""

PATIENCE_S: Final = 60.0
"""So long a backlog may stay as large as it is before the timers wait for it no longer."""

UNKNOWN: Final = 10**15
"""A backlog that nobody could count yet is taken for larger than any."""
FAR: Final = datetime.max.replace(tzinfo=UTC)

log = structlog.get_logger()


class Waker:
    """Wakes objects when their moment has come."""

    def __init__(
        self,
        runner: Runner,
        pool: "asyncpg.Pool[asyncpg.Record]",
        clock_offset: timedelta,
        behind: Callable[[], int | None],
        *,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """`behind` is how many events are still to be heard; None while nobody knows."""
        self._patience_s = patience_s
        self._runner = runner
        self._behind = behind
        self._least: int | None = None
        self._shrank_at = 0.0
        self._pool = pool
        self._offset = clock_offset
        self._next = FAR
        self._earlier = asyncio.Event()

    def batch_done(self, done: Done) -> None:
        """A batch may have set a timer that is due before the one this loop sleeps for."""
        if done.timers_moved and min(done.timers_moved) < self._next:
            self._earlier.set()

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            pause = LOOK_EVERY_S
            try:
                pause = await self._wake_due()
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("timers_postponed", reason=repr(error)[:300])
            self._earlier.clear()
            try:
                async with asyncio.timeout(pause):
                    await self._earlier.wait()
            except TimeoutError:
                continue

    async def _wake_due(self) -> float:
        """Wakes what is due; returns the seconds until the next look.

        While a backlog is heard nobody is woken: what would cancel a timer may stand in it.
        """
        if self._catching_up():
            return CATCH_UP_S
        async with self._pool.acquire() as connection:
            now = await read_now(connection, self._offset)
            items = await timers.due(connection, now, MAX_BATCH)
            upcoming = await timers.next_due(connection) if not items else now
        if items:
            await self._runner.handle(items)
            return 0.0
        self._next = upcoming or FAR
        return max(0.0, min(LOOK_EVERY_S, (self._next - now).total_seconds()))

    def _catching_up(self) -> bool:
        """Whether there is a backlog that becomes smaller. One that does not, because more comes than can be heard or a
        lane's owner is away, must not hold up the timers for ever."""
        behind = self._behind()
        if behind is not None and behind < BACKLOG:
            self._least = None
            return False
        behind = UNKNOWN if behind is None else behind
        if self._least is None or behind < self._least:
            self._least, self._shrank_at = behind, monotonic()
        return monotonic() - self._shrank_at < self._patience_s
