"""A running service: a FastStream application around the runner, its pull loops and its sweepers."""

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from time import monotonic
from typing import Any, Final

import asyncpg
import structlog
from faststream import FastStream
from nats.errors import ConnectionReconnectingError

from deskstream.contracts import Answered, Command, subjects
from deskstream.contracts.health import HealthRead
from deskstream.contracts.journal import JournalPage, ReadHeads, ReadJournal
from deskstream.messaging import commands
from deskstream.messaging.accounts import learn_account
from deskstream.messaging.backlog import Backlog, Look, backlog_of, lags_of, told
from deskstream.messaging.batch import Batch, Done
from deskstream.messaging.connection import Reach, Wish, client_of, denied_subject, make_broker, read_any_frame
from deskstream.messaging.declare import Declaration, Figure, RequestKey, Service
from deskstream.messaging.ending import end
from deskstream.messaging.failpoints import FailPoints
from deskstream.messaging.figures import Figures
from deskstream.messaging.guarding import Guard
from deskstream.messaging.hearing import Hearing
from deskstream.messaging.publishing import Publisher
from deskstream.messaging.readiness import PROBE_WITHIN_S, Readiness
from deskstream.messaging.reading import NotRead, TakeUp
from deskstream.messaging.recovered import Recovered
from deskstream.messaging.runner import Runner
from deskstream.messaging.sending import Sender
from deskstream.messaging.standby import Standby
from deskstream.messaging.sweeping import Sweeper
from deskstream.messaging.tracing import Tracer
from deskstream.messaging.turn import Turn
from deskstream.messaging.waking import Waker
from deskstream.messaging.wiring import wiring_of

