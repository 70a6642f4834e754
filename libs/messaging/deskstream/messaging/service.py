"""A running service: a FastStream application around the runner, its pull loops and its sweepers."""

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any, Final

import asyncpg
import structlog
from faststream import FastStream
from nats.errors import Error as NatsError

from deskstream.contracts import Answered, Command, subjects
from deskstream.contracts.journal import JournalPage, ReadHeads, ReadJournal
from deskstream.messaging import commands, journal
from deskstream.messaging.arrival import ArrivalOrder
from deskstream.messaging.backlog import Backlog, backlog_of, lags_of
from deskstream.messaging.batch import Batch, Done
from deskstream.messaging.connection import Reach, Wish, client_of, make_broker, read_any_subject
from deskstream.messaging.declare import Declaration, Figure, Service
from deskstream.messaging.failpoints import FailPoints
from deskstream.messaging.figures import Figures
from deskstream.messaging.item import from_stream
from deskstream.messaging.provisioned import stream_info
from deskstream.messaging.publishing import Publisher
from deskstream.messaging.pulling import Puller
from deskstream.messaging.readiness import PROBE_WITHIN_S, Readiness
from deskstream.messaging.reading import Bootstrap
from deskstream.messaging.runner import Runner
from deskstream.messaging.sending import Sender
from deskstream.messaging.standby import Standby
from deskstream.messaging.sweeping import Sweeper
from deskstream.messaging.topology import stream_of
from deskstream.messaging.tracing import Tracer
from deskstream.messaging.waking import Waker
from deskstream.messaging.wiring import wiring_of

BEGINNING: Final = "beginning"

BACKLOG: Final = 500
"""Events on their way that are no backlog, only load."""

log = structlog.get_logger()


