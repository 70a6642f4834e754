"""The service processes of a fault run: started again whenever they die, as an orchestrator would."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from deskstream.cli.environment import environment_of_its_own

STOP_WITHIN_S = 30.0
"""A little more than what the services promise."""
START_TAKES_S = 10.0
"""A younger process may not have come to catching signals."""
BREATH_S = 0.2


@dataclass
class Kept:
    """One process that is kept running. `complaints` are promises broken by dying unasked or not stopping, in words."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    complaints: list[tuple[str, str]] = field(default_factory=list)
    starts: int = 0
    process: asyncio.subprocess.Process | None = None
    _since: float = 0.0
    _expected: bool = False

    async def keep_running(self) -> None:
        """Until cancelled."""
        while True:
            with self.log.open("ab") as output:
                self.process = await asyncio.create_subprocess_exec(
                    *self.command, env=self.environment, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output
                )
            self._since, self._expected = monotonic(), False
            self.starts += 1
            code = await self.process.wait()
            if not self._expected:
                self.complaints.append(("P5", f"{self.name} ended by itself with code {code}"))
            await asyncio.sleep(BREATH_S)

    def send(self, number: signal.Signals) -> bool:
        """Sends a signal to the process; False when none runs just now."""
        if self.process is None or self.process.returncode is not None:
            return False
        self._expected = self._expected or number in (signal.SIGKILL, signal.SIGTERM)
        self.process.send_signal(number)
        return True

    async def stop(self) -> float | None:
        """Asks it to stop and waits; returns the seconds that took, None when none runs just now."""
        process, started, age = self.process, monotonic(), monotonic() - self._since
        if process is None or not self.send(signal.SIGTERM):
            return None
        try:
            async with asyncio.timeout(STOP_WITHIN_S):
                code = await process.wait()
        except TimeoutError:
            self.complaints.append(("P11", f"{self.name} did not stop within {STOP_WITHIN_S:g} s"))
            self.send(signal.SIGKILL)
            code = await process.wait()
        if code not in (0, -signal.SIGKILL) and age > START_TAKES_S:
            self.complaints.append(("P11", f"{self.name} was asked to stop and ended with code {code}"))
        return monotonic() - started


@asynccontextmanager
async def kept_running(
    groups: Sequence[Sequence[str]], told: Mapping[str, str], logs: Path
) -> AsyncIterator[list[Kept]]:
    """A process for each group of services, kept running until the block is left; then stopped in good order."""
    environment = environment_of_its_own(told)
    async with AsyncExitStack() as stack:
        kept = []
        for names in groups:
            name = "+".join(names)
            command = [sys.executable, "-m", "deskstream.runtime", *names]
            kept.append(await stack.enter_async_context(_kept(Kept(name, command, environment, logs / f"{name}.log"))))
        yield kept


@asynccontextmanager
async def _kept(one: Kept) -> AsyncIterator[Kept]:
    keeper = asyncio.create_task(one.keep_running())
    try:
        yield one
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
        one.send(signal.SIGCONT)
        await one.stop()
