"""The desk that is measured: its services in processes of their own, with accounts, agents and a rule."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
from nats.aio.client import Client

from deskstream.cli.bench.load import connect
from deskstream.cli.environment import environment_of_its_own
from deskstream.contracts.crm import SaveAccount
from deskstream.contracts.health import ReadHealth
from deskstream.contracts.ids import AgentId, TeamId
from deskstream.contracts.routing import Availability, SaveAgent, SaveRule
from deskstream.messaging import commands
from deskstream.messaging.topology import provision, topology
from deskstream.runtime.embedded.servers import Addresses
from deskstream.runtime.migrations import migrate
from deskstream.runtime.privileges.guard import Guard
from deskstream.runtime.schemas import installed_services, schemas

Groups = Sequence[Sequence[str]]

_STDERR = 2

FIRST: Sequence[str] = ("ingest", "crm", "conversation")


def two_processes() -> Groups:
    """The two processes of the figures' definition: the path into a conversation, and whoever hears of it."""
    return [FIRST, sorted(installed_services().keys() - set(FIRST))]


def one_each() -> Groups:
    """Every service in a process of its own."""
    return [(name,) for group in two_processes() for name in group]


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

    async def answering(self) -> None:
        """Returns when every service answers. Raises TimeoutError."""
        for (service,) in one_each():
            await commands.call(self.client, ReadHealth(), service=service, within=60.0)


@asynccontextmanager
async def running(
    addresses: Addresses, servers: dict[str, int], groups: Groups | None = None, *, guard: Guard | None = None
) -> AsyncIterator[Bench]:
    """The services of each group in a process of their own, on servers that run; in two processes, unless said.

    With the guard of these servers each service has its own role and its own seed.
    """
    database = await asyncpg.connect(addresses.postgres_url)
    client = await connect(addresses.nats_url)
    installed = installed_services()
    for schema, sources in schemas(installed.values()).items():
        await migrate(database, schema, sources)
    if guard:
        await guard.employ(database)
    await provision(client, topology(list(installed.values())))
    with _processes(addresses, groups or two_processes(), guard.told if guard else {}) as services:
        yield Bench(addresses, servers, services, client, database)
    await client.close()
    await database.close()


@contextmanager
def _processes(addresses: Addresses, groups: Groups, credentials: Mapping[str, str]) -> Iterator[dict[str, int]]:
    told = {
        **credentials,
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
        # On stdout stands the answer, for programs; what services tell goes where progress is told.
        name: subprocess.Popen([sys.executable, "-m", "deskstream.runtime", *names], env=environment, stdout=_STDERR)
        for name, names in zip(_named(groups), groups, strict=True)
    }
    try:
        yield {name: process.pid for name, process in started.items()}
    finally:
        for process in started.values():
            process.send_signal(signal.SIGTERM)
        for process in started.values():
            process.wait(timeout=30)


def _named(groups: Groups) -> list[str]:
    """A name each; a second replica is numbered."""
    seen, names = Counter[str](), list[str]()
    for group in groups:
        name = "+".join(group)
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name} #{seen[name]}")
    return names


async def furnish(bench: Bench) -> None:
    """Accounts, agents and a rule as a desk has them."""
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
