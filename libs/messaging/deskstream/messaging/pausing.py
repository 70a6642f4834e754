"""Pauses that end early when somebody has news, and that no two services keep in step."""

import asyncio
import random
from typing import Final

EARLIEST: Final = 0.5
"""The part of a pause after which it may be over."""


async def woken(event: asyncio.Event, *, within: float) -> None:
    """Waits until the event is set, at most `within` seconds and often less; clears it.

    What was started together would otherwise look at everything at the same moment for ever, and who is served in that
    moment would wait for all of them.
    """
    try:
        async with asyncio.timeout(within * random.uniform(EARLIEST, 1.0)):
            await event.wait()
    except TimeoutError:
        pass
    # Not before it has waited: who sets it while the waiter works would be forgotten.
    event.clear()
