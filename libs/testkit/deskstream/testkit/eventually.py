"""Waiting for a condition instead of sleeping."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import TypeVar

Result = TypeVar("Result")

_PAUSE = 0.01


async def eventually(
    condition: Callable[[], Awaitable[Result] | Result], *, within: float = 5.0, what: str = "the condition"
) -> Result:
    """Ask until the condition answers with something true, and return that.

    An AssertionError in it means "not yet". Raises AssertionError with the last answer after `within` seconds.
    """
    deadline = time.monotonic() + within
    while True:
        try:
            answer = condition()
            result = await answer if isawaitable(answer) else answer
            if result:
                return result
            last = f"it answered {result!r}"
        except AssertionError as error:
            last = str(error)
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {within} s; last: {last}")
        await asyncio.sleep(_PAUSE)
