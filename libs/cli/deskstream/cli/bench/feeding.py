"""Full speed: the desk always has a few thousand messages before it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from deskstream.cli.bench.load import Generator
from deskstream.cli.bench.watch import View

BACKLOG = 3000
"""Messages on their way at full speed: enough for full batches, few enough that none waits for seconds."""


@asynccontextmanager
async def feeding(generator: Generator, view: View) -> AsyncIterator[None]:
    """Keeps the backlog full while inside."""
    stop = asyncio.Event()
    task = asyncio.create_task(_feed(generator, view, stop))
    try:
        yield
    finally:
        stop.set()
        await task


async def _feed(generator: Generator, view: View, stop: asyncio.Event) -> None:
    # It looks at the view only as often as keeping the backlog full needs: looking takes time from what is looked at.
    while not stop.is_set():
        for _ in range(100):
            await generator.send()
        while generator.sent - await view.look() > BACKLOG and not stop.is_set():  # noqa: ASYNC110 - it looks at a table
            await asyncio.sleep(0.05)
