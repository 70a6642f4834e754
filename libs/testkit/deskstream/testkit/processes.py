"""Service processes that a test starts, kills and starts again."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from deskstream.messaging.failpoints import ENVIRONMENT

_STDERR: Final = 2
"""What such a process logs never mixes with what the one that keeps it says on stdout."""


@dataclass
class Supervised:
    """One process that is started again whenever it dies, as an orchestrator would."""

    command: Sequence[str]
    failpoint: str = ""
    """Armed for the first start only."""
    told: Mapping[str, str] = field(default_factory=dict)
    """Variables beside the environment's."""
    deaths: list[int] = field(default_factory=list)
    process: asyncio.subprocess.Process | None = None

    async def keep_running(self) -> None:
        """Until cancelled."""
        failpoint = self.failpoint
        while True:
            environment = {**os.environ, **self.told, **({ENVIRONMENT: failpoint} if failpoint else {})}
            self.process = await asyncio.create_subprocess_exec(*self.command, env=environment, stdout=_STDERR)
            self.deaths.append(await self.process.wait())
            failpoint = ""

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Sends a signal to the running process, if one runs."""
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(number)


@asynccontextmanager
async def supervised(
    module: str, *arguments: str, failpoint: str = "", told: Mapping[str, str] | None = None
) -> AsyncIterator[Supervised]:
    """`python -m module arguments…`, kept running until the block is left."""
    watched = Supervised([sys.executable, "-m", module, *arguments], failpoint, told or {})
    keeper = asyncio.create_task(watched.keep_running())
    try:
        yield watched
    finally:
        keeper.cancel()
        watched.kill(signal.SIGTERM)
        if watched.process is not None:
            await watched.process.wait()
