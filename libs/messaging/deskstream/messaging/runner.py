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
from nats.aio.client import Client
from nats.errors import Error as NatsError

from deskstream.contracts import Answered, Problem
from deskstream.messaging import asked
from deskstream.messaging.batch import Batch, Done
from deskstream.messaging.failpoints import FailPoints
from deskstream.messaging.fates import concerns_one, is_transient
from deskstream.messaging.frames import ACK, answer_frame, write
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

UNAVAILABLE = Answered(
    ok=False,
    error=Problem(code="unavailable", sentence="The service cannot do this just now. Try again in a moment."),
).model_dump_json()


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
        self._client: Client | None = None
        self._pause = SHORTEST_PAUSE_S
        self.listeners: list[Listener] = []
        self.suspects = Suspects(pool)
        self.applied = 0
        self.batches = 0
        self.telling = Telling(batch.wiring.service, batch.tracer)

    def connect(self, client: Client) -> None:
        """Acknowledgements go out on this connection."""
        self._client = client

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
                if is_transient(error) and attempt < AT_ONCE - 1:
                    await asyncio.sleep(random.uniform(0, 0.02 * (attempt + 1)))
                    continue
                if is_transient(error) and not concerns_one(error):
                    await self._give_back(items, error)
                    return
                log.warning("batch_runs_one_by_one", size=len(items), reason=repr(error))
                break
        await self._each_alone(items)

    async def _each_alone(self, items: Sequence[Item]) -> None:
        await self._in_turn([[item] for item in items], lambda one: self._alone(one[0]))

    async def _alone(self, item: Item) -> None:
        for attempt in range(AT_ONCE):
            try:
                await self._transact([item], alone=True)
                return
            except Exception as error:
                last = attempt == AT_ONCE - 1
                if not is_transient(error) or (last and concerns_one(error)):
                    await self._settle_failure(item, error)
                    return
                if last:
                    await self._give_back([item], error)
                    return
                await asyncio.sleep(random.uniform(0, 0.02 * (attempt + 1)))

    async def _settle_failure(self, item: Item, error: Exception) -> None:
        """The item's own transaction failed in the database or in a look-up: its fate is written in another one."""
        started = monotonic()
        try:
            async with batch_transaction(self._pool) as tx:
                done = await self._batch.settle(tx, item, error)
        except Exception as second:
            # Rather delivered again, loudly, than a reader that dies of one message.
            log.error("fate_not_written", type=item.type, key=item.key, reason=repr(second)[:300])
            await self._give_back([item], second)
            return
        await self._after(done, [item])
        self._count(done, [item], monotonic() - started)

    async def _suspected(self, items: Sequence[Item]) -> None:
        """Mostly a broken connection brought them back: tried together once, what comes back again is handled alone."""
        try:
            states = await self.suspects.start_tries(items)
        except Exception as error:
            await self._give_back(items, error)
            return
        given_up = [item for item in items if not item.counted]
        for item in given_up:
            self.telling.given_up(item, dead=item in states)
        await self._acknowledge(given_up)
        to_try = [item for item in items if item.counted]
        log.warning("suspects_tried", size=len(to_try))
        await self._in_their_ways(to_try, lambda item: self._each_alone if item.tries else self._together)

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
        await self._acknowledge(items)
        for listener in self.listeners:
            listener.batch_done(done)

    def _count(self, done: Done, items: Sequence[Item], seconds: float) -> None:
        self.applied += done.outcomes.applied
        self.batches += 1
        for line in done.outcomes.lines:
            log.error("handler_failed", **line)
        self.telling.batch(done, items, seconds)

    async def _acknowledge(self, items: Sequence[Item]) -> None:
        """Also after a failed publish of the acknowledgement nothing is wrong: progress knows the message."""
        self.suspects.handled(items)
        await self._answer_broker([answer_frame(item.ack, ACK) for item in items if item.ack])

    async def _give_back(self, items: Sequence[Item], error: Exception) -> None:
        log.warning("batch_postponed", size=len(items), reason=repr(error)[:300])
        self.telling.postponed(items)
        if self._stopping or not any(item.by_arrival for item in items):
            await self.hand_back(items)
            return
        # Given back, they would come again behind newer ones; so they wait here, and everything behind them.
        await self.hand_back([item for item in items if not item.by_arrival])
        self._inbox.extendleft(reversed([item for item in items if item.by_arrival]))
        self._pause = min(LONGEST_PAUSE_S, self._pause * 2)
        await asyncio.sleep(self._pause)

    async def hand_back(self, items: Sequence[Item]) -> None:
        """What was taken in and not started: the broker gets its messages again, callers hear to come back."""
        for item in items:
            if item.future is not None and not item.future.done():
                item.future.set_result(UNAVAILABLE)
            if item.ack:
                await self.nak(item)

    async def nak(self, item: Item) -> None:
        """Asks the broker to deliver it again, later each time; this process knows that it is not to blame."""
        pause_ns = int(self.suspects.handed_back(item) * 1e9)
        await self._answer_broker([answer_frame(item.ack, b'-NAK {"delay": %d}' % pause_ns)])

    async def _answer_broker(self, frames: Sequence[bytes]) -> None:
        assert self._client is not None
        if not frames:
            return
        try:
            await write(self._client, frames)
        except NatsError as error:
            log.debug("ack_lost", reason=repr(error))
