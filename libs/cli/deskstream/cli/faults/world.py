"""Everything that a fault run runs: servers of its own on disks of their own, services behind lines, some agents."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from nats.aio.client import Client

from deskstream.cli.faults.broker import furnish_broker
from deskstream.cli.faults.disks import Disk, small_disk
from deskstream.cli.faults.lines import LOOPBACK, Line, by_way_of, line_to
from deskstream.cli.faults.links import Link, own_link
from deskstream.cli.faults.processes import Kept, Wanted, kept_running
from deskstream.cli.faults.publisher import connected
from deskstream.contracts import Command
from deskstream.contracts.crm import SaveAccount
from deskstream.contracts.ids import AgentId, TeamId
from deskstream.contracts.routing import Availability, SaveAgent
from deskstream.messaging import Declaration, commands
from deskstream.runtime.embedded.home import open_home
from deskstream.runtime.embedded.servers import Addresses, EmbeddedServers
from deskstream.runtime.migrations import migrate
from deskstream.runtime.privileges.credentials import FOLDER
from deskstream.runtime.privileges.guard import Guard
from deskstream.runtime.schemas import installed_services, schemas

DATA = "data"
STARTED_WITHIN_S = 180.0
"""How long the services may take to come to answering, on a machine that has much else to do."""
FIRST = ("ingest", "crm", "conversation")
"""What the most of a message's way runs through has a second replica; all others run in one process more."""


@dataclass
class World:
    """`nats_lines` and `postgres_lines` belong to the services of the same places."""

    servers: EmbeddedServers
    addresses: Addresses
    services: Sequence[Kept]
    nats_lines: Sequence[Line]
    postgres_lines: Sequence[Line]
    nats_disk: Disk | None
    postgres_disk: Disk | None
    home: Path
    """The servers' own."""
    declarations: Sequence[Declaration]
    client: Client


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[World]:
    """Started and furnished in `folder`; nothing but its logs is left. No service may do more than it declares."""
    data, declarations = folder / DATA, list(installed_services().values())
    guard = Guard(folder / FOLDER, declarations, observed=True)
    servers = EmbeddedServers(data, access=guard.access())
    try:
        with small_disk(open_home(data).folder / "nats") as nats, small_disk(_of_postgres(data)) as postgres:
            try:
                async with _started(servers, guard, folder, (nats, postgres)) as world:
                    yield world
            finally:
                servers.stop()
    finally:
        servers.discard()


def _of_postgres(data: Path) -> Path:
    return open_home(data).folder / "postgres"


@asynccontextmanager
async def _started(
    servers: EmbeddedServers, guard: Guard, folder: Path, disks: tuple[Disk | None, Disk | None]
) -> AsyncIterator[World]:
    addresses, declarations = await asyncio.to_thread(servers.start), guard.services
    groups = _groups([one.name for one in declarations])
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(connected(addresses.nats_url))
        await _prepare(addresses, client, guard)
        links = [stack.enter_context(own_link(number)) for number in range(len(groups))]
        nats = [await _opened(stack, line_to(addresses.nats_url, frames=True, host=_near(one))) for one in links]
        postgres = [await _opened(stack, line_to(addresses.postgres_url, host=_near(one))) for one in links]
        wanted = [
            Wanted(
                names,
                guard.told | _told(by_way_of(addresses.nats_url, a), by_way_of(addresses.postgres_url, b), folder),
                title,
                link,
            )
            for (title, names), a, b, link in zip(groups.items(), nats, postgres, links, strict=True)
        ]
        services = await stack.enter_async_context(kept_running(wanted, folder))
        await _furnish(client)
        home = open_home(folder / DATA).folder
        yield World(servers, addresses, services, nats, postgres, *disks, home, declarations, client)


def _groups(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Title -> services of one process."""
    others = tuple(name for name in names if name not in FIRST)
    return {"+".join(FIRST): FIRST, f"{'+'.join(FIRST)}-again": FIRST, "+".join(others): others}


def _near(link: Link | None) -> str:
    return link.near if link else LOOPBACK


async def _opened(stack: AsyncExitStack, line: Line) -> Line:
    return await stack.enter_async_context(line.opened())


async def _prepare(addresses: Addresses, client: Client, guard: Guard) -> None:
    database = await asyncpg.connect(addresses.postgres_url)
    for schema, sources in schemas(guard.services).items():
        await migrate(database, schema, sources)
    await guard.employ(database)
    await database.close()
    await furnish_broker(client, guard.services)


def _told(nats_url: str, postgres_url: str, folder: Path) -> dict[str, str]:
    return {
        "DESKSTREAM_NATS_URL": nats_url,
        "DESKSTREAM_POSTGRES_URL": postgres_url,
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
        answer = await commands.call(client, ask, within=STARTED_WITHIN_S)
        if not answer.ok:
            raise RuntimeError(f"{ask!r} was refused: {answer.error}")