class RunningService:
    """One replica of one service. `start` returns when it hears and answers; `stop` when its last batch is done."""

    def __init__(
        self,
        declaration: Declaration,
        service: Service,
        pool: "asyncpg.Pool[asyncpg.Record]",
        reach: Reach,
        *,
        clock_offset: timedelta = timedelta(),
        tracer: Tracer | None = None,
    ) -> None:
        self.name = declaration.name
        self.pool = pool
        self.declaration = declaration
        self._service = service
        self._clock_offset = clock_offset
        self._wiring = wiring_of(declaration, tuple(service.hears), tuple(service.answers))
        points = self._points = FailPoints(self.name)
        self.publisher = Publisher(points)
        self.runner = Runner(Batch(self._wiring, points, clock_offset, tracer), pool, self.publisher, points)
        self._desk = commands.CommandDesk(self._wiring, self.runner, pool)
        self._wish = Wish()
        self._readiness = Readiness(declaration, pool, lambda: client_of(self.broker))
        self._wish.complained = self._readiness.heard
        self.broker = make_broker(self.name, reach, self._reconnected, self._wish)
        self.app = FastStream(self.broker, logger=None)
        self.sweeper = Sweeper(self.runner, pool, self.publisher, self._read_page)
        self._waker = Waker(self.runner, pool, clock_offset, self._caught_up)
        self.runner.listeners += [self._waker, self]
        self._sender: Sender | None = None
        self._hearing = False
        self._arrival: ArrivalOrder | None = None
        self._pullers: list[Puller] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._background = AsyncExitStack()
        self.failed: asyncio.Future[None] | None = None

    async def start(self) -> None:
        """Connects, answers commands, then hears."""
        self.failed = asyncio.get_running_loop().create_future()
        await self.pool.execute("SELECT make_journal_partitions(2)")
        self._desk.subscribe(self.broker)
        await self.app.start()
        client = client_of(self.broker)
        read_any_subject(client)
        self.runner.connect(client)
        await self.publisher.start(client)
        self._spawn("runner", self.runner.run())
        self._spawn("sweeper", self.sweeper.run())
        self._spawn("waker", self._waker.run())
        self._start_sender()
        if self.declaration.exclusive:
            self._spawn("standby", Standby(self.pool, self._hear, self._fall_silent).run())
        else:
            await self._hear()
        for part in self._service.background:
            await self._background.enter_async_context(part(self))

    def _start_sender(self) -> None:
        if self._service.provider is not None:
            provider = self._service.provider
            self._sender = Sender(
                self._wiring, provider, self.pool, self.publisher, points=self._points, telling=self.runner.telling
            )
            self.runner.listeners.append(self._sender)
            self._spawn("sender", self._sender.run())

    async def stop(self) -> None:
        """Stops taking in, finishes the batch that runs, publishes, hands back what was not started, closes."""
        await self._background.aclose()
        if self._sender is not None:
            await self._sender.finish()
        for task in self._tasks[1:]:
            task.cancel()
        await asyncio.gather(*self._tasks[1:], return_exceptions=True)
        await self._fall_silent()
        left = self.runner.finish()
        await asyncio.gather(self._tasks[0], return_exceptions=True)
        await self.runner.hand_back(left)
        await self.publisher.room(1)
        await self._write_last_marks()
        self._wish.to_stop = True
        await self.app.stop()

    async def problem(self) -> str | None:
        """What keeps this service from being ready: a write, a publish and its own backlog must be fine."""
        return await self._readiness.problem()

    async def backlog(self) -> Backlog:
        """What waits in this service's tables."""
        async with self.pool.acquire(timeout=PROBE_WITHIN_S) as tx:
            return await backlog_of(tx, self._clock_offset)

    async def own_figures(self) -> Sequence[Figure]:
        """What this service itself wants to have counted."""
        if self._service.figures is None:
            return ()
        async with self.pool.acquire(timeout=PROBE_WITHIN_S) as tx:
            return await self._service.figures(tx)

    async def lags(self) -> dict[str, int]:
        """How many messages it is behind, by lane."""
        return await lags_of(client_of(self.broker), self.declaration)

    @property
    def figures(self) -> Figures:
        """What it has done since it started."""
        return self.runner.telling.figures

    async def ask(self, message: Any, *, idempotency_key: str, actor: str | None = None) -> Answered:
        """Runs a message of this service's own through its runner."""
        body = repr(message).encode()
        answer = await self._desk.ask(message, idempotency_key=idempotency_key, actor=actor, body=body)
        return Answered.model_validate_json(answer)

    async def call(self, command: Command, *, idempotency_key: str | None = None, actor: str | None = None) -> Answered:
        """Asks another service."""
        return await commands.call(client_of(self.broker), command, idempotency_key=idempotency_key, actor=actor)

    def batch_done(self, done: Done) -> None:
        """The inbox has room again."""
        for puller in self._pullers:
            puller.room_again()

    async def _hear(self) -> None:
        self._hearing = True
        for lane in self.declaration.hears:
            if await self._is_whole(lane):
                await self._pull(lane)
            else:
                self._spawn(f"take up {lane}", self._take_up(lane))

    async def _is_whole(self, lane: str) -> bool:
        """Whether the stream still has everything that was ever said: then nothing need be read from the journal."""
        if lane == subjects.INBOUND:
            return True
        if lane in self.declaration.since:
            return False
        info = await stream_info(client_of(self.broker), stream_of(lane), service=self.name)
        return info.state.first_seq <= 1

    async def _take_up(self, lane: str) -> None:
        """Reads what the stream has no longer, once for ever; its owner may only just be starting."""
        bootstrap = Bootstrap(self.runner, self._read_page, self._read_heads)
        since = self.declaration.since.get(lane, BEGINNING)
        while True:
            try:
                await bootstrap.take_up(self.pool, lane, since)
                break
            except (TimeoutError, NatsError, OSError, asyncpg.PostgresError) as error:
                log.warning("lane_not_taken_up_yet", service=self.name, lane=lane, reason=str(error))
        if self._hearing:
            await self._pull(lane)

    async def _pull(self, lane: str) -> None:
        client, stream = client_of(self.broker), stream_of(lane)
        hand_over, has_room = self._hand_over, self.runner.has_room
        if lane == subjects.INBOUND:
            self._arrival = ArrivalOrder(stream, self.name, self.runner)
            hand_over, has_room = self._arrival.hand_over, self._arrival.has_room
            await self._arrival.start(client, self._ended)
        puller = Puller(stream, self.name, hand_over, has_room)
        self._pullers.append(puller)
        await puller.start(client)

    def _caught_up(self) -> bool:
        """Whether what was said before is heard, but for what is always on its way."""
        heard = self.declaration.exclusive or len(self._pullers) == len(self.declaration.hears)
        backlogs = [puller.backlog for puller in self._pullers]
        return heard and self.runner.backlog < BACKLOG and all(b is not None and b < BACKLOG for b in backlogs)

    async def _fall_silent(self) -> None:
        self._hearing = False
        for puller in self._pullers:
            await puller.stop()
        self._pullers.clear()
        if self._arrival is not None:
            await self._arrival.stop()
            self._arrival = None

    def _hand_over(self, message: Any) -> None:
        self.runner.offer(from_stream(message.subject, message.data, message.headers, message.reply))

    async def _reconnected(self) -> None:
        for puller in self._pullers:
            puller.rearm()

    def _spawn(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=f"{self.name} {name}")
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        """A loop that dies takes the process with it: a service that only looks alive is worse."""
        if task.cancelled() or (error := task.exception()) is None:
            return
        log.error("loop_died", service=self.name, loop=task.get_name(), reason=repr(error), exc_info=error)
        if self.failed is not None and not self.failed.done():
            self.failed.set_exception(error)

    async def _write_last_marks(self) -> None:
        marks = self.publisher.take_marks()
        if marks:
            async with self.pool.acquire() as connection:
                await journal.mark_published(connection, marks)

    async def _read_page(self, lane: str, asked: ReadJournal) -> JournalPage:
        answer = await self._call_owner(lane, asked)
        return JournalPage.model_validate(answer.result)

    async def _read_heads(self, lane: str, asked: ReadHeads) -> dict[str, int]:
        answer = await self._call_owner(lane, asked)
        return {key: int(seq) for key, seq in answer.result.items()}

    async def _call_owner(self, lane: str, asked: Command) -> Answered:
        owner = subjects.owner_of(lane)
        answer = await commands.call(client_of(self.broker), asked, service=owner, within=10.0)
        if not answer.ok:
            raise TimeoutError(f"{owner} could not read {lane}: {answer.error}")
        return answer
