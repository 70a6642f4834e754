"""`deskstream bench replicas`: the same path with two of every service; nothing may be lost by having more."""

from __future__ import annotations

from typing import Any

from deskstream.cli.bench.pipeline import Plan, Progress, full_speed, ready, servers_of_its_own
from deskstream.cli.bench.running import Groups, furnish, running, two_processes


async def bench_replicas(seconds: float, progress: Progress) -> dict[str, Any]:
    """Messages a second with one and with two of every service, each on servers of its own, and their ratio."""
    progress(f"one of every service, {seconds:g} s")
    one = await _rate(seconds, two_processes())
    progress(f"two of every service, {seconds:g} s")
    two = await _rate(seconds, [*two_processes(), *two_processes()])
    return {"one_per_s": one, "two_per_s": two, "two_to_one": round(two / one, 3)}


async def _rate(seconds: float, groups: Groups) -> float:
    with servers_of_its_own() as (addresses, pids):
        async with running(addresses, pids, groups) as bench:
            await furnish(bench)
            generator, view = await ready(bench)
            figures = await full_speed(Plan(seconds=seconds), bench, generator, view)
            return float(figures["inbound_per_s"])
