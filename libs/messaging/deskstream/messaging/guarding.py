"""One service's watch over its streams: held back where the database is older, refilled where the stream is."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final

import asyncpg
import structlog
from nats.aio.client import Client

from deskstream.messaging.comparing import Fit, look, mend_older_stream
from deskstream.messaging.declare import Declaration, Tx
from deskstream.messaging.fates import is_transient
from deskstream.messaging.pausing import woken
from deskstream.messaging.reconcile.lists import is_inbound
from deskstream.messaging.recovered import Recovered
from deskstream.messaging.topology import stream_of

LOOK_EVERY_S: Final = 15.0
LOOK_SOON_S: Final = 2.0
"""A missing stream may be made any moment; and adapters cannot see what lies before the end of theirs, so they keep
their eye on it."""
HELD_LOOK_EVERY_S: Final = 1.0
FIRST_WITHIN_S: Final = 10.0
"""So long a start waits for a broker that cannot say what its streams hold."""

BATCH_TAKES_S: Final = 0.3

_LAST_ID: Final = "SELECT coalesce(max(id), 0) FROM journal"

log = structlog.get_logger()


class Guard:
    """Compares the streams of the lanes that a service says with its journal: at the start, after every reconnect, and
    now and then."""

    def __init__(
        self,
        declaration: Declaration,
        pool: "asyncpg.Pool[asyncpg.Record]",
        client: Callable[[], Client],
        *,
        recovered: Recovered,
        write_marks: Callable[[], Awaitable[None]],
    ) -> None:
        """`write_marks` writes down what was acknowledged and only this process knows."""
        self._name = declaration.name
        self._lanes = declaration.says
        self._pool = pool
        self._client = client
        self._recovered = recovered
        self._write_marks = write_marks
        self._wake = asyncio.Event()
        self._closely = False
        self._started = False
        self._lacking = set[str]()
        """Lanes without a stream: somebody is about to make it."""
        self._unseen = set[str]()
        """Lanes that could not be compared when they were looked at last."""
        self._older = dict[str, str]()
        """Lane -> what is wrong with it, in a sentence."""

    def problem(self) -> str | None:
        """What keeps the service from being ready; None when its streams and its journal fit."""
        return next(iter(self._older.values()), None)

    def reconnected(self) -> None:
        """Behind a new connection may be another store."""
        self._closely = True
        self._wake.set()

    async def may_start(self) -> bool:
        """Whether the service may work: not while its database is older than its streams, for it would give numbers
        away that were given before."""
        deadline = monotonic() + FIRST_WITHIN_S
        while not await self._look_closely() and monotonic() < deadline:  # noqa: ASYNC110 - it asks servers
            await asyncio.sleep(HELD_LOOK_EVERY_S)
        return self.problem() is None

    async def until_mended(self) -> None:
        """Returns when database and streams fit again."""
        log.error("held_back", service=self._name, reason=self.problem())
        while self.problem():
            await asyncio.sleep(HELD_LOOK_EVERY_S)
            await self._look_at_all()
        log.info("held_back_no_longer", service=self._name)

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            await woken(self._wake, within=self._pause())
            closely, self._closely = self._closely, False
            if not await (self._look_closely() if closely else self._look_at_all()):
                self._closely = self._closely or closely

    def _pause(self) -> float:
        soon = self._lacking or any(map(is_inbound, self._lanes))
        return LOOK_SOON_S if soon else LOOK_EVERY_S

    async def _look_closely(self) -> bool:
        """Looks also for the last that was acknowledged: that must stand in the table first, not in memory only."""
        try:
            upto: int = await self._pool.fetchval(_LAST_ID)
            await self._write_marks()
            # A batch that took marks along has committed by then.
            await asyncio.sleep(BATCH_TAKES_S if self._started else 0)
            await self._write_marks()
        except Exception as error:
            if not is_transient(error):
                raise
            return False
        self._started = True
        return await self._look_at_all(upto)

    async def _look_at_all(self, upto: int | None = None) -> bool:
        """Whether all could be looked at."""
        seen = True
        for lane in self._lanes:
            try:
                async with self._pool.acquire() as connection:
                    fit = await look(connection, self._client(), lane, upto=upto)
                    # After it: what fits may have been mended this very moment, and is not to be decided anew.
                    await self._recovered.look(connection)
                    await self._judge(connection, lane, fit)
            except Exception as error:
                if not is_transient(error):
                    raise
                self._tell_unseen(lane, error)
                seen = False
            else:
                self._unseen.discard(lane)
        return seen

    def _tell_unseen(self, lane: str, error: Exception) -> None:
        """Once, until it could be looked at again: while a server is away, each look would say the same."""
        if lane not in self._unseen:
            log.warning("comparison_postponed", service=self._name, lane=lane, reason=repr(error)[:300])
        self._unseen.add(lane)

    async def _judge(self, connection: Tx, lane: str, fit: Fit) -> None:
        was = self._older.pop(lane, None)
        self._lacking.discard(lane)
        match fit:
            case Fit.DATABASE_OLDER:
                self._older[lane] = (
                    f"the database is older than the stream {stream_of(lane)}: it was put back to an earlier moment. "
                    "`deskstream reconcile` shows what it lacks, `deskstream reconcile --apply` mends it"
                )
                if was is None:
                    log.error("database_is_older", service=self._name, lane=lane)
            case Fit.STREAM_OLDER:
                owed = await mend_older_stream(connection, self._client(), lane)
                if owed:
                    log.warning("stream_is_older", service=self._name, lane=lane, publishing_again=owed)
            case Fit.NO_STREAM:
                self._lacking.add(lane)
            case Fit.FITS:
                pass
