"""`deskstream bench pipeline`: mails published to visible in the inbox view, at full speed and at rest."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from nats.aio.client import Client

from deskstream.cli.bench.load import Generator, Mix, connect
from deskstream.cli.bench.raw import Raw, measure_raw
from deskstream.cli.bench.usage import memory_mb, usage_of
from deskstream.cli.bench.watch import View, percentile
from deskstream.cli.environment import environment_of_its_own
from deskstream.contracts.crm import SaveAccount
from deskstream.contracts.ids import AgentId, TeamId
from deskstream.contracts.routing import Availability, SaveAgent, SaveRule
from deskstream.messaging import commands
from deskstream.messaging.topology import provision, topology
from deskstream.runtime.embedded.servers import Addresses, EmbeddedServers
from deskstream.runtime.migrations import migrate
from deskstream.runtime.schemas import installed_services, schemas

GROUPS: tuple[tuple[str, ...], ...] = (
    ("ingest", "crm", "conversation"),
    ("routing", "sla", "gateway", "channel_email"),
)
"""The two processes of the figure's definition."""

BACKLOG = 3000
"""Messages on their way at full speed: enough for full batches, few enough that none waits for seconds."""

WARM_UP_S = 5.0

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How long and how hard. Rates are messages a second."""

    seconds: float = 60.0
    calm_rate: float = 20.0
    calm_seconds: float = 15.0


@dataclass
class Bench:
    """Everything that runs for one measurement."""

    addresses: Addresses
    servers: dict[str, int]
    services: dict[str, int]
    client: Client
    database: asyncpg.Connection[asyncpg.Record]

    @property
    def trees(self) -> dict[str, int]:
        return {**self.servers, **self.services}


async def bench_pipeline(plan: Plan, progress: Progress) -> dict[str, Any]:
    """Runs the whole measurement on servers and processes of its own. Returns the figures as one object."""
    with tempfile.TemporaryDirectory(prefix="deskstream-bench-") as folder:
        data = Path(folder) / "data"
        servers = EmbeddedServers(data)
        addresses = servers.start()
        try:
            return await _measure(plan, progress, addresses, _pids(servers))
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
    async with _running(addresses, servers) as bench:
        generator, view = await _ready(bench)
        progress(f"full speed for {plan.seconds:g} s")
        figures = await _full_speed(plan, bench, generator, view)
        await view.until(generator.sent, 120)
        progress(f"at rest: {plan.calm_rate:g}/s for {plan.calm_seconds:g} s")
        figures |= await _latency("", plan.calm_rate, plan.calm_seconds, generator, view)
        half = figures["inbound_per_s"] / 2
        progress(f"at half the ceiling: {half:.0f}/s")
        figures |= await _latency("half_", half, min(plan.calm_seconds, 10.0), generator, view)
        figures["memory_mb"] = {name: memory_mb(pid) for name, pid in bench.services.items()}
    figures["ratio_to_raw"] = _ratio(figures, raw)
    return {**figures, "cores": os.cpu_count(), "raw": raw.as_json()}


def _ratio(figures: Mapping[str, Any], raw: Raw) -> float:
    """What the bare handlings of this rate would cost, as a share of the cores there are."""
    needed: float = figures["inbound_per_s"] * figures["handlings_per_message"] * raw.handling_us
    return round(needed / ((os.cpu_count() or 1) * 1e6), 3)


@asynccontextmanager
async def _running(addresses: Addresses, servers: dict[str, int]) -> AsyncIterator[Bench]:
    database = await asyncpg.connect(addresses.postgres_url)
    client = await connect(addresses.nats_url)
    installed = installed_services()
    for schema, sources in schemas(installed.values()).items():
        await migrate(database, schema, sources)
    await provision(client, topology(list(installed.values())))
    with _processes(addresses) as services:
        yield Bench(addresses, servers, services, client, database)
    await client.close()
    await database.close()


@contextmanager
def _processes(addresses: Addresses) -> Any:
    told = {
        "DESKSTREAM_NATS_URL": addresses.nats_url,
        "DESKSTREAM_POSTGRES_URL": addresses.postgres_url,
        "DESKSTREAM_THREAD_SECRET": "bench-thread-secret-of-no-value",
        "DESKSTREAM_GATEWAY_TOKEN": "bench-token-of-no-value-0123456789",
        "DESKSTREAM_GATEWAY_LISTEN": "127.0.0.1:0",
        "DESKSTREAM_EMAIL_LISTEN": "127.0.0.1:0",
        "DESKSTREAM_LOG_LEVEL": "warning",
    }
    environment = environment_of_its_own(told)
    started = {
        "+".join(names): subprocess.Popen([sys.executable, "-m", "deskstream.runtime", *names], env=environment)
        for names in GROUPS
    }
    try:
        yield {name: process.pid for name, process in started.items()}
    finally:
        for process in started.values():
            process.send_signal(signal.SIGTERM)
        for process in started.values():
            process.wait(timeout=30)


async def _ready(bench: Bench) -> tuple[Generator, View]:
    """Accounts, agents and a rule as a desk has them; then the first message has passed."""
    asks: Sequence[Any] = [
        *(SaveAccount(name=f"Organisation {n}", domains=(f"org{n}.example",)) for n in range(200)),
        *(
            SaveAgent(
                agent=AgentId(f"agent{n}"), name=f"Agent {n}", team=TeamId("support"), capacity=10_000,
                availability=Availability.AVAILABLE,
            )
            for n in range(20)
        ),
        SaveRule(name="Invoices", words=("invoice",), owner=AgentId("agent3")),
    ]  # fmt: skip
    for ask in asks:
        answer = await commands.call(bench.client, ask, within=30.0)
        if not answer.ok:
            raise RuntimeError(f"{ask!r} was refused: {answer.error}")
    generator, view = Generator(bench.client, Mix()), View(bench.database)
    await generator.start()
    await generator.send()
    await view.until(1, 30)
    return generator, view


async def _full_speed(plan: Plan, bench: Bench, generator: Generator, view: View) -> dict[str, Any]:
    stop = asyncio.Event()
    feeding = asyncio.create_task(_feed(generator, view, stop))
    await asyncio.sleep(WARM_UP_S)
    counts = await _counts(bench.client)
    before, visible, started = usage_of(bench.trees), await view.look(), time.monotonic()
    await asyncio.sleep(plan.seconds)
    seconds, messages = time.monotonic() - started, await view.look() - visible
    used = usage_of(bench.trees).since(before)
    later = await _counts(bench.client)
    stop.set()
    await feeding
    return {
        "inbound_per_s": round(messages / seconds, 1),
        "cpu_ms_per_message": round(used.total * 1000 / max(messages, 1), 3),
        "cpu_ms_by_process": used.ms_per(messages),
        "handlings_per_message": round((later.handlings - counts.handlings) / max(messages, 1), 2),
        "events_per_message": round((later.events - counts.events) / max(messages, 1), 2),
        "messages": messages,
        "seconds": round(seconds, 1),
    }


async def _feed(generator: Generator, view: View, stop: asyncio.Event) -> None:
    """Keeps the backlog full; looks at the view only as often as that needs."""
    while not stop.is_set():
        for _ in range(100):
            await generator.send()
        while generator.sent - await view.look() > BACKLOG and not stop.is_set():  # noqa: ASYNC110 - it looks at a table
            await asyncio.sleep(0.05)


@dataclass(frozen=True, slots=True)
class _Counts:
    handlings: int
    events: int


async def _counts(client: Client) -> _Counts:
    """Deliveries of all durables, and messages of all streams but the inbound one."""
    manager = client.jsm()
    handlings = events = 0
    for stream in await manager.streams_info():
        name = stream.config.name or ""
        for consumer in await manager.consumers_info(name):
            assert consumer.delivered is not None
            handlings += consumer.delivered.consumer_seq
        if name != "INBOUND":
            events += stream.state.last_seq
    return _Counts(handlings, events)


async def _latency(name: str, rate: float, seconds: float, generator: Generator, view: View) -> dict[str, float]:
    sent_at: dict[int, float] = {}
    done = asyncio.Event()
    watching = asyncio.create_task(view.delays(sent_at, done, seconds + 60))
    await generator.send_at(rate, seconds, sent_at)
    done.set()
    delays = await watching
    return {
        f"{name}p50_ms": round(percentile(delays, 0.5), 1),
        f"{name}p99_ms": round(percentile(delays, 0.99), 1),
    }
