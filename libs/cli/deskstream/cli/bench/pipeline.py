"""`deskstream bench pipeline`: mails published to visible in the inbox view, at full speed and at rest."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deskstream.cli.bench.counts import counted
from deskstream.cli.bench.feeding import feeding
from deskstream.cli.bench.load import Generator, Mix
from deskstream.cli.bench.raw import Raw, measure_raw
from deskstream.cli.bench.running import Bench, furnish, one_each, running
from deskstream.cli.bench.shares import made_of
from deskstream.cli.bench.usage import memory_mb, usage_of
from deskstream.cli.bench.watch import BUSY_POLL_S, POLL_S, View, percentile
from deskstream.runtime.embedded.servers import Addresses, EmbeddedServers

WARM_UP_S = 5.0

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How long and how hard. Rates are messages a second."""

    seconds: float = 60.0
    calm_rate: float = 20.0
    calm_seconds: float = 15.0
    apart_seconds: float = 10.0
    """How long each service is measured in a process of its own."""


@dataclass(frozen=True)
class Pace:
    """An even rate (messages a second) for which delays are measured, looking at the view every so many seconds."""

    name: str
    rate: float
    seconds: float
    look_every: float


async def bench_pipeline(plan: Plan, progress: Progress) -> dict[str, Any]:
    """Runs the whole measurement on servers and processes of its own. Returns the figures as one object."""
    with servers_of_its_own() as (addresses, pids):
        return await _measure(plan, progress, addresses, pids)


@contextmanager
def servers_of_its_own() -> Iterator[tuple[Addresses, dict[str, int]]]:
    """Embedded servers with nothing in them, and their pids; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="deskstream-bench-") as folder:
        servers = EmbeddedServers(Path(folder) / "data")
        addresses = servers.start()
        try:
            yield addresses, _pids(servers)
        finally:
            servers.discard()


def _pids(servers: EmbeddedServers) -> dict[str, int]:
    status = servers.status()
    assert status.nats_pid is not None
    assert status.postgres_pid is not None
    return {"nats": status.nats_pid, "postgres": status.postgres_pid}


async def _measure(plan: Plan, progress: Progress, addresses: Addresses, servers: dict[str, int]) -> dict[str, Any]:
    progress("measuring what the machine gives")
    raw = await measure_raw(addresses.nats_url, addresses.postgres_url, servers)
    progress("starting the services in two processes")
    async with running(addresses, servers) as bench:
        await furnish(bench)
        generator, view = await ready(bench)
        figures = await _together(plan, progress, bench, generator, view)
    progress("each service in a process of its own")
    async with running(addresses, servers, one_each()) as bench:
        figures["made_of"] = await made_of(bench, generator.mix, plan.apart_seconds)
    figures["ratio_to_raw"] = _ratio(figures, raw)
    return {**figures, "cores": os.cpu_count(), "raw": raw.as_json()}


async def _together(plan: Plan, progress: Progress, bench: Bench, generator: Generator, view: View) -> dict[str, Any]:
    progress(f"full speed for {plan.seconds:g} s")
    figures = await full_speed(plan, bench, generator, view)
    await view.until(generator.sent, 120)
    progress(f"at rest: {plan.calm_rate:g}/s for {plan.calm_seconds:g} s")
    figures |= await _latency(bench, Pace("", plan.calm_rate, plan.calm_seconds, POLL_S), generator, view)
    half = figures["inbound_per_s"] / 2
    progress(f"at half the ceiling: {half:.0f}/s")
    pace = Pace("half_", half, min(plan.calm_seconds, 10.0), BUSY_POLL_S)
    figures |= await _latency(bench, pace, generator, view)
    figures["memory_mb"] = {name: memory_mb(pid) for name, pid in bench.services.items()}
    return figures


def _ratio(figures: Mapping[str, Any], raw: Raw) -> float:
    """What the bare handlings of this rate would cost, as a share of the cores there are."""
    needed: float = figures["inbound_per_s"] * figures["handlings_per_message"] * raw.handling_us
    return round(needed / ((os.cpu_count() or 1) * 1e6), 3)


async def ready(bench: Bench) -> tuple[Generator, View]:
    """A generator and a view; the first message has passed."""
    generator, view = Generator(bench.client, Mix()), View(bench.database)
    await generator.start()
    await generator.send()
    await view.until(1, 30)
    return generator, view


async def full_speed(plan: Plan, bench: Bench, generator: Generator, view: View) -> dict[str, Any]:
    """Rate, CPU and counts while the desk always has something before it."""
    async with feeding(generator, view):
        await asyncio.sleep(WARM_UP_S)
        counts = await counted(bench.client)
        before, visible, started = usage_of(bench.trees), await view.look(), time.monotonic()
        await asyncio.sleep(plan.seconds)
        seconds, messages = time.monotonic() - started, await view.look() - visible
        used = usage_of(bench.trees).since(before)
        counts = (await counted(bench.client)).since(counts)
    return {
        "inbound_per_s": round(messages / seconds, 1),
        "cpu_ms_per_message": round(used.total * 1000 / max(messages, 1), 3),
        "cpu_ms_by_process": used.ms_per(messages),
        "handlings_per_message": round(counts.all_handlings / max(messages, 1), 2),
        "events_per_message": round(counts.events / max(messages, 1), 2),
        "messages": messages,
        "seconds": round(seconds, 1),
    }


async def _latency(bench: Bench, pace: Pace, generator: Generator, view: View) -> dict[str, float]:
    sent_at: dict[int, float] = {}
    done = asyncio.Event()
    before = usage_of(bench.trees)
    watching = asyncio.create_task(view.delays(sent_at, done, every=pace.look_every, within=pace.seconds + 60))
    await generator.send_at(pace.rate, pace.seconds, sent_at)
    done.set()
    delays = await watching
    used = usage_of(bench.trees).since(before)
    return {
        f"{pace.name}p50_ms": round(percentile(delays, 0.5), 1),
        f"{pace.name}p99_ms": round(percentile(delays, 0.99), 1),
        f"{pace.name or 'rest_'}cpu_ms_per_message": round(used.total * 1000 / max(len(delays), 1), 3),
    }
