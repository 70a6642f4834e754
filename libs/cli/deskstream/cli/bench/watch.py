"""Watching the inbox view: when did which message become visible, and how far behind is it."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Mapping

import asyncpg

_COUNT = """
SELECT count(*) AS seen, coalesce(max(id), $1) AS last
FROM gateway.feed
WHERE id > $1 AND event IN ('conversation_opened', 'customer_replied')
"""

_ROWS = """
SELECT id, body
FROM gateway.feed
WHERE id > $1 AND event IN ('conversation_opened', 'customer_replied')
ORDER BY id
"""

POLL_S = 0.002
SETTLES_S = 3.0
"""Of a pace before its delays are measured: whoever is last in line is still busy with the pace before."""
BUSY_POLL_S = 0.02
"""Under load looking must not take the place of what is looked at."""


class View:
    """Reads the gateway's feed, which is written in the transaction that changes the inbox view."""

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        self._connection = connection
        self._one_at_a_time = asyncio.Lock()
        self._last = 0
        self.visible = 0

    @classmethod
    async def from_here(cls, connection: asyncpg.Connection[asyncpg.Record]) -> View:
        """A view that counts only what becomes visible from now on."""
        view = cls(connection)
        await view.look()
        view.visible = 0
        return view

    async def look(self) -> int:
        """Counts what became visible since the last look; returns all so far."""
        async with self._one_at_a_time:
            row = await self._connection.fetchrow(_COUNT, self._last)
            assert row is not None
            self.visible += row["seen"]
            self._last = row["last"]
            return self.visible

    async def until(self, count: int, within: float) -> None:
        """Returns when `count` messages are visible. Raises TimeoutError."""
        deadline = time.monotonic() + within
        while await self.look() < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"only {self.visible} of {count} messages became visible within {within:g} s")
            await asyncio.sleep(0.02)

    async def until_none(self, counting: str, within: float) -> None:
        """Returns when this statement counts nothing. Raises TimeoutError."""
        deadline = time.monotonic() + within
        while left := await self._connection.fetchval(counting):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{left} conversations were not done with within {within:g} s")
            await asyncio.sleep(0.05)

    async def delays(
        self, sent_at: Mapping[int, float], done: asyncio.Event, *, every: float, within: float
    ) -> list[float]:
        """Milliseconds from publishing to visible of each message; looks every so many seconds until all are there."""
        delays: list[float] = []
        deadline = time.monotonic() + within
        while not (done.is_set() and len(delays) >= len(sent_at)):
            rows = await self._connection.fetch(_ROWS, self._last)
            now = time.monotonic()
            for row in rows:
                self._last = row["id"]
                self.visible += 1
                started = sent_at.get(_number(row["body"]))
                if started is not None:
                    delays.append((now - started) * 1000)
            if now > deadline:
                raise TimeoutError(f"only {len(delays)} of {len(sent_at)} messages became visible")
            await asyncio.sleep(every)
        return delays


async def written() -> None:
    """What went before is on the disk: commits that are measured from now on do not wait for its writing."""
    await asyncio.to_thread(os.sync)


def _number(body: str) -> int:
    external_id = json.loads(body)["message"]["external_id"]
    return int(external_id.partition("@")[0].rpartition("-")[2])


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
