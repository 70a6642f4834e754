"""`deskstream bench replicas`: the same path with two of every service; nothing may be lost by having more."""

from __future__ import annotations

from typing import Any

from deskstream.cli.bench.pipeline import Plan, full_speed, ready
from deskstream.cli.bench.raw import Raw, measure_raw
from deskstream.cli.bench.repeating import Progress
from deskstream.cli.bench.running import Groups, furnish, running, two_processes
from deskstream.cli.bench.servers import servers_of_its_own


async def bench_replicas(seconds: float, progress: Progress) -> dict[str, Any]:
    """Messages a second with one and with two of every service, each on servers of its own, and their ratio."""
    progress(f"one of every service, {seconds:g} s")
    one, raw = await _measured(seconds, two_processes())
    progress(f"two of every service, {seconds:g} s")
    two, _ = await _measured(seconds, [*two_processes(), *two_processes()])
    return {
        "one_per_s": one["inbound_per_s"],
        "two_per_s": two["inbound_per_s"],
        "two_to_one": round(two["inbound_per_s"] / one["inbound_per_s"], 3),
        "ratio_to_raw": raw.share_of(one["inbound_per_s"] * one["handlings_per_message"]),
        "raw": raw.as_json(),
    }


async def _measured(seconds: float, groups: Groups) -> tuple[dict[str, Any], Raw]:
    with servers_of_its_own() as (addresses, pids):
        raw = await measure_raw(addresses.nats_url, addresses.postgres_url, pids)
        async with running(addresses, pids, groups) as bench:
            await furnish(bench)
            generator, view = await ready(bench)
            return await full_speed(Plan(seconds=seconds), bench, generator, view), raw
