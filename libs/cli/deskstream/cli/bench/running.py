"""The desk that is measured: its services in processes of their own, with accounts, agents and a rule."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
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
from deskstream.runtime.embedded.processes import free_port
from deskstream.runtime.embedded.servers import Addresses
from deskstream.runtime.migrations import migrate
from deskstream.runtime.privileges.guard import Guard
from deskstream.runtime.schemas import installed_services, schemas

Groups = Sequence[Sequence[str]]

_STDERR = 2
ANYWHERE = "127.0.0.1:0"
TOKEN = "bench-token-of-no-value-0123456789"

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
    api: str
    """Where the gateway answers HTTP."""

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
    listen = f"127.0.0.1:{free_port()}"
    told = told_to_services(addresses) | (guard.told if guard else {})
    with _processes(told, groups or two_processes(), listen) as services:
        yield Bench(addresses, servers, services, client, database, f"http://{listen}")
    await client.close()
    await database.close()


def told_to_services(addresses: Addresses) -> dict[str, str]:
    """What a service has to know; it listens wherever there is room."""
    return {
        "DESKSTREAM_NATS_URL": addresses.nats_url,
        "DESKSTREAM_POSTGRES_URL": addresses.postgres_url,
        "DESKSTREAM_THREAD_SECRET": "bench-thread-secret-of-no-value",
        "DESKSTREAM_GATEWAY_TOKEN": TOKEN,
        "DESKSTREAM_GATEWAY_LISTEN": ANYWHERE,
        "DESKSTREAM_EMAIL_LISTEN": ANYWHERE,
        "DESKSTREAM_LOG_LEVEL": "warning",
    }


@contextmanager
def _processes(told: Mapping[str, str], groups: Groups, listen: str) -> Iterator[dict[str, int]]:
    """The first gateway listens there, further ones anywhere; mails that leave end in a folder that is thrown away."""
    with tempfile.TemporaryDirectory(prefix="deskstream-bench-") as folder:
        started: dict[str, subprocess.Popen[bytes]] = {}
        try:
            for name, names in zip(_named(groups), groups, strict=True):
                place = {"DESKSTREAM_GATEWAY_LISTEN": listen if "gateway" in names else ANYWHERE}
                listen = ANYWHERE if "gateway" in names else listen
                started[name] = _started(names, {**told, **place, "DESKSTREAM_EMAIL_MAILDIR": f"{folder}/maildir"})
            yield {name: process.pid for name, process in started.items()}
        finally:
            for process in started.values():
                process.send_signal(signal.SIGTERM)
            for process in started.values():
                process.wait(timeout=30)


def _started(names: Sequence[str], told: Mapping[str, str]) -> subprocess.Popen[bytes]:
    # On stdout stands the answer, for programs; what services tell goes where progress is told.
    command = [sys.executable, "-m", "deskstream.runtime", *names]
    return subprocess.Popen(command, env=environment_of_its_own(told), stdout=_STDERR)


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
