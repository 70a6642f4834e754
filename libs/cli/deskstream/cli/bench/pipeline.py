"""`deskstream bench pipeline`: mails published to visible in the inbox view, at full speed and at rest."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from deskstream.cli.bench.counts import counted
from deskstream.cli.bench.feeding import feeding
from deskstream.cli.bench.load import Generator, Mix
from deskstream.cli.bench.raw import measure_raw
from deskstream.cli.bench.repeating import Progress
from deskstream.cli.bench.running import Bench, Groups, furnish, one_each, running, two_processes
from deskstream.cli.bench.servers import a_guard, servers_of_its_own
from deskstream.cli.bench.shares import made_of
from deskstream.cli.bench.usage import memory_mb, usage_of
from deskstream.cli.bench.watch import BUSY_POLL_S, POLL_S, SETTLES_S, View, percentile, written

WARM_UP_S = 5.0
LONGEST_HALF_S = 10.0
STARTS_S = 25.0
"""Servers, services twice, the raw figures, and what is worked off in between."""
TOGETHER = "running in two processes instead of one each"


Start: TypeAlias = Callable[[Groups], AbstractAsyncContextManager[Bench]]


@dataclass(frozen=True)
class Plan:
    """How long and how hard. Rates are messages a second."""

    seconds: float = 60.0
    calm_rate: float = 20.0
    calm_seconds: float = 30.0
    apart_seconds: float = 10.0
    """How long each service is measured in a process of its own."""
    permissions: bool = False
    """Whether each service may do only what it declares, at the broker and in the database."""

    @property
    def about_s(self) -> float:
        """How long it takes, starts and stops included."""
        paces = 2 * SETTLES_S + self.calm_seconds + min(self.calm_seconds, LONGEST_HALF_S)
        return STARTS_S + WARM_UP_S + self.seconds + paces + self.apart_seconds


@dataclass(frozen=True)
class Pace:
    """An even rate (messages a second) for which delays are measured, looking at the view every so many seconds."""

    name: str
    rate: float
    seconds: float
    look_every: float


async def bench_pipeline(plan: Plan, progress: Progress) -> dict[str, Any]:
    """Runs the whole measurement on servers and processes of its own. Returns the figures as one object."""
    with ExitStack() as stack:
        guard = stack.enter_context(a_guard()) if plan.permissions else None
        addresses, pids = stack.enter_context(servers_of_its_own(guard))
        start = partial(running, addresses, pids, guard=guard)
        progress("measuring what the machine gives")
        raw = await measure_raw(addresses.nats_url, addresses.postgres_url, pids)
        figures = await _measure(plan, progress, start)
    figures["permissions"] = plan.permissions
    figures["ratio_to_raw"] = raw.share_of(figures["inbound_per_s"] * figures["handlings_per_message"])
    return {**figures, "cores": os.cpu_count(), "raw": raw.as_json()}


async def _measure(plan: Plan, progress: Progress, start: Start) -> dict[str, Any]:
    progress("starting the services in two processes")
    async with start(two_processes()) as bench:
        await furnish(bench)
        generator, view = await ready(bench)
        figures = await _together(plan, progress, bench, generator, view)
    progress(f"each service in a process of its own for {plan.apart_seconds:g} s")
    async with start(one_each()) as bench:
        apart = await made_of(bench, generator.mix, plan.apart_seconds)
    return figures | {"made_of": with_remainder(apart, figures["cpu_ms_per_message"])}


def with_remainder(apart: list[dict[str, Any]], together: float) -> list[dict[str, Any]]:
    """The rows, and what is missing to the CPU of a message as it was measured; less, where sharing saves."""
    rest = together - sum(row["ms_per_message"] for row in apart)
    return [*apart, {"who": TOGETHER, "ms_per_message": round(rest, 3)}]


async def _together(plan: Plan, progress: Progress, bench: Bench, generator: Generator, view: View) -> dict[str, Any]:
    progress(f"full speed for {plan.seconds:g} s")
    figures = await full_speed(plan, bench, generator, view)
    await view.until(generator.sent, 120)
    progress(f"at rest: {plan.calm_rate:g}/s for {plan.calm_seconds:g} s")
    figures |= await _latency(bench, Pace("", plan.calm_rate, plan.calm_seconds, POLL_S), generator, view)
    half = figures["inbound_per_s"] / 2
    progress(f"at half the ceiling: {half:.0f}/s")
    pace = Pace("half_", half, min(plan.calm_seconds, LONGEST_HALF_S), BUSY_POLL_S)
    figures |= await _latency(bench, pace, generator, view)
    figures["memory_mb"] = {name: memory_mb(pid) for name, pid in bench.services.items()}
    return figures


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
    await written()
    await generator.send_at(pace.rate, SETTLES_S, {})
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