HEALTH_KEPT_S: Final = 1.0

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
        self.publisher.turn = Turn(needed=any(lane.startswith(subjects.INBOUND) for lane in declaration.says))
        recovered = Recovered()
        batch = Batch(self._wiring, points, clock_offset, tracer, recovered)
        self.runner = Runner(batch, pool, self.publisher, points)
        self._desk = commands.CommandDesk(self._wiring, self.runner, pool)
        self._desk.read_health = self._read_health
        self._examining = asyncio.Lock()
        self._health = (-HEALTH_KEPT_S, HealthRead())
        self._wish = Wish()
        self._readiness = Readiness(declaration, pool, lambda: client_of(self.broker))
        self._wish.complained = self._complained
        self.broker = make_broker(self.name, reach, self._reconnected, self._wish)
        self.app = FastStream(self.broker, logger=None)
        self.sweeper = Sweeper(self.runner, pool, self.publisher, self._read_page, clock_offset=clock_offset)
        self._guard = Guard(
            declaration, pool, lambda: client_of(self.broker), recovered=recovered, write_marks=self.sweeper.write_marks
        )
        self._hearing = Hearing(
            declaration, self.runner, pool, lambda: client_of(self.broker), ended=self._ended,
            take_up=TakeUp(self.runner, pool, self._read_page, self._read_heads),
        )  # fmt: skip
        self._waker = Waker(self.runner, pool, clock_offset, self._hearing.behind)
        self.runner.listeners += [self._waker, self]
        self._sender: Sender | None = None
        self._running: asyncio.Task[None] | None = None
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
        read_any_frame(client)
        await learn_account(client, self.name)
        self.runner.broker.connect(client)
        await self.publisher.start(client)
        self._running = self._watched("runner", self.runner.run())
        if await self._guard.may_start():
            await self._work()
        else:
            self._desk.held_back = True
            self._spawn("held back", self._work_once_mended())

    async def _work_once_mended(self) -> None:
        await self._guard.until_mended()
        self._desk.held_back = False
        await self._work()

    async def _work(self) -> None:
        self._spawn("guard", self._guard.run())
        self._spawn("sweeper", self.sweeper.run())
        self._spawn("waker", self._waker.run())
        self._start_sender()
        if self.declaration.exclusive:
            self._spawn("standby", Standby(self.pool, self._hearing.start, self._hearing.stop).run())
        else:
            await self._hearing.start()
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
        await end(self._tasks)
        await self._hearing.stop()
        left = self.runner.finish()
        if self._running is not None:
            await asyncio.gather(self._running, return_exceptions=True)
            await self.runner.broker.hand_back(left)
            await self.publisher.room(1)
            await self.sweeper.write_marks()
        self._wish.to_stop = True
        try:
            await self.app.stop()
        except ConnectionReconnectingError:
            # There is no broker to say goodbye to.
            await client_of(self.broker).close()

    async def problem(self) -> str | None:
        """What keeps this service from being ready: a write, a publish and its own backlog must be fine."""
        return self._guard.problem() or await self._readiness.problem()

    async def _read_health(self) -> HealthRead:
        """Finding it out writes and publishes: nobody may make us do that more often, however many ask."""
        async with self._examining:
            if monotonic() - self._health[0] > HEALTH_KEPT_S:
                self._health = monotonic(), await self._find_health()
            return self._health[1]

    async def _find_health(self) -> HealthRead:
        handled = dict[str, dict[str, int]]()
        for (lane, fate), count in self.figures.handled.items():
            handled.setdefault(lane, {})[fate] = count
        return HealthRead(problem=await self.problem(), handled=handled)

    async def look(self) -> Look:
        """What waits for it, and what it counts itself."""
        within = PROBE_WITHIN_S
        return Look(
            backlog=await told(self._backlog(), within),
            lags=await told(lags_of(client_of(self.broker), self.declaration), within),
            own=await told(self._own_figures(), within),
        )

    async def _backlog(self) -> Backlog:
        async with self.pool.acquire(timeout=PROBE_WITHIN_S) as tx:
            return await backlog_of(tx, self._clock_offset)

    async def _own_figures(self) -> Sequence[Figure]:
        if self._service.figures is None:
            return ()
        async with self.pool.acquire(timeout=PROBE_WITHIN_S) as tx:
            return await self._service.figures(tx)

    @property
    def figures(self) -> Figures:
        """What it has done since it started."""
        return self.runner.telling.figures

    async def ask(self, message: Any, *, idempotency_key: str, actor: str | None = None) -> Answered:
        """Runs a message of this service's own through its runner."""
        body = repr(message).encode()
        answer = await self._desk.ask(message, idempotency_key=idempotency_key, actor=actor, body=body)
        return Answered.model_validate_json(answer)

    async def call(
        self,
        command: Command,
        *,
        idempotency_key: str | RequestKey | None = None,
        actor: str | None = None,
    ) -> Answered:
        """Asks another service."""
        return await commands.call(client_of(self.broker), command, idempotency_key=idempotency_key, actor=actor)

    def batch_done(self, done: Done) -> None:
        """The inbox has room again."""
        self._hearing.room_again()

    def _complained(self, error: Exception) -> None:
        self._readiness.heard(error)
        if denied_subject(error):
            self.figures.denied += 1

    async def _reconnected(self) -> None:
        await learn_account(client_of(self.broker), self.name)
        self._hearing.reconnected()
        self._guard.reconnected()

    def _spawn(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(self._watched(name, work))

    def _watched(self, name: str, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work, name=f"{self.name} {name}")
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[None]") -> None:
        """A loop that dies takes the process with it: a service that only looks alive is worse."""
        if task.cancelled() or (error := task.exception()) is None:
            return
        log.error("loop_died", service=self.name, loop=task.get_name(), reason=repr(error), exc_info=error)
        if self.failed is not None and not self.failed.done():
            self.failed.set_exception(error)

    async def _read_page(self, lane: str, asked: ReadJournal) -> JournalPage:
        answer = await self._call_owner(lane, asked)
        return JournalPage.model_validate(answer.result)

    async def _read_heads(self, lane: str, asked: ReadHeads) -> dict[str, int]:
        answer = await self._call_owner(lane, asked)
        return {key: int(seq) for key, seq in answer.result.items()}

    async def _call_owner(self, lane: str, asked: Command) -> Answered:
        owner = subjects.owner_of(lane)
        answer = await commands.call(client_of(self.broker), asked, service=owner, within=10.0)
        if answer.error:
            raise NotRead(f"{owner} refuses to read {lane}: {answer.error.code}: {answer.error.sentence}")
        return answer
