"""All streams as one, in the order in which things were said; of one stream, in the stream's."""

import asyncio
import heapq
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from nats.aio.client import Client
from nats.errors import Error as NatsError

from deskstream.cli.tail.moments import BEGINNING
from deskstream.cli.tail.seen import Seen, read
from deskstream.cli.tail.stream import Arrived, Start, StreamReader

SETTLE_S: Final = 0.05
"""What is said one after the other arrives by several streams: this long a later one may come first."""

BUFFER: Final = 500
"""Messages of one stream that wait for those of the others."""

LOOK_FOR_STREAMS_S: Final = 5.0


@dataclass(order=True, slots=True)
class _Waiting:
    at: datetime
    """When it was said, or later where an earlier one of its stream was: a stream's own order is never changed."""
    stream: str
    sequence: int
    seen: Seen = field(compare=False)
    since: float = field(compare=False)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which streams, from when on, and which subjects of each the broker should send."""

    start: Start
    takes: Callable[[str], bool]
    """Whether a stream of this name is followed."""
    subject_of: Callable[[str], str | None] = lambda stream: None
    """Narrows what the broker sends."""


class Merged:
    """Streams that are made later are followed from their first message on."""

    def __init__(self, client: Client, choice: Choice) -> None:
        self._client = client
        self._choice = choice
        self._readers: dict[str, StreamReader] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._rooms: dict[str, asyncio.Semaphore] = {}
        self._buffered: Counter[str] = Counter()
        self._latest: dict[str, datetime] = {}
        self._heap: list[_Waiting] = []
        self._added: deque[Seen] = deque()
        self._changed = asyncio.Event()
        self._last_news = time.monotonic()

    @property
    def streams(self) -> list[str]:
        """Those followed so far."""
        return sorted(self._readers)

    @property
    def away(self) -> bool:
        """Whether the broker does not answer just now."""
        return not self._client.is_connected or any(reader.away for reader in self._readers.values())

    @property
    def idle_s(self) -> float:
        """For how long everything there was has been handed out, and nothing came."""
        busy = self._heap or self.away or any(reader.behind for reader in self._readers.values())
        return 0.0 if busy else time.monotonic() - self._last_news

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Reads while it is entered."""
        await self._look_for_streams(self._choice.start)
        self._tasks.append(asyncio.create_task(self._keep_looking(), name="look for streams"))
        try:
            yield
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def add(self, seen: Seen) -> None:
        """Something of another source, for the next turn."""
        self._added.append(seen)
        self._changed.set()

    async def next_event(self, within: float) -> Seen | None:
        """The next one; None when there is none within so many seconds."""
        deadline = time.monotonic() + within
        while True:
            self._changed.clear()
            if self._added:
                return self._added.popleft()
            pause = self._pause()
            if pause <= 0:
                return self._pop()
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            try:
                await asyncio.wait_for(self._changed.wait(), min(pause, left))
            except TimeoutError:
                continue

    def _pause(self) -> float:
        """Seconds until the first message may go, as far as one can tell now."""
        if not self._heap:
            return LOOK_FOR_STREAMS_S
        behind = [name for name, reader in self._readers.items() if reader.behind]
        if not behind:
            return self._heap[0].since + SETTLE_S - time.monotonic()
        return 0.0 if all(self._buffered[name] for name in behind) else LOOK_FOR_STREAMS_S

    def _pop(self) -> Seen:
        waiting = heapq.heappop(self._heap)
        self._buffered[waiting.stream] -= 1
        self._rooms[waiting.stream].release()
        self._last_news = time.monotonic()
        return waiting.seen

    async def _push(self, arrived: Arrived) -> None:
        await self._rooms[arrived.stream].acquire()
        seen = read(arrived)
        latest = self._latest[arrived.stream] = max(seen.at, self._latest.get(arrived.stream, seen.at))
        heapq.heappush(self._heap, _Waiting(latest, arrived.stream, arrived.sequence, seen, since=time.monotonic()))
        self._buffered[arrived.stream] += 1
        self._last_news = time.monotonic()
        self._changed.set()

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(LOOK_FOR_STREAMS_S)
            try:
                await self._look_for_streams(Start(BEGINNING))
            except (NatsError, OSError, TimeoutError):
                continue

    async def _look_for_streams(self, start: Start) -> None:
        for info in await self._client.jsm().streams_info():
            name = info.config.name or ""
            if name not in self._readers and self._choice.takes(name):
                self._add(name, start)

    def _add(self, name: str, start: Start) -> None:
        subject = self._choice.subject_of(name)
        reader = StreamReader(self._client, name, start, hand_over=self._push, subject=subject)
        reader.changed = self._changed.set
        self._readers[name] = reader
        self._rooms[name] = asyncio.Semaphore(BUFFER)
        self._tasks.append(asyncio.create_task(reader.run(), name=f"tail {name}"))
