"""Limits that the kernel holds a process to, for a while."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import psutil

from deskstream.cli.faults.breaking.processes import down_already
from deskstream.cli.faults.breaking.victims import Victims
from deskstream.cli.faults.lines import Flow

DESCRIPTORS = 64
MORE_MEMORY = 16 * 1024 * 1024


async def few_descriptors(victims: Victims) -> str:
    """No more than 64 open files and sockets, while its lines break and must be opened anew."""
    place, seconds = victims.chance.randrange(len(victims.services)), victims.seconds(2.0, 4.0)
    service = victims.services[place]
    process = service.running
    if process is None:
        raise down_already(service)
    async with _limited(process, psutil.RLIMIT_NOFILE, DESCRIPTORS):
        for line in (victims.nats_lines[place], victims.postgres_lines[place]):
            await line.turn(Flow.CUT)
            await line.turn(Flow.WHOLE)
        await asyncio.sleep(seconds)
    return f"{service.name} had {DESCRIPTORS} descriptors for {seconds:.1f} s, its lines cut"


async def little_memory(victims: Victims) -> str:
    """Hardly any more memory than it has; it may die of it, and is started again."""
    service, seconds = victims.service(), victims.seconds(3.0, 6.0)
    process = service.running
    if process is None:
        raise down_already(service)
    service.excuse()
    async with _limited(process, psutil.RLIMIT_AS, process.memory_info().vms + MORE_MEMORY):
        await asyncio.sleep(seconds)
    return f"{service.name} had {MORE_MEMORY // 1024**2} MiB more for {seconds:.1f} s"


@asynccontextmanager
async def _limited(process: psutil.Process, what: int, limit: int) -> AsyncIterator[None]:
    soft, hard = process.rlimit(what)
    process.rlimit(what, (limit if hard < 0 else min(limit, hard), hard))
    try:
        yield
    finally:
        with suppress(psutil.NoSuchProcess):
            process.rlimit(what, (soft, hard))
