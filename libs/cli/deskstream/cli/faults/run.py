"""One fault run from start to end: servers, services, load, faults, recovery, verdict."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import asyncpg
from nats.aio.client import Client

from deskstream.cli.faults.breaking import Injector, Say, Victims
from deskstream.cli.faults.load import Load
from deskstream.cli.faults.processes import Kept, kept_running
from deskstream.cli.faults.publisher import Publisher, connected
from deskstream.cli.faults.record import Database, Leftovers, count_archived, read_leftovers, read_record
from deskstream.cli.faults.verdict import Breach, Verdict, judge
from deskstream.cli.problem import Problem
from deskstream.contracts import Command
from deskstream.contracts.crm import SaveAccount
from deskstream.contracts.ids import AgentId, TeamId
from deskstream.contracts.routing import Availability, SaveAgent
from deskstream.messaging import Declaration, commands
from deskstream.messaging.topology import provision, topology
from deskstream.runtime.embedded.home import home_folder_of_root
from deskstream.runtime.embedded.servers import Addresses, EmbeddedServers
from deskstream.runtime.migrations import migrate
from deskstream.runtime.schemas import installed_services, schemas

GROUPS: tuple[tuple[str, ...], ...] = (
    ("ingest", "crm", "conversation"),
    ("routing", "sla", "gateway", "channel_email"),
)
CALM_S = 2.0
"""Load without faults at first: it shows that the rate is one that this machine keeps up with."""
CALM_BACKLOG_S = 2.0
RECOVERY_S = 30.0
LOOK_EVERY_S = 0.25


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do. `rate` is mails a second."""

    seconds: float = 30.0
    seed: int = 1
    rate: float = 100.0


@dataclass
class World:
    """Everything that runs."""

    servers: EmbeddedServers
    addresses: Addresses
    services: Sequence[Kept]
    declarations: Sequence[Declaration]
    client: Client


@dataclass(frozen=True, slots=True)
class Outcome:
    """`figures` is the answer as one object; `logs` is where the services' logs are, if a promise was broken."""

    figures: dict[str, Any]
    breaches: list[Breach]
    logs: Path | None


async def run_faults(plan: Plan, say: Say) -> Outcome:
    """Runs on servers and processes of its own; leaves only logs, and those only if a promise was broken."""
    folder = Path(tempfile.mkdtemp(prefix="deskstream-faults-"))
    kept = False
    try:
        figures, breaches = await _run(plan, say, folder)
        kept = bool(breaches)
        return Outcome(figures, breaches, folder if kept else None)
    finally:
        _remove(folder / "data" if kept else folder)


