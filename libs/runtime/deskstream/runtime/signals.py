"""SIGTERM and SIGINT: a start that is under way is broken off, what runs is told to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog

log = structlog.get_logger()


class Signals:
    """Heard from construction on, in the task that constructs it."""

    def __init__(self) -> None:
        self.event = asyncio.Event()
        """Set by the first signal."""
        self._starting: asyncio.Task[Any] | None = asyncio.current_task()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._heard)

    def start_is_over(self) -> None:
        """From now on nothing is broken off."""
        self._starting = None

    @asynccontextmanager
    async def may_break_off_the_start(self) -> AsyncIterator[None]:
        """Where a start that a signal broke off comes to its end, as if it had been told to stop."""
        try:
            yield
        except asyncio.CancelledError:
            if not self.event.is_set():
                raise
            log.info("stopped_while_starting")

    def _heard(self) -> None:
        self.event.set()
        if self._starting is not None:
            self._starting.cancel()
            self._starting = None
