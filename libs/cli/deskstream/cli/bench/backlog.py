"""`deskstream bench bootstrap` and `drain`: how fast a service takes up a long lane, from journals or a stream."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg
from nats.aio.client import Client

from deskstream.cli.bench.history import EACH, SIDE_BY_SIDE, publish, write_journal
from deskstream.cli.bench.load import connect
from deskstream.cli.bench.raw import Raw, measure_raw
from deskstream.cli.bench.repeating import Progress
from deskstream.cli.bench.servers import servers_of_its_own
from deskstream.cli.bench.usage import memory_mb, usage_of
from deskstream.cli.environment import environment_of_its_own
from deskstream.contracts.conversation import LANE
from deskstream.contracts.health import HealthRead, ReadHealth
from deskstream.contracts.subjects import stream_of
from deskstream.messaging import commands
from deskstream.messaging.topology import provision, topology
from deskstream.runtime.embedded.servers import Addresses
from deskstream.runtime.migrations import migrate
from deskstream.runtime.schemas import installed_services, schemas

LOOK_EVERY_S: Final = 2.0
TELL_EVERY_S: Final = 10.0
KILLED_AT: Final = 0.4
"""So far a bootstrap is when its process is killed."""
OWNER: Final = "conversation"
LONG_AGO: Final = timedelta(days=10)
"""Older than what a stream keeps."""
WITHIN_S: Final = 3600.0
STARTS_S: Final = 20.0
EVENTS_PER_S: Final = 4000.0
"""So many are written and read, roughly; for the estimate of the time only."""

_READ = "SELECT coalesce(sum(seq), 0)::bigint FROM progress WHERE lane = $1"
_KNOWN = "SELECT count(*) FROM lanes_heard WHERE lane = $1 AND whole"


@dataclass(frozen=True, slots=True)
class Plan:
    """Which service hears how many events."""

    events: int
    reader: str

    @property
    def whole(self) -> int:
        """Conversations go on side by side and are whole only all together."""
        return max(1, self.events // (SIDE_BY_SIDE * EACH)) * SIDE_BY_SIDE * EACH

    @property
    def about_s(self) -> float:
        """How long it takes, starts, stops and the writing of all events included."""
        return STARTS_S + self.whole / EVENTS_PER_S


@dataclass
class Stage:
    """The servers, and how to look into them."""

    addresses: Addresses
    servers: dict[str, int]
    client: Client
    database: asyncpg.Connection[asyncpg.Record]
    plan: Plan
    raw: Raw
    progress: Progress
    peak_mb: float = 0.0

    async def read(self) -> int:
        """How many events the reader has applied."""
        await self.database.execute(f"SET search_path = {self.plan.reader}")
        return int(await self.database.fetchval(_READ, LANE))

    async def until(self, wanted: int, pid: int) -> float:
        """Returns when so many are applied, with the seconds that took; watches the reader's memory."""
        started = told = time.monotonic()
        while (read := await self.read()) < wanted:
            if time.monotonic() - started > WITHIN_S:
                raise TimeoutError(f"only {read:,} of {wanted:,} events after {WITHIN_S:g} s")
            if time.monotonic() - told > TELL_EVERY_S:
                self.progress(f"{read:,} of {self.plan.whole:,} events")
                told = time.monotonic()
            self.peak_mb = max(self.peak_mb, memory_mb(pid))
            await asyncio.sleep(LOOK_EVERY_S)
        return time.monotonic() - started

    async def duplicates(self) -> int:
        """How many events the running process was given that were applied before."""
        answer = await commands.call(self.client, ReadHealth(), service=self.plan.reader, within=30.0)
        return HealthRead.model_validate(answer.result).handled.get(LANE, {}).get("duplicate", 0)


async def bench_bootstrap(plan: Plan, progress: Progress) -> dict[str, Any]:
    """A new reader takes up a lane whose stream has forgotten all; its process is killed on the way."""
    with servers_of_its_own() as (addresses, pids):
        stage = await _stage(plan, progress, addresses, pids)
        progress(f"writing {plan.whole:,} events into the journal of {OWNER}")
        await write_journal(stage.database, plan.whole, datetime.now(UTC) - LONG_AGO)
        await _forget(stage.client)
        with _process(stage, OWNER) as owner:
            progress(f"{plan.reader} reads them")
            with _process(stage, plan.reader) as reader:
                before = await stage.until(int(plan.whole * KILLED_AT), reader.pid)
                reader.kill()
                reader.wait()
            at_kill = await stage.read()
            progress(f"killed after {at_kill:,}; it goes on")
            with _process(stage, plan.reader) as reader:
                trees = {**stage.servers, "owner": owner.pid, "reader": reader.pid}
                used = usage_of(trees)
                after = await stage.until(plan.whole, reader.pid)
                spent = usage_of(trees).since(used)
                figures = _figures(stage, plan.whole - at_kill, after)
                figures |= {
                    "read_again": await stage.duplicates(),
                    "killed_at": at_kill,
                    "before_kill_per_s": round(at_kill / before, 1),
                    "cpu_us_per_event": _microseconds(spent.ms_per(plan.whole - at_kill)),
                }
        await _leave(stage)
        return figures


