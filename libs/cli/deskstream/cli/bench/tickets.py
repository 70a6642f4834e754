"""`deskstream bench tickets`: ticket commands over NATS while every service runs, and reads at 100,000 tickets."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

from deskstream.cli.bench.counts import counted
from deskstream.cli.bench.raw import measure_raw
from deskstream.cli.bench.repeating import Progress
from deskstream.cli.bench.running import running
from deskstream.cli.bench.servers import servers_of_its_own
from deskstream.cli.bench.ticket_mix import Desk
from deskstream.cli.bench.ticket_reads import bench_reads, timed
from deskstream.cli.bench.usage import usage_of
from deskstream.cli.bench.watch import SETTLES_S, percentile, written

AT_ONCE = 200
"""Callers that each wait for their answer before they ask again."""
WARM_UP_S = 3.0


async def bench_tickets(seconds: float, tickets: int, progress: Progress) -> dict[str, Any]:
    """Runs the whole measurement on servers and processes of its own. Returns the figures as one object."""
    with servers_of_its_own() as (addresses, pids):
        progress("measuring what the machine gives")
        raw = await measure_raw(addresses.nats_url, addresses.postgres_url, pids)
        async with running(addresses, pids) as bench:
            await bench.answering()
            desk = Desk(bench)
            progress("customers write, parts and issues are made")
            await desk.furnish()
            progress(f"full speed for {seconds:g} s")
            figures = await _full_speed(desk, seconds)
            progress("at 100/s")
            figures |= await _at_rest(desk, 100.0, seconds)
            progress(f"reading at {tickets:,} tickets")
            figures |= await bench_reads(desk, tickets)
    figures["ratio_to_raw"] = raw.share_of(figures["commands_per_s"] * figures["handlings_per_command"])
    return {**figures, "cores": os.cpu_count(), "raw": raw.as_json()}


async def _full_speed(desk: Desk, seconds: float) -> dict[str, Any]:
    stop = asyncio.Event()
    callers = [asyncio.create_task(_call_on(desk, stop)) for _ in range(AT_ONCE)]
    await asyncio.sleep(WARM_UP_S)
    counts, used, answered, started = (
        await counted(desk.bench.client), usage_of(desk.bench.trees), desk.answered, time.monotonic(),
    )  # fmt: skip
    await asyncio.sleep(seconds)
    took, number = time.monotonic() - started, max(desk.answered - answered, 1)
    used = usage_of(desk.bench.trees).since(used)
    counts = (await counted(desk.bench.client)).since(counts)
    stop.set()
    await asyncio.gather(*callers)
    return {
        "commands_per_s": round(number / took, 1),
        "cpu_ms_per_command": round(used.total * 1000 / number, 3),
        "cpu_ms_by_process": used.ms_per(number),
        # The command itself is one, although no durable delivers it.
        "handlings_per_command": round(1 + counts.all_handlings / number, 2),
        "events_per_command": round(counts.events / number, 2),
    }


async def _call_on(desk: Desk, stop: asyncio.Event) -> None:
    while not stop.is_set():
        await desk.work()


async def _at_rest(desk: Desk, rate: float, seconds: float) -> dict[str, Any]:
    await written()
    await _at_pace(desk, rate, SETTLES_S)
    delays = await _at_pace(desk, rate, seconds)
    return {"p50_ms": round(percentile(delays, 0.5), 1), "p99_ms": round(percentile(delays, 0.99), 1)}


async def _at_pace(desk: Desk, rate: float, seconds: float) -> list[float]:
    delays: list[float] = []
    asked: list[asyncio.Task[None]] = []
    started = time.monotonic()
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, started + number / rate - time.monotonic()))
        asked.append(asyncio.create_task(timed(delays, desk.work)))
    await asyncio.gather(*asked)
    return delays
