"""What a message's CPU time is made of, handling by handling: each service in a process of its own, at full speed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import asyncpg

from deskstream.cli.bench.counts import Counts, counted
from deskstream.cli.bench.feeding import feeding
from deskstream.cli.bench.load import Generator, Mix
from deskstream.cli.bench.running import Bench
from deskstream.cli.bench.usage import Usage, seconds_of, usage_of
from deskstream.cli.bench.watch import View

WARM_UP_S = 3.0

_SESSIONS = """
SELECT pid, application_name
FROM pg_stat_activity
WHERE application_name LIKE 'deskstream-%'
"""


async def made_of(bench: Bench, mix: Mix, seconds: float) -> list[dict[str, Any]]:
    """One row a service: handlings a message, CPU microseconds a handling in Python and in the database, and what that
    makes a message in milliseconds; then the broker's share, and the database's that no session of a service had."""
    generator, view = Generator(bench.client, mix), await View.from_here(bench.database)
    await generator.start()
    await generator.send()
    await view.until(1, 60)
    # A connection of its own: the feeding looks at the view by the other.
    asking = await asyncpg.connect(bench.addresses.postgres_url)
    async with feeding(generator, view):
        await asyncio.sleep(WARM_UP_S)
        counts, visible = await counted(bench.client), await view.look()
        used, sessions = usage_of(bench.trees), await _sessions(asking)
        await asyncio.sleep(seconds)
        messages = max(await view.look() - visible, 1)
        used, sessions = usage_of(bench.trees).since(used), (await _sessions(asking)).since(sessions)
        counts = (await counted(bench.client)).since(counts)
    await asking.close()
    return shares(used, sessions, counts, messages)


async def _sessions(asking: asyncpg.Connection[asyncpg.Record]) -> Usage:
    """CPU seconds of the services' sessions in the database, by service."""
    spent: dict[str, float] = {}
    for pid, name in await asking.fetch(_SESSIONS):
        service = name.removeprefix("deskstream-")
        spent[service] = spent.get(service, 0.0) + seconds_of(pid)
    return Usage(spent)


def shares(used: Usage, sessions: Usage, counts: Counts, messages: int) -> list[dict[str, Any]]:
    """The rows of the report, the services first."""
    rows = [
        _row(name, seconds, sessions.seconds.get(name, 0.0), counts.handlings[name], messages)
        for name, seconds in used.seconds.items()
        if name not in ("nats", "postgres")
    ]
    beside = {"nats": used.seconds["nats"], "postgres, beside the sessions": _beside(used.seconds, sessions)}
    rest = [{"who": who, "ms_per_message": round(spent * 1000 / messages, 3)} for who, spent in beside.items()]
    return rows + rest


def _beside(used: Mapping[str, float], sessions: Usage) -> float:
    return max(0.0, used["postgres"] - sessions.total)


def _row(service: str, python: float, database: float, handlings: int, messages: int) -> dict[str, Any]:
    row = {"who": service, "ms_per_message": round((python + database) * 1000 / messages, 3)}
    if handlings < messages / 100:
        return row  # it only stands ready: a cost per handling would say nothing
    return row | {
        "handlings_per_message": round(handlings / messages, 2),
        "python_us_per_handling": round(python * 1e6 / handlings),
        "database_us_per_handling": round(database * 1e6 / handlings),
    }
