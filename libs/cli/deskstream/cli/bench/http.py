"""Asking a desk's HTTP API as an agent's browser does: one connection kept open, each request timed."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from deskstream.cli.bench.running import TOKEN

AGENT: Final = "agent1"
WITHIN_S: Final = 30.0


@dataclass
class Asked:
    """Milliseconds of every request since it was last emptied."""

    client: httpx.AsyncClient
    delays: list[float] = field(default_factory=list)

    async def get(self, path: str, query: Mapping[str, str | int]) -> Any:
        """The answer. Raises RuntimeError when it is a refusal: a bench that measures refusals measures nothing."""
        return await self._call("GET", path, params=dict(query))

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The same for a command."""
        return await self._call("POST", path, json=dict(body))

    async def _call(self, method: str, path: str, **more: Any) -> Any:
        started = time.monotonic()
        answer = await self.client.request(method, path, **more)
        self.delays.append((time.monotonic() - started) * 1000)
        if not answer.is_success:
            raise RuntimeError(f"{method} {path} was answered {answer.status_code}: {answer.text[:300]}")
        return answer.json()


@asynccontextmanager
async def asking(api: str) -> AsyncIterator[Asked]:
    """In an agent's name."""
    headers = {"Authorization": f"Bearer {TOKEN}", "X-Agent": AGENT}
    async with httpx.AsyncClient(base_url=api, headers=headers, timeout=WITHIN_S, trust_env=False) as client:
        yield Asked(client)
