"""The runner: takes whatever is there, one transaction per batch, then publishes and acknowledges at once."""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import groupby, takewhile
from time import monotonic
from typing import Final, Protocol, TypeAlias

import asyncpg
import structlog

from deskstream.messaging import asked
from deskstream.messaging.acknowledging import UNAVAILABLE, Acknowledging
from deskstream.messaging.batch import Batch, Done
from deskstream.messaging.failpoints import FailPoints
from deskstream.messaging.fates import is_transient, may_concern_one, took_too_long
from deskstream.messaging.item import Item
from deskstream.messaging.publishing import Publisher
from deskstream.messaging.suspects import Suspects
from deskstream.messaging.telling import Telling
from deskstream.messaging.transaction import batch_transaction

MAX_BATCH: Final = 200
INBOX_LIMIT: Final = 2000
"""Items in memory beyond which nothing more is pulled, and commands are told to come back."""
AT_ONCE: Final = 3
"""How often a batch is tried again at once before it goes back to the broker."""
SHORTEST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0

log = structlog.get_logger()

Way: TypeAlias = Callable[[Sequence[Item]], Awaitable[None]]
"""How neighbours in the inbox are handled."""


class Listener(Protocol):
    """Somebody who wants to know at once when a batch set a timer or queued a send."""

    def batch_done(self, done: Done) -> None: ...


