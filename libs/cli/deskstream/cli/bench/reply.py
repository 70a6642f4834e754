"""`deskstream bench reply`: an agent's reply by HTTP, posted to answered, while every service runs."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from deskstream.cli.bench.http import Asked, asking
from deskstream.cli.bench.pipeline import ready
from deskstream.cli.bench.raw import measure_raw
from deskstream.cli.bench.repeating import Progress
from deskstream.cli.bench.running import Bench, furnish, running
from deskstream.cli.bench.servers import servers_of_its_own
from deskstream.cli.bench.usage import usage_of
from deskstream.cli.bench.watch import percentile, written

TEXT = "Hello, thank you for writing. We found what stops the export at 40 %, and mend it today. " * 3
WARM_UP = 20
"""Replies before those that count."""
SETTLED_S = 2.0

_CONVERSATIONS = """
SELECT number, (facts::json ->> 'version')::bigint AS version
FROM gateway.inbox
WHERE stage = 'new'
ORDER BY number
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """Replies a second for so many seconds, on a desk that got so many mails."""

    rate: float = 20.0
    seconds: float = 15.0
    mails: int = 5000

    @property
    def about_s(self) -> float:
        """How long it takes, starts and stops included."""
        return 25 + self.seconds + self.mails / 500


async def bench_reply(plan: Plan, progress: Progress) -> dict[str, Any]:
    """Milliseconds until a reply is answered, at an even pace; each to a conversation that nobody answered yet."""
    with servers_of_its_own() as (addresses, pids):
        progress("measuring what the machine gives")
        raw = await measure_raw(addresses.nats_url, addresses.postgres_url, pids)
        async with running(addresses, pids) as bench:
            await furnish(bench)
            progress(f"{plan.mails:,} mails arrive")
            await _fill(bench, plan.mails)
            progress(f"{plan.rate:g} replies a second for {plan.seconds:g} s")
            async with asking(bench.api) as asked:
                figures = await _answered(plan, bench, asked)
    return {**figures, "cores": os.cpu_count(), "raw": raw.as_json()}


async def _fill(bench: Bench, mails: int) -> None:
    generator, view = await ready(bench)
    for _ in range(mails):
        await generator.send()
    await view.until(generator.sent, 300)
    await written()
    await asyncio.sleep(SETTLED_S)


async def _answered(plan: Plan, bench: Bench, asked: Asked) -> dict[str, Any]:
    waiting: Sequence[asyncpg.Record] = await bench.database.fetch(_CONVERSATIONS)
    wanted = min(int(plan.rate * plan.seconds), len(waiting) - WARM_UP)
    for one in waiting[:WARM_UP]:
        await _reply(asked, one)
    asked.delays.clear()
    used = usage_of(bench.trees)
    tasks, started = list[asyncio.Task[None]](), time.monotonic()
    for number, one in enumerate(waiting[WARM_UP : WARM_UP + wanted]):
        await asyncio.sleep(max(0.0, started + number / plan.rate - time.monotonic()))
        tasks.append(asyncio.create_task(_reply(asked, one)))
    await asyncio.gather(*tasks)
    used = usage_of(bench.trees).since(used)
    return {
        "p50_ms": round(percentile(asked.delays, 0.5), 2),
        "p99_ms": round(percentile(asked.delays, 0.99), 2),
        "cpu_ms_per_reply": round(used.total * 1000 / wanted, 3),
        "replies": wanted,
        "conversations": len(waiting),
    }


async def _reply(asked: Asked, to: asyncpg.Record) -> None:
    body = {"text": TEXT, "last_seen": to["version"]}
    await asked.post(f"/api/conversations/CONV-{to['number']}/replies", body)
