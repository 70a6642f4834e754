"""The service processes of a fault run: started again when they die or stand still, as an orchestrator would."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import httpx
import psutil

from deskstream.cli.environment import environment_of_its_own
from deskstream.cli.faults.lines import LOOPBACK
from deskstream.cli.faults.links import Link
from deskstream.messaging.failpoints import ENVIRONMENT
from deskstream.runtime.embedded.processes import free_port

STOP_WITHIN_S = 30.0
"""A little more than what the services promise."""
BREATH_S = 0.2
LOOK_EVERY_S = 1.0


@dataclass(frozen=True)
class Wanted:
    """A process to keep running: services by name, and what they are told."""

    names: tuple[str, ...]
    told: Mapping[str, str]
    title: str
    link: Link | None = None
    """At whose far end it is to run."""


@dataclass
class Kept:
    """One process that is kept running. `complaints` are promises broken by dying unasked or not stopping, in words."""

    name: str
    services: tuple[str, ...]
    environment: Mapping[str, str]
    health_port: int
    log: Path
    link: Link | None = None
    complaints: list[tuple[str, str]] = field(default_factory=list)
    starts: int = 0
    stood_still: asyncio.Event = field(default_factory=asyncio.Event)
    """It was seen from outside that its event loop did not turn."""
    process: asyncio.subprocess.Process | None = None
    came_to_its_point: asyncio.Event = field(default_factory=asyncio.Event)
    """What was armed has ended, and nobody else has ended it."""
    _armed: str = ""
    _answered: bool = False
    """Whether it has said how it is; before that it may not have come to catching signals."""
    _expected: bool = False
    _signalled: bool = False

    async def keep_running(self) -> None:
        """Until cancelled."""
        while True:
            armed, self._armed = self._armed, ""
            self._expected, self._signalled, self._answered = bool(armed), False, False
            with self.log.open("ab") as output:
                self.process = await asyncio.create_subprocess_exec(
                    *self._inside, sys.executable, "-m", "deskstream.runtime", *self.services,
                    env={**self.environment, ENVIRONMENT: armed},
                    stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
                )  # fmt: skip
            self.starts += 1
            code = await self.process.wait()
            if armed and not self._signalled:
                self.came_to_its_point.set()
            if not self._expected:
                self.complaints.append(("P5", f"{self.name} ended by itself with code {code}"))
            await asyncio.sleep(BREATH_S)

    async def watch(self) -> None:
        """Ends a process whose event loop stands still, until cancelled. One that is paused as a whole says nothing."""
        async with httpx.AsyncClient(timeout=0.5, trust_env=False) as client:
            while True:
                await asyncio.sleep(LOOK_EVERY_S)
                try:
                    answer = await client.get(self.health_url("live"))
                except httpx.HTTPError:
                    continue
                self._answered = True
                if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
                    self.stood_still.set()
                    self.send(signal.SIGKILL)

    def health_url(self, page: str) -> str:
        """Where it says how it is."""
        return f"http://{_host(self.link)}:{self.health_port}/{page}"

    @property
    def _inside(self) -> tuple[str, ...]:
        return self.link.inside if self.link else ()

    def arm(self, failpoint: str) -> None:
        """The next start dies, stops or freezes at this point of its work."""
        self._armed = failpoint
        self.came_to_its_point.clear()

    def excuse(self) -> None:
        """Its death is not unasked, should it die."""
        self._expected = True

    @property
    def running(self) -> psutil.Process | None:
        """The process, while it runs."""
        if self.process is None or self.process.returncode is not None:
            return None
        return psutil.Process(self.process.pid)

    def send(self, number: signal.Signals) -> bool:
        """Sends a signal to the process; False when none runs just now."""
        if self.process is None or self.process.returncode is not None:
            return False
        self._signalled = self._signalled or number in (signal.SIGKILL, signal.SIGTERM)
        self._expected = self._expected or self._signalled
        self.process.send_signal(number)
        return True

    async def stop(self) -> float | None:
        """Asks it to stop and waits; returns the seconds that took, None when none runs just now."""
        process, started = self.process, monotonic()
        if process is None or not self.send(signal.SIGTERM):
            return None
        try:
            async with asyncio.timeout(STOP_WITHIN_S):
                code = await process.wait()
        except TimeoutError:
            self.complaints.append(("P11", f"{self.name} did not stop within {STOP_WITHIN_S:g} s"))
            self.send(signal.SIGKILL)
            code = await process.wait()
        if code not in (0, -signal.SIGKILL) and self._answered:
            self.complaints.append(("P11", f"{self.name} was asked to stop and ended with code {code}"))
        return monotonic() - started


@asynccontextmanager
async def kept_running(wanted: Sequence[Wanted], logs: Path) -> AsyncIterator[list[Kept]]:
    """Each process, kept running until the block is left; then stopped in good order."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(_kept(_prepared(one, logs))) for one in wanted]


def _prepared(wanted: Wanted, logs: Path) -> Kept:
    port = free_port()
    told = {**wanted.told, "DESKSTREAM_HEALTH_HOST": _host(wanted.link), "DESKSTREAM_HEALTH_PORT": str(port)}
    log = logs / f"{wanted.title}.log"
    return Kept(wanted.title, wanted.names, environment_of_its_own(told), port, log, wanted.link)


def _host(link: Link | None) -> str:
    return link.far if link else LOOPBACK


@asynccontextmanager
async def _kept(one: Kept) -> AsyncIterator[Kept]:
    tasks = [asyncio.create_task(one.keep_running()), asyncio.create_task(one.watch())]
    try:
        yield one
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        one.send(signal.SIGCONT)
        await one.stop()