class Runner:
    """One service's inbox and the loop that works it off."""

    def __init__(
        self, batch: Batch, pool: "asyncpg.Pool[asyncpg.Record]", publisher: Publisher, points: FailPoints
    ) -> None:
        self._batch = batch
        self._pool = pool
        self._publisher = publisher
        self._points = points
        self._inbox: deque[Item] = deque()
        self._arrived = asyncio.Event()
        self._stopping = False
        self._pause = SHORTEST_PAUSE_S
        self.listeners: list[Listener] = []
        self.suspects = Suspects(pool, batch.clock_offset)
        self.broker = Acknowledging(self.suspects)
        self.applied = 0
        self.batches = 0
        self.telling = Telling(batch.wiring.service, batch.tracer)

    def offer(self, item: Item) -> None:
        """Puts an item in the inbox; the loop takes it with whatever else is there."""
        self._inbox.append(item)
        self._arrived.set()

    def has_room(self) -> bool:
        """Whether more should be pulled."""
        return len(self._inbox) < INBOX_LIMIT // 2 and not self._stopping

    @property
    def backlog(self) -> int:
        """Items that were taken in and not yet handled."""
        return len(self._inbox)

    def offer_command(self, item: Item) -> None:
        """Like `offer`, but tells the caller to come back when there is too much to do."""
        assert item.future is not None
        if len(self._inbox) >= INBOX_LIMIT or self._stopping:
            item.future.set_result(UNAVAILABLE)
        else:
            self.offer(item)

    async def run(self) -> None:
        """Works until `finish` was called and the inbox is empty of what was started."""
        while True:
            if not self._inbox:
                if self._stopping:
                    return
                self._arrived.clear()
                await self._arrived.wait()
                continue
            await self._publisher.room()
            items = [self._inbox.popleft() for _ in range(min(MAX_BATCH, len(self._inbox)))]
            await self.handle(items)

    def finish(self) -> list[Item]:
        """Stops after the running batch; returns what was not started, which the broker gets back."""
        self._stopping = True
        left = list(self._inbox)
        self._inbox.clear()
        self._arrived.set()
        return left

    async def handle(self, items: Sequence[Item]) -> None:
        """Runs items to their fate; raises nothing but cancellation."""
        items, later = asked.repeated(items)
        await self._in_their_ways(items, self._way)
        if later:
            await self.handle(later)

    def _way(self, item: Item) -> Way:
        if self.suspects.include(item):
            return self._suspected
        return self._each_alone if type(item.asked) in self._batch.wiring.alone else self._together

    async def _in_their_ways(self, items: Sequence[Item], way: Callable[[Item], Way]) -> None:
        groups = [list(group) for _, group in groupby(items, key=way)]
        await self._in_turn(groups, lambda group: way(group[0])(group))

    async def _in_turn(self, groups: Sequence[Sequence[Item]], work: Way) -> None:
        """One group after the other, unless one came back to the front of the inbox: then the rest waits behind it."""
        for place, group in enumerate(groups):
            await work(group)
            if self._came_back(group, [item for later in groups[place + 1 :] for item in later]):
                return

    def _came_back(self, group: Sequence[Item], rest: Sequence[Item]) -> bool:
        waiting_again = set(group)
        front = list(takewhile(waiting_again.__contains__, self._inbox))
        if not front:
            return False
        for _ in front:
            self._inbox.popleft()
        self._inbox.extendleft(reversed([*front, *rest]))
        return True

    async def _together(self, items: Sequence[Item]) -> None:
        for attempt in range(AT_ONCE):
            try:
                await self._transact(items)
                return
            except Exception as error:
                if is_transient(error) and attempt < AT_ONCE - 1 and not took_too_long(error):
                    await asyncio.sleep(random.uniform(0, 0.02 * (attempt + 1)))
                    continue
                if is_transient(error) and not may_concern_one(error):
                    await self._give_back(items, error)
                    return
                log.warning("batch_runs_one_by_one", size=len(items), reason=repr(error))
                break
        await self._each_alone(items)

    async def _each_alone(self, items: Sequence[Item]) -> None:
        unwell = list[Exception]()

        async def work(one: Sequence[Item]) -> None:
            if unwell:
                await self._give_back(one, unwell[0])
            elif error := await self._alone(one[0]):
                unwell.append(error)

        await self._in_turn([[item] for item in items], work)

    async def _alone(self, item: Item) -> Exception | None:
        """Returns why not even the fate of a failed one could be written: then the world is unwell."""
        for attempt in range(AT_ONCE):
            try:
                await self._transact([item], alone=True)
                return None
            except Exception as error:
                last = attempt == AT_ONCE - 1
                if not is_transient(error) or (last and may_concern_one(error)):
                    return await self._settle_failure(item, error)
                if last:
                    await self._give_back([item], error)
                    return None
                await asyncio.sleep(random.uniform(0, 0.02 * (attempt + 1)))
        return None

    async def _settle_failure(self, item: Item, error: Exception) -> Exception | None:
        """The item's own transaction failed in the database or in a look-up: its fate is written in another one."""
        started = monotonic()
        try:
            async with batch_transaction(self._pool) as tx:
                done = await self._batch.settle(tx, item, error)
        except Exception as second:
            # Rather delivered again, loudly, than a reader that dies of one message.
            log.error("fate_not_written", type=item.type, key=item.key, reason=repr(second)[:300])
            await self._give_back([item], second)
            return second
        await self._after(done, [item])
        self._count(done, [item], monotonic() - started)
        return None

    async def _suspected(self, items: Sequence[Item]) -> None:
        """Mostly a broken connection brought them back: tried together once. When the process ended at that, each is
        counted only when its turn has come, so that no neighbour pays for the one at which it ends again."""
        try:
            unfinished = await self.suspects.unfinished(items)
        except Exception as error:
            await self._give_back(items, error)
            return
        log.warning("suspects_tried", size=len(items), alone=len(unfinished))
        await self._in_their_ways(items, lambda item: self._counted_alone if item in unfinished else self._counted)

    async def _counted_alone(self, items: Sequence[Item]) -> None:
        await self._in_turn([[item] for item in items], self._counted)

    async def _counted(self, items: Sequence[Item]) -> None:
        try:
            states = await self.suspects.start_tries(items)
        except Exception as error:
            await self._give_back(items, error)
            return
        given_up = [item for item in items if not item.counted]
        for item in given_up:
            self.telling.given_up(item, dead=item in states)
        await self.broker.acknowledge(given_up)
        if to_try := [item for item in items if item.counted]:
            await self._together(to_try)

    async def _transact(self, items: Sequence[Item], *, alone: bool = False) -> None:
        marks = self._publisher.take_marks()
        started = monotonic()
        try:
            async with batch_transaction(self._pool) as tx:
                done = await self._batch.run(tx, items, marks, alone=alone)
        except BaseException:
            self._publisher.give_back(marks)
            raise
        self._pause = SHORTEST_PAUSE_S
        self._points.reach("after_commit")
        await self._after(done, items)
        self._count(done, items, monotonic() - started)

    async def _after(self, done: Done, items: Sequence[Item]) -> None:
        self._points.reach("before_publish")
        await self._publisher.publish(done.said)
        for item, answer in done.answers:
            if item.future is not None and not item.future.done():
                item.future.set_result(answer)
        self._points.reach("before_ack")
        await self.broker.acknowledge(items)
        for listener in self.listeners:
            listener.batch_done(done)

    def _count(self, done: Done, items: Sequence[Item], seconds: float) -> None:
        self.applied += done.outcomes.applied
        self.batches += 1
        for line in done.outcomes.lines:
            log.error("handler_failed", **line)
        self.telling.batch(done, items, seconds)

    async def _give_back(self, items: Sequence[Item], error: Exception) -> None:
        log.warning("batch_postponed", size=len(items), reason=repr(error)[:300])
        self.telling.postponed(items)
        if self._stopping or not any(item.by_arrival for item in items):
            await self.broker.hand_back(items)
            return
        # Given back, they would come again behind newer ones; so they wait here, and everything behind them.
        await self.broker.hand_back([item for item in items if not item.by_arrival])
        self._inbox.extendleft(reversed([item for item in items if item.by_arrival]))
        self._pause = min(LONGEST_PAUSE_S, self._pause * 2)
        await asyncio.sleep(self._pause)
