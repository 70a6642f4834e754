"""What a service hears: one pull loop a lane, and beside it whatever of the lane no stream will bring."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from enum import StrEnum
from time import monotonic
from typing import Any, Final

import asyncpg
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from deskstream.contracts import subjects
from deskstream.messaging.accounts import api_of
from deskstream.messaging.arrival import ArrivalOrder
from deskstream.messaging.declare import Declaration
from deskstream.messaging.ending import end
from deskstream.messaging.fates import DATABASE_UNWELL, is_transient
from deskstream.messaging.item import from_stream
from deskstream.messaging.pausing import woken
from deskstream.messaging.provisioned import stream_info
from deskstream.messaging.pulling import Puller
from deskstream.messaging.reading import NotRead, TakeUp
from deskstream.messaging.runner import Runner
from deskstream.messaging.topology import stream_of
from deskstream.messaging.waking import BACKLOG

BEGINNING: Final = "beginning"
NOW: Final = "now"
LOOK_EVERY_S: Final = 15.0
AGAIN_S: Final = 0.5
TELL_EVERY_S: Final = 60.0
HISTORY: Final = 10**12
ANSWER_WITHIN_S: Final = 5.0

_PLACE: Final = "SELECT whole, durable, heard_to FROM lanes_heard WHERE lane = $1"

_HEARD_TO: Final = "UPDATE lanes_heard SET heard_to = $2 WHERE lane = $1 AND heard_to <> $2"

log = structlog.get_logger()

_LATE: Final = (*DATABASE_UNWELL, NotRead, NatsError)


class Plan(StrEnum):
    """What has to be done before, or beside, hearing the stream."""

    NOTHING = "nothing"
    BEGIN_NOW = "begin_now"
    READ_ALL = "read_all"
    CATCH_UP = "catch_up"


@dataclass(frozen=True, slots=True)
class Place:
    """How far a durable is, as the broker says. `created` tells it from an earlier one of its name."""

    created: str
    heard_to: int
    """All before and at this position of the stream is acknowledged, or dropped."""


class Hearing:
    """Hears a service's lanes while it is started. `ended` hears of every task that ends."""

    def __init__(
        self,
        declaration: Declaration,
        runner: Runner,
        pool: "asyncpg.Pool[asyncpg.Record]",
        client: Callable[[], Client],
        *,
        take_up: TakeUp,
        ended: Callable[["asyncio.Task[None]"], None],
    ) -> None:
        self._declaration = declaration
        self._runner = runner
        self._pool = pool
        self._client = client
        self._take_up = take_up
        self._ended = ended
        self._arrival: ArrivalOrder | None = None
        self._pullers: dict[str, Puller] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._looked_again = asyncio.Event()
        self._unseen = set[str]()
        """Lanes that could not be looked at the last time."""

    async def start(self) -> None:
        """Pulls every lane; takes up first what is newly heard."""
        for lane in self._declaration.hears:
            await self._begin(lane)
        self._spawn("watch", self._watch())

    async def stop(self) -> None:
        """Hears no more; what was handed over already is the runner's."""
        await end(self._tasks.values())
        self._tasks.clear()
        for puller in self._pullers.values():
            await puller.stop()
        self._pullers.clear()
        if self._arrival is not None:
            await self._arrival.stop()
            self._arrival = None

    def room_again(self) -> None:
        """The inbox has room."""
        for puller in self._pullers.values():
            puller.room_again()

    def reconnected(self) -> None:
        """The server knows none of our requests, and may have another store."""
        for puller in self._pullers.values():
            puller.rearm()
        self._looked_again.set()

    def behind(self) -> int | None:
        """How many events are on their way; None while that is not known. A history that is read is very many."""
        if not self._declaration.exclusive and len(self._pullers) < len(self._declaration.hears):
            return HISTORY - self._take_up.read
        backlogs = [puller.backlog for puller in self._pullers.values()]
        if any(backlog is None for backlog in backlogs):
            return None
        return max([self._runner.backlog, *(backlog or 0 for backlog in backlogs)])

    async def _begin(self, lane: str) -> None:
        match await self._plan(lane):
            case Plan.NOTHING:
                await self._pull(lane)
            case Plan.CATCH_UP:
                await self._pull(lane)
                self._spawn(f"catch up {lane}", self._patiently(lane, self._catch_up))
            case Plan.BEGIN_NOW:
                self._spawn(f"begin {lane}", self._patiently(lane, self._begin_now))
            case Plan.READ_ALL:
                self._spawn(f"read {lane}", self._patiently(lane, self._read_all))

    async def _plan(self, lane: str) -> Plan:
        """A stream keeps days, a journal all. Whoever hears a lane the first time, or lost its place in the stream,
        may lack what the stream has not."""
        if lane == subjects.INBOUND:
            return Plan.NOTHING
        stream = await stream_info(self._client(), stream_of(lane), service=self._declaration.name)
        durable = await self._place(lane)
        known = await self._pool.fetchrow(_PLACE, lane)
        if not durable.created:
            return Plan.NOTHING
        if known is None:
            since = self._declaration.since.get(lane)
            if since == NOW:
                return Plan.BEGIN_NOW
            return Plan.READ_ALL if since == BEGINNING or stream.state.first_seq > 1 else Plan.CATCH_UP
        if not known["whole"]:
            return Plan.READ_ALL
        if known["durable"] != durable.created or stream.state.first_seq > known["heard_to"] + 1:
            return Plan.CATCH_UP
        await self._pool.execute(_HEARD_TO, lane, durable.heard_to)
        return Plan.NOTHING

    async def _place(self, lane: str) -> Place:
        """`created` is empty when there is no such durable."""
        subject = f"{api_of(self._client())}.CONSUMER.INFO.{stream_of(lane)}.{self._declaration.name}"
        about: dict[str, Any] = json.loads((await self._client().request(subject, b"", timeout=ANSWER_WITHIN_S)).data)
        if "created" not in about:
            return Place("", 0)
        return Place(about["created"], about["ack_floor"]["stream_seq"])

    async def _begin_now(self, lane: str) -> None:
        place = await self._place(lane)
        await self._take_up.begin_now(lane, place.created)
        await self._pull(lane)

    async def _read_all(self, lane: str) -> None:
        place = await self._place(lane)
        await self._take_up.read_all(lane, place.created)
        await self._pool.execute(_HEARD_TO, lane, place.heard_to)
        await self._pull(lane)

    async def _catch_up(self, lane: str) -> None:
        place = await self._place(lane)
        # What the stream has it brings faster.
        while (behind := self.behind()) is None or behind > BACKLOG:  # noqa: ASYNC110 - it looks at counters
            await asyncio.sleep(AGAIN_S)
        await self._take_up.catch_up(lane, place.created)
        await self._pool.execute(_HEARD_TO, lane, place.heard_to)

    async def _patiently(self, lane: str, work: Callable[[str], Coroutine[Any, Any, None]]) -> None:
        await taken_up(self._declaration.name, lane, work)

    async def _watch(self) -> None:
        """A durable that was made anew, or fell behind what its stream keeps, has left something out."""
        while True:
            await woken(self._looked_again, within=LOOK_EVERY_S)
            for lane in self._declaration.hears:
                await self._look_again(lane)

    async def _look_again(self, lane: str) -> None:
        name = f"catch up {lane}"
        busy = name in self._tasks and not self._tasks[name].done()
        try:
            if lane in self._pullers and not busy and await self._plan(lane) is Plan.CATCH_UP:
                self._spawn(name, self._patiently(lane, self._catch_up))
        except Exception as error:
            if not is_transient(error):
                raise
            # Once, until it could be looked at again.
            if lane not in self._unseen:
                log.warning("lane_not_looked_at", service=self._declaration.name, lane=lane, reason=repr(error)[:300])
            self._unseen.add(lane)
        else:
            self._unseen.discard(lane)

    async def _pull(self, lane: str) -> None:
        client, stream = self._client(), stream_of(lane)
        hand_over, has_room = self._hand_over, self._runner.has_room
        if lane == subjects.INBOUND:
            self._arrival = ArrivalOrder(stream, self._declaration.name, self._runner)
            hand_over, has_room = self._arrival.hand_over, self._arrival.has_room
            await self._arrival.start(client, self._ended)
        puller = self._pullers[lane] = Puller(stream, self._declaration.name, hand_over, has_room)
        await puller.start(client)

    def _hand_over(self, message: Msg) -> None:
        self._runner.offer(from_stream(message.subject, message.data, message.headers, message.reply))

    def _spawn(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=f"{self._declaration.name} {name}")
        task.add_done_callback(self._ended)
        self._tasks[name] = task


async def taken_up(service: str, lane: str, work: Callable[[str], Coroutine[Any, Any, None]]) -> None:
    """Does the work, again and again until it succeeds: the lane's owner may only just be starting, or a server be."""
    told = -TELL_EVERY_S
    while True:
        try:
            await work(lane)
            return
        except _LATE as error:
            if monotonic() - told > TELL_EVERY_S:
                told, reason = monotonic(), str(error) or repr(error)
                log.warning("lane_not_taken_up_yet", service=service, lane=lane, reason=reason)
            await asyncio.sleep(AGAIN_S)