def _remove(folder: Path) -> None:
    data = folder if folder.name == "data" else folder / "data"
    shutil.rmtree(home_folder_of_root(data), ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


async def _run(plan: Plan, say: Say, folder: Path) -> tuple[dict[str, Any], list[Breach]]:
    say("starting servers and services")
    async with _running(folder) as world:
        publisher = Publisher(world.client, Load(plan.seed), plan.rate)
        stop = asyncio.Event()
        publishing = asyncio.create_task(publisher.run(stop))
        await _calm(world, publisher, plan)
        injector = Injector(_victims(world, plan), say)
        await injector.run(plan.seconds)
        stop.set()
        recovered = await _recover(world, publisher, publishing, plan.rate, say)
        figures, breaches = await _look_back(world, publisher)
    breaches += [Breach(*one, "the log of that process") for service in world.services for one in service.complaints]
    if recovered is None:
        breaches.append(Breach("P5", "not everything was done in time", "what waits, and the logs"))
    figures |= {"recovered_in_s": recovered, "faults": dict(injector.done), "seed": plan.seed, "seconds": plan.seconds}
    figures["broken"] = [f"{one.promise}: {one.what}" for one in breaches]
    return figures, breaches


def _victims(world: World, plan: Plan) -> Victims:
    return Victims(world.servers, world.addresses, world.services, random.Random(f"faults {plan.seed}"))


@asynccontextmanager
async def _running(folder: Path) -> AsyncIterator[World]:
    servers, declarations = EmbeddedServers(folder / "data"), list(installed_services().values())
    addresses = await asyncio.to_thread(servers.start)
    try:
        async with connected(addresses.nats_url) as client:
            await _prepare(addresses, client, declarations)
            async with kept_running(GROUPS, _told(addresses, folder), folder) as services:
                await _furnish(client)
                yield World(servers, addresses, services, declarations, client)
    finally:
        servers.stop()


async def _prepare(addresses: Addresses, client: Client, declarations: Sequence[Declaration]) -> None:
    database = await asyncpg.connect(addresses.postgres_url)
    for schema, sources in schemas(declarations).items():
        await migrate(database, schema, sources)
    await database.close()
    await provision(client, topology(declarations))


def _told(addresses: Addresses, folder: Path) -> dict[str, str]:
    return {
        "DESKSTREAM_NATS_URL": addresses.nats_url,
        "DESKSTREAM_POSTGRES_URL": addresses.postgres_url,
        "DESKSTREAM_THREAD_SECRET": "faults-thread-secret-of-no-value",
        "DESKSTREAM_GATEWAY_TOKEN": "faults-token-of-no-value-0123456789",
        "DESKSTREAM_GATEWAY_LISTEN": "127.0.0.1:0",
        "DESKSTREAM_EMAIL_LISTEN": "127.0.0.1:0",
        "DESKSTREAM_EMAIL_MAILDIR": str(folder / "maildir"),
        "DESKSTREAM_LOG_FORMAT": "json",
        "DESKSTREAM_LOG_LEVEL": "warning",
    }


async def _furnish(client: Client) -> None:
    """A few accounts and agents; the answers show that the services run."""
    asks: list[Command] = [SaveAccount(name=f"Organisation {n}", domains=(f"org{n}.example",)) for n in range(10)]
    asks += [
        SaveAgent(
            agent=AgentId(f"agent{n}"), name=f"Agent {n}", team=TeamId("support"), capacity=10_000,
            availability=Availability.AVAILABLE,
        )
        for n in range(5)
    ]  # fmt: skip
    for ask in asks:
        answer = await commands.call(client, ask, within=30.0)
        if not answer.ok:
            raise RuntimeError(f"{ask!r} was refused: {answer.error}")


async def _calm(world: World, publisher: Publisher, plan: Plan) -> None:
    await asyncio.sleep(CALM_S)
    database = await asyncpg.connect(world.addresses.postgres_url)
    behind = publisher.given - await count_archived(database)
    await database.close()
    if behind > CALM_BACKLOG_S * plan.rate:
        raise Problem(f"This machine does not keep up with {plan.rate:g} mails a second; try a lower --rate")


async def _recover(
    world: World, publisher: Publisher, publishing: asyncio.Task[None], rate: float, say: Say
) -> float | None:
    """Waits until nothing is on its way; returns the seconds from now, None when the promise was missed."""
    started = monotonic()
    database = await asyncpg.connect(world.addresses.postgres_url)
    behind = publisher.given - await count_archived(database)
    within = RECOVERY_S + behind / rate
    say(f"no more faults; {behind} mails behind, to be done within {within:.0f} s")
    try:
        async with asyncio.timeout(within):
            await publishing
            while await _unfinished(world, database):  # noqa: ASYNC110 - it looks at tables
                await asyncio.sleep(LOOK_EVERY_S)
    except TimeoutError:
        return None
    finally:
        publishing.cancel()
        await database.close()
    return round(monotonic() - started, 1)


async def _unfinished(world: World, database: Database) -> bool:
    if await count_archived(database) < await _stored(world):
        return True
    left: Leftovers = await read_leftovers(database, world.declarations)
    return not left.none


async def _stored(world: World) -> int:
    return (await world.client.jetstream().stream_info("INBOUND")).state.messages


async def _look_back(world: World, publisher: Publisher) -> tuple[dict[str, Any], list[Breach]]:
    database = await asyncpg.connect(world.addresses.postgres_url)
    record = await read_record(database, world.declarations, await _stored(world))
    await database.close()
    verdict: Verdict = judge(publisher.published, record)
    figures = {
        "accepted": verdict.accepted,
        "effects": verdict.effects,
        "duplicates": verdict.duplicates,
        "lost": verdict.lost,
        "order_violations": verdict.order_violations,
        "dead": record.left.dead,
        "waiting": record.left.waiting,
        "unpublished": record.left.unpublished,
        "received": {"all": record.archived, **record.fates},
        "repeated_publishes": publisher.published.repeats,
        "service_starts": sum(service.starts for service in world.services),
    }
    return figures, verdict.breaches
