"""A careful adapter: repeats each publish until the stream acknowledged it, and notes what it was promised."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from time import monotonic

import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError

from deskstream.cli.faults.load import Load, Mail
from deskstream.contracts import subjects

LANES = 16
"""Publishes on their way at a time; a thread always takes the same one."""
PATIENCE_S = 2.0
PAUSE_S = 0.1
CHANNEL, INBOX = "email", "support"


@dataclass
class Published:
    """What the stream acknowledged, and therefore must have its effect once."""

    threads: dict[int, list[str]] = field(default_factory=dict)
    """External ids of each thread's mails in the order of publishing."""
    broken: int = 0
    repeats: int = 0
    """Publishes without an answer, repeated."""

    @property
    def accepted(self) -> set[str]:
        return {external_id for mails in self.threads.values() for external_id in mails}

    def note(self, mail: Mail) -> None:
        """The stream has it."""
        if mail.broken:
            self.broken += 1
        elif not mail.copy:
            self.threads.setdefault(mail.thread, []).append(mail.external_id)


class Publisher:
    """Publishes at a steady rate, whatever happens; what the broker cannot take meanwhile waits in here."""

    def __init__(self, client: Client, load: Load, rate: float) -> None:
        self._stream = client.jetstream()
        self._load = load
        self._rate = rate
        self._lanes = [asyncio.Queue[Mail | None]() for _ in range(LANES)]
        self.published = Published()
        self.given = 0
        self.done = 0
        self._floods = 0
        self._open = asyncio.Event()
        self._open.set()
        self._on_their_way = 0
        self._landed = asyncio.Event()

    @property
    def backlog(self) -> int:
        """Made and not yet acknowledged."""
        return self.given - self.done

    async def run(self, stop: asyncio.Event) -> None:
        """Until told to stop; returns when everything made is acknowledged."""
        async with asyncio.TaskGroup() as group:
            for lane in self._lanes:
                group.create_task(self._work_off(lane))
            await self._give_out(stop)
            for mail in self._load.rest():
                self._give(mail)
            for lane in self._lanes:
                lane.put_nowait(None)

    async def flood(self, copies: int) -> None:
        """One mail so many times at once; returns when each was acknowledged."""
        self._floods += 1
        mail = self._load.single(self._floods)
        self.given += copies
        await asyncio.gather(*(self._insist(mail.body) for _ in range(copies)))
        self.done += copies
        self.published.note(mail)

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Until the block is left nothing is on its way to the broker: what is made meanwhile waits in here."""
        self._open.clear()
        try:
            while self._on_their_way:
                self._landed.clear()
                await self._landed.wait()
            yield
        finally:
            self._open.set()

    async def _give_out(self, stop: asyncio.Event) -> None:
        # By a count of its own: what a flood gave out is no reason to wait.
        started, numbers = monotonic(), count()
        while not stop.is_set():
            # A window is given out whole: what comes again later is a copy of something.
            for mail in self._load.window():
                await _set_within(stop, started + next(numbers) / self._rate - monotonic())
                self._give(mail)

    def _give(self, mail: Mail) -> None:
        self.given += 1
        self._lanes[mail.thread % LANES].put_nowait(mail)

    async def _work_off(self, lane: asyncio.Queue[Mail | None]) -> None:
        while (mail := await lane.get()) is not None:
            await self._insist(mail.body)
            self.published.note(mail)
            self.done += 1

    async def _insist(self, body: bytes) -> None:
        while not await self._publish(body):
            self.published.repeats += 1
            await asyncio.sleep(PAUSE_S)

    async def _publish(self, body: bytes) -> bool:
        # Without a message id: what is repeated is a double that ingest must know by its external id.
        await self._open.wait()
        self._on_their_way += 1
        try:
            await self._stream.publish(subjects.inbound(CHANNEL, INBOX), body, timeout=PATIENCE_S)
        except (NatsError, OSError):
            return False
        finally:
            self._on_their_way -= 1
            self._landed.set()
        return True


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(max(0.0, seconds)):
            await event.wait()


@asynccontextmanager
async def connected(nats_url: str) -> AsyncIterator[Client]:
    """A connection that comes back by itself and says nothing about it."""

    async def ignore(_: Exception) -> None:
        return None

    client = await nats.connect(
        nats_url, max_reconnect_attempts=-1, reconnect_time_wait=0.1, ping_interval=2, error_cb=ignore
    )
    try:
        yield client
    finally:
        await client.close()