async def bench_drain(plan: Plan, progress: Progress) -> dict[str, Any]:
    """A reader that was away finds a long stream, everybody else being stopped; then it is started once more."""
    with servers_of_its_own() as (addresses, pids):
        stage = await _stage(plan, progress, addresses, pids)
        with _process(stage, OWNER), _process(stage, plan.reader):
            await _heard_once(stage)
        progress(f"publishing {plan.whole:,} events while everybody is away")
        await publish(stage.client, plan.whole, datetime.now(UTC))
        progress(f"{plan.reader} is back")
        with _process(stage, plan.reader) as reader:
            trees = {**stage.servers, "reader": reader.pid}
            used = usage_of(trees)
            seconds = await stage.until(plan.whole, reader.pid)
            spent = usage_of(trees).since(used)
            figures = _figures(stage, plan.whole, seconds)
            again = await stage.duplicates()
        progress("started once more")
        with _process(stage, plan.reader):
            again += await stage.duplicates()
        await _leave(stage)
        return figures | {"read_again": again, "cpu_us_per_event": _microseconds(spent.ms_per(plan.whole))}


def _figures(stage: Stage, events: int, seconds: float) -> dict[str, Any]:
    return {
        "reader": stage.plan.reader,
        "events": stage.plan.whole,
        "events_per_s": round(events / seconds, 1),
        "seconds": round(seconds, 1),
        "memory_mb": stage.peak_mb,
        "cores": os.cpu_count(),
        # Each event is one handling.
        "ratio_to_raw": stage.raw.share_of(events / seconds),
        "raw": stage.raw.as_json(),
    }


def _microseconds(ms: dict[str, float]) -> dict[str, float]:
    return {name: round(value * 1000, 1) for name, value in ms.items()}


async def _stage(plan: Plan, progress: Progress, addresses: Addresses, pids: dict[str, int]) -> Stage:
    progress("measuring what the machine gives")
    raw = await measure_raw(addresses.nats_url, addresses.postgres_url, pids)
    database, client = await asyncpg.connect(addresses.postgres_url), await connect(addresses.nats_url)
    installed = installed_services()
    for schema, sources in schemas(installed.values()).items():
        await migrate(database, schema, sources)
    await provision(client, topology(list(installed.values())))
    return Stage(addresses, pids, client, database, plan, raw, progress)


async def _leave(stage: Stage) -> None:
    await stage.client.close()
    await stage.database.close()


async def _forget(client: Client) -> None:
    """Leaves the stream as it is when all it held has become too old."""
    stream = stream_of(LANE)
    await client.jetstream().publish(f"{LANE}.bench.forgotten", b"")
    await client.jsm().purge_stream(stream)


async def _heard_once(stage: Stage) -> None:
    """Until the reader has taken up the lane as something that it hears from now on."""
    await stage.database.execute(f"SET search_path = {stage.plan.reader}")
    deadline = time.monotonic() + 60
    while not await stage.database.fetchval(_KNOWN, LANE):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{stage.plan.reader} did not begin to hear {LANE}")
        await asyncio.sleep(LOOK_EVERY_S)


@contextmanager
def _process(stage: Stage, name: str) -> Iterator[subprocess.Popen[bytes]]:
    told = {
        "DESKSTREAM_NATS_URL": stage.addresses.nats_url,
        "DESKSTREAM_POSTGRES_URL": stage.addresses.postgres_url,
        "DESKSTREAM_THREAD_SECRET": "bench-thread-secret-of-no-value",
        "DESKSTREAM_GATEWAY_TOKEN": "bench-token-of-no-value-0123456789",
        "DESKSTREAM_GATEWAY_LISTEN": "127.0.0.1:0",
        "DESKSTREAM_EMAIL_LISTEN": "127.0.0.1:0",
        "DESKSTREAM_LOG_LEVEL": "warning",
    }
    command = [sys.executable, "-m", "deskstream.runtime", name]
    # Its log would stand between the figures.
    process = subprocess.Popen(command, env=environment_of_its_own(told), stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
