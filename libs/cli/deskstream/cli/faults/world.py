"""Everything that a fault run runs: servers of its own on disks of their own, services behind lines, some agents."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from nats.aio.client import Client

from deskstream.cli.faults.disks import Disk, small_disk
from deskstream.cli.faults.lines import Line, by_way_of, line_to
from deskstream.cli.faults.processes import Kept, Wanted, kept_running
from deskstream.cli.faults.publisher import connected
from deskstream.contracts import Command
from deskstream.contracts.crm import SaveAccount
from deskstream.contracts.ids import AgentId, TeamId
from deskstream.contracts.routing import Availability, SaveAgent
from deskstream.messaging import Declaration, commands
from deskstream.messaging.topology import provision, topology
from deskstream.runtime.embedded.home import open_home
from deskstream.runtime.embedded.servers import Addresses, EmbeddedServers
from deskstream.runtime.migrations import migrate
from deskstream.runtime.schemas import installed_services, schemas

FIRST = ("ingest", "crm", "conversation")
"""What the most of a message's way runs through has a second replica; all others run in one process more."""
FEWEST_S = 2.0
"""Ids that the broker remembers for so long only: most of what is published again after a fault is stored twice."""


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
    declarations: Sequence[Declaration]
    client: Client


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[World]:
    """Started and furnished in `folder`; nothing but its logs is left."""
    data = folder / "data"
    servers, declarations = EmbeddedServers(data), list(installed_services().values())
    try:
        with small_disk(open_home(data).folder / "nats") as nats, small_disk(_of_postgres(data)) as postgres:
            try:
                async with _started(servers, declarations, folder, (nats, postgres)) as world:
                    yield world
            finally:
                servers.stop()
    finally:
        servers.discard()


def _of_postgres(data: Path) -> Path:
    return open_home(data).folder / "postgres"


@asynccontextmanager
async def _started(
    servers: EmbeddedServers, declarations: Sequence[Declaration], folder: Path, disks: tuple[Disk | None, Disk | None]
) -> AsyncIterator[World]:
    addresses = await asyncio.to_thread(servers.start)
    groups = _groups([one.name for one in declarations])
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(connected(addresses.nats_url))
        await _prepare(addresses, client, declarations)
        nats = [await _opened(stack, line_to(addresses.nats_url, frames=True)) for _ in groups]
        postgres = [await _opened(stack, line_to(addresses.postgres_url)) for _ in groups]
        wanted = [
            Wanted(names, _told(by_way_of(addresses.nats_url, a), by_way_of(addresses.postgres_url, b), folder), title)
            for (title, names), a, b in zip(groups.items(), nats, postgres, strict=True)
        ]
        services = await stack.enter_async_context(kept_running(wanted, folder))
        await _furnish(client)
        yield World(servers, addresses, services, nats, postgres, *disks, declarations, client)


def _groups(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Title -> services of one process."""
    others = tuple(name for name in names if name not in FIRST)
    return {"+".join(FIRST): FIRST, f"{'+'.join(FIRST)}-again": FIRST, "+".join(others): others}


async def _opened(stack: AsyncExitStack, line: Line) -> Line:
    return await stack.enter_async_context(line.opened())


async def _prepare(addresses: Addresses, client: Client, declarations: Sequence[Declaration]) -> None:
    database = await asyncpg.connect(addresses.postgres_url)
    for schema, sources in schemas(declarations).items():
        await migrate(database, schema, sources)
    await database.close()
    wanted = topology(declarations)
    await provision(client, wanted)
    for stream in wanted.streams:
        config = (await client.jsm().stream_info(stream.name)).config
        config.duplicate_window = FEWEST_S
        await client.jsm().update_stream(config)


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
        answer = await commands.call(client, ask, within=60.0)
        if not answer.ok:
            raise RuntimeError(f"{ask!r} was refused: {answer.error}")
