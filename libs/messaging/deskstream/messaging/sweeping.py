"""What a crash or a missing event leaves behind is mended here: owed publishes, late marks, waiting messages, gaps."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from time import monotonic
from typing import Final

import asyncpg
import structlog

from deskstream.contracts.journal import ReadJournal
from deskstream.messaging import asked, journal, recovered, waiting
from deskstream.messaging.declare import Tx
from deskstream.messaging.fates import is_transient
from deskstream.messaging.positions import read_now
from deskstream.messaging.publishing import Publisher
from deskstream.messaging.reading import NotRead, ReadPage, items_of
from deskstream.messaging.runner import Runner

SWEEP_EVERY_S: Final = 1.0
MARKS_WAIT_S: Final = 0.2
"""Marks go with the next batch; when none comes, alone."""
OWED_AFTER: Final = timedelta(seconds=5)
OWED_LIMIT: Final = 500
HOLDER_MAY_HANG: Final = "10s"
"""A process that is frozen while it publishes keeps the others from it no longer than this."""
TELL_EVERY_S: Final = 5.0
ANSWERS_KEPT: Final = timedelta(hours=24)
HOUSEKEEPING_S: Final = 3600.0

_TRY_LOCK = "SELECT pg_try_advisory_xact_lock(hashtext(current_schema()), hashtext('unpublished'))"
_HANG = "SELECT set_config('idle_in_transaction_session_timeout', $1, true)"
_LEFT = "SELECT count(*) FROM unpublished"
_PARTITIONS = "SELECT make_journal_partitions(2)"


log = structlog.get_logger()


class Sweeper:
    """One a replica; where only one may work a lock in the database decides, there is no leader."""

    def __init__(
        self,
        runner: Runner,
        pool: "asyncpg.Pool[asyncpg.Record]",
        publisher: Publisher,
        read_page: ReadPage,
        *,
        clock_offset: timedelta = timedelta(),
    ) -> None:
        """`clock_offset` is the runner's: what it wrote is as old as its clock says."""
        self._runner = runner
        self._pool = pool
        self._publisher = publisher
        self._read_page = read_page
        self._offset = clock_offset
        self._housekept = -HOUSEKEEPING_S
        self._told = 0.0

    async def run(self) -> None:
        """Runs until cancelled."""
        due = monotonic()
        while True:
            await self._survive(self._marks)
            if monotonic() >= due:
                due = monotonic() + SWEEP_EVERY_S
                self._publisher.drop_overdue()
                for duty in (self.publish_owed, self.retry_waiting, self.fill_gaps, self._housekeep):
                    await self._survive(duty)
            await asyncio.sleep(MARKS_WAIT_S)

    async def _survive(self, duty: Callable[[], Awaitable[object]]) -> None:
        try:
            await duty()
        except Exception as error:
            if not is_transient(error):
                raise
            log.warning("sweep_postponed", duty=getattr(duty, "__name__", ""), reason=repr(error)[:300])

    async def _marks(self) -> None:
        await self.write_marks(older_than=MARKS_WAIT_S)

    async def write_marks(self, *, older_than: float = 0.0) -> None:
        """Writes down what the broker acknowledged."""
        marks = self._publisher.take_marks(older_than=older_than)
        if not marks:
            return
        try:
            async with self._pool.acquire() as connection:
                await journal.mark_published(connection, marks)
        except BaseException:
            self._publisher.give_back(marks)
            raise

    async def publish_owed(self) -> int:
        """Publishes again, in order, what nobody acknowledged: after a crash, or when the broker was away. Returns how
        many; goes on while there is more, but not so long that what else there is to sweep would suffer."""
        total, until = 0, monotonic() + SWEEP_EVERY_S
        behind = self._publisher.behind() is not None
        while page := await self._publish_page(at_once=behind):
            total += page
            if page < OWED_LIMIT or monotonic() > until:
                break
        if (since := self._publisher.behind()) and not await self._pool.fetchval(_LEFT):
            self._publisher.caught_up(since)
        if total and monotonic() - self._told > TELL_EVERY_S:
            self._told = monotonic()
            log.info("published_again", count=total, left=await self._pool.fetchval(_LEFT))
        return total

    async def _publish_page(self, *, at_once: bool = False) -> int:
        patience = timedelta() if at_once else OWED_AFTER
        async with self._pool.acquire() as connection, connection.transaction():
            return await publish_page(connection, self._publisher, older_than=patience - self._offset)

    async def retry_waiting(self) -> int:
        """Hands on what may go on now, and then what waited behind it. Returns how many; goes on while there is more,
        but not so long that what else there is to sweep would suffer."""
        await self._runner.suspects.take_tries_back()
        total, until = 0, monotonic() + SWEEP_EVERY_S
        while monotonic() < until:
            async with self._pool.acquire() as connection:
                items = await waiting.due(connection, await read_now(connection, self._offset))
            if not items:
                break
            await self._runner.handle(items)
            total += len(items)
        return total

    async def fill_gaps(self) -> int:
        """Asks the owners of lanes for events that are missing too long. Returns how many keys had a gap."""
        async with self._pool.acquire() as connection:
            gaps = await waiting.gaps(connection, await read_now(connection, self._offset))
        silent = set[str]()
        for (lane, key), read in gaps:
            if lane not in silent and not await self._fill(lane, key, read):
                silent.add(lane)
        return len(gaps)

    async def _fill(self, lane: str, key: str, read: int) -> bool:
        """Whether the lane's owner answered; one that is down must not hold up the gaps of others."""
        try:
            page = await self._read_page(lane, ReadJournal(lane=lane, key=key, beyond=read))
        except (TimeoutError, NotRead) as error:
            log.warning("gap_stays", lane=lane, reason=str(error))
            return False
        missing = list(items_of(lane, page))
        for item in missing:
            item.suspect = True
        log.info("gap_filled", lane=lane, key=key, found=len(missing))
        await self._runner.handle(missing)
        return True

    async def _housekeep(self) -> None:
        if monotonic() - self._housekept < HOUSEKEEPING_S:
            return
        self._housekept = monotonic()
        async with self._pool.acquire() as connection:
            await connection.execute(_PARTITIONS)
            await asked.forget(connection, await read_now(connection, self._offset) - ANSWERS_KEPT)
            await recovered.forget(connection)


async def publish_page(tx: Tx, publisher: Publisher, *, older_than: timedelta = OWED_AFTER) -> int:
    """Publishes the oldest of what the broker owes an acknowledgement for; returns how many it acknowledged. One at a
    time does this: in a transaction, at whose end the lock is free again."""
    if not await tx.fetchval(_TRY_LOCK):
        return 0
    owed = await journal.owed(tx, older_than=older_than, limit=OWED_LIMIT)
    if not owed:
        return 0
    await tx.execute(_HANG, HOLDER_MAY_HANG)
    acknowledged = await publisher.publish_and_wait(owed)
    await journal.mark_published(tx, acknowledged)
    return len(acknowledged)
