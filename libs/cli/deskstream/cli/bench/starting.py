"""`deskstream bench start`: from nothing to ready, and the memory of a desk that has nothing to do."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from deskstream.cli.bench.raw import measure_raw
from deskstream.cli.bench.repeating import Progress
from deskstream.cli.bench.running import one_each, running
from deskstream.cli.bench.servers import servers_of_its_own
from deskstream.cli.bench.usage import memory_mb
from deskstream.cli.environment import environment_of_its_own

SETTLED_S = 3.0
"""After so long everything that a start brings with it is over."""

PATIENCE_S = 60.0


async def bench_start(progress: Progress) -> dict[str, Any]:
    """Seconds until `deskstream up` is ready in an empty folder and once more with its data; megabytes at rest, all
    services in one process and each in its own. Raises TimeoutError when it does not start."""
    with tempfile.TemporaryDirectory(prefix="deskstream-bench-") as folder:
        progress("starting in an empty folder")
        first = await asyncio.to_thread(_start, Path(folder))
        progress("starting again with its data")
        again = await asyncio.to_thread(_start, Path(folder))
    progress("starting each service in a process of its own")
    with servers_of_its_own() as (addresses, pids):
        raw = await measure_raw(addresses.nats_url, addresses.postgres_url, pids)
        async with running(addresses, pids, one_each()) as bench:
            await bench.answering()
            await asyncio.sleep(SETTLED_S)
            apart = {name: memory_mb(pid) for name, pid in bench.services.items()}
    return {
        "first_start_s": first["seconds"],
        "start_s": again["seconds"],
        "memory_mb": again["memory_mb"],
        "largest_service_mb": max(apart.values()),
        "memory_mb_by_service": apart,
        "raw": raw.as_json(),
    }


def _start(folder: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "deskstream.cli", "up", "--json", "--hide-token"]
    started = time.monotonic()
    environment = environment_of_its_own({})
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as up:
        assert up.stdout is not None
        ready = up.stdout.readline()
        seconds = time.monotonic() - started
        if not ready:
            raise TimeoutError("`deskstream up` ended before it was ready; try it by hand.")
        time.sleep(SETTLED_S)
        memory = memory_mb(up.pid)
        up.terminate()
        up.wait(PATIENCE_S)
    return {"seconds": round(seconds, 2), "memory_mb": memory}
