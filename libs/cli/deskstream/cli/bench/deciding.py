"""`deskstream bench routing`: what one decision about an owner costs among very many keyword rules."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from deskstream.cli.bench.raw import measure_raw
from deskstream.cli.bench.repeating import Progress
from deskstream.cli.bench.servers import servers_of_its_own
from deskstream.cli.environment import environment_of_its_own
from deskstream.cli.problem import Problem, misused

PROGRAM: Final = "bench/decisions.py"
"""Of the routing service: only a service may know its domain."""


async def bench_routing(rules: int, progress: Progress) -> dict[str, Any]:
    """Microseconds of CPU, as the routing service's own program measures them. Raises Problem outside a checkout."""
    program = _program()
    with servers_of_its_own() as (addresses, pids):
        progress("measuring what the machine gives")
        raw = await measure_raw(addresses.nats_url, addresses.postgres_url, pids)
    progress(f"deciding among {rules:,} rules")
    child = await asyncio.create_subprocess_exec(
        sys.executable, program, "--json", "--rules", f"{rules}",
        env=environment_of_its_own({}), stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    told, _ = await child.communicate()
    if child.returncode:
        raise Problem(f"{program} ended with {child.returncode}; what it said stands above.")
    return {**json.loads(told), "cores": os.cpu_count(), "raw": raw.as_json()}


def _program() -> Path:
    found = find_spec("deskstream.routing")
    places = [Path(place).parents[1] / PROGRAM for place in (found.submodule_search_locations or [] if found else [])]
    for place in places:
        if place.exists():
            return place
    raise misused("Decisions are measured in a checkout of Deskstream only: `make setup` there makes one that works.")
