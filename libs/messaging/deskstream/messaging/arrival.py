"""The order of what adapters published: the stream's own, whatever order the broker delivers in after a crash.

Inbound messages have no sequence of ours that would tell. So the one reader of the inbound stream keeps the stream's:
what is missing before a delivered message is fetched from the stream itself, and its later redelivery is a repetition.
"""

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from deskstream.messaging.accounts import api_of, manager_of
from deskstream.messaging.ending import end
from deskstream.messaging.item import Item, fetched_from_stream, from_stream, stream_sequence_of
from deskstream.messaging.runner import Runner
from deskstream.messaging.suspects import SUSPICIOUS_DELIVERIES

AT_ONCE: Final = 50
RETRY_S: Final = 0.5
LIMIT: Final = 1000

log = structlog.get_logger()


class ArrivalOrder:
    """Stands between the pull loop of an exclusive reader and its runner."""

    def __init__(self, stream: str, durable: str, runner: Runner) -> None:
        self._stream = stream
        self._durable = durable
        self._runner = runner
        self._arrived: deque[Item] = deque()
        self._wake = asyncio.Event()
        self._next = 1
        self._client: Client | None = None
        self._task: asyncio.Task[None] | None = None

    def hand_over(self, message: Msg) -> None:
        """Takes one delivery."""
        self._arrived.append(from_stream(message.subject, message.data, message.headers, message.reply))
        self._wake.set()

    def has_room(self) -> bool:
        """Whether more should be pulled."""
        return self._runner.has_room() and len(self._arrived) < LIMIT

    async def start(self, client: Client, ended: Callable[["asyncio.Task[None]"], None]) -> None:
        """Goes on behind the last message that everything before was acknowledged of."""
        self._client = client
        self._task = asyncio.create_task(self._run(), name=f"arrival order of {self._stream}")
        self._task.add_done_callback(ended)

    async def stop(self) -> None:
        """Hands on no more."""
        if self._task is not None:
            await end([self._task])
            self._task = None

    async def _run(self) -> None:
        await self._patiently(self._begin)
        while True:
            while self._arrived:
                item = self._arrived.popleft()
                if item.delivered == 1:
                    # Never given to anybody, and yet behind us: the stream was made anew, or put back.
                    self._next = min(self._next, stream_sequence_of(item))
                await self._before(stream_sequence_of(item))
                self._runner.offer(item)
            self._wake.clear()
            await self._wake.wait()

    async def _begin(self) -> None:
        """What a predecessor had pulled and not acknowledged: one of these may be what killed it, so each is handled
        alone, its try counted before."""
        assert self._client is not None
        info = await manager_of(self._client).consumer_info(self._stream, self._durable)
        assert info.ack_floor is not None
        assert info.delivered is not None
        self._next = info.ack_floor.stream_seq + 1
        for item in await self._fetch(range(self._next, info.delivered.stream_seq + 1)):
            item.delivered = SUSPICIOUS_DELIVERIES + 1
            self._runner.offer(item)
        self._next = max(self._next, info.delivered.stream_seq + 1)

    async def _before(self, sequence: int) -> None:
        while self._next < sequence:
            wanted = range(self._next, min(sequence, self._next + LIMIT))
            await self._patiently(partial(self._offer_fetched, wanted))
            self._next = wanted.stop
        self._next = max(self._next, sequence + 1)

    async def _offer_fetched(self, wanted: range) -> None:
        for item in await self._fetch(wanted):
            self._runner.offer(item)

    async def _fetch(self, wanted: range) -> list[Item]:
        found = list[Item]()
        for start in range(wanted.start, wanted.stop, AT_ONCE):
            sequences = range(start, min(wanted.stop, start + AT_ONCE))
            found += [item for item in await asyncio.gather(*map(self._one, sequences)) if item]
        return found

    async def _one(self, sequence: int) -> Item | None:
        """A stored message; None when it is no longer there."""
        assert self._client is not None
        asked = json.dumps({"seq": sequence}).encode()
        answer = await self._client.request(f"{api_of(self._client)}.DIRECT.GET.{self._stream}", asked, timeout=5)
        headers = answer.headers or {}
        if headers.get("Status") == "404":
            return None
        if "Nats-Subject" not in headers:
            raise NatsError(f"{self._stream} did not give message {sequence}: {headers}")
        stored = nanoseconds_of(headers["Nats-Time-Stamp"])
        return fetched_from_stream(self._stream, headers["Nats-Subject"], answer.data, sequence, stored)

    async def _patiently(self, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
                return
            except (NatsError, TimeoutError, OSError) as error:
                log.warning("arrival_order_waits", stream=self._stream, reason=repr(error)[:300])
                await asyncio.sleep(RETRY_S)


def nanoseconds_of(moment: str) -> int:
    """A moment as the server writes it (RFC 3339, up to nine decimals, UTC) in nanoseconds since 1970."""
    seconds, _, fraction = moment.removesuffix("Z").partition(".")
    whole = datetime.fromisoformat(seconds).replace(tzinfo=UTC)
    return int(whole.timestamp()) * 1_000_000_000 + int(fraction.ljust(9, "0") or 0)
