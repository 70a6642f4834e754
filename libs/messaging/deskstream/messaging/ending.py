"""Ending tasks for sure."""

import asyncio
from collections.abc import Iterable
from typing import Final

AGAIN_S: Final = 0.2


async def end(tasks: Iterable["asyncio.Task[None]"]) -> None:
    """Returns when all have ended; what they raised is not told.

    Python 3.11's `wait_for`, which the NATS client awaits its answers with, swallows a cancellation that comes together
    with the answer: a loop that asks again and again would live on, so it is cancelled again and again.
    """
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=AGAIN_S)
