"""The demo's world: servers and services of its own, customers who send and receive mail, a clock to travel by."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import aiosmtplib
import asyncpg
import httpx
import nats
from nats.aio.client import Client

from deskstream.cli.demo.mails import FILES, SUPPORT, Mail
from deskstream.cli.environment import only_told
from deskstream.contracts import Command
from deskstream.messaging import Declaration, commands
from deskstream.messaging.topology import provision, topology
from deskstream.runtime.embedded.servers import Addresses, EmbeddedServers
from deskstream.runtime.launch import running
from deskstream.runtime.migrations import migrate
from deskstream.runtime.privileges.credentials import FOLDER
from deskstream.runtime.privileges.guard import Guard
from deskstream.runtime.schemas import installed_services, schemas
from deskstream.runtime.settings import RuntimeSettings
from deskstream.testkit.smtp_sink import SmtpSink

BERLIN = ZoneInfo("Europe/Berlin")
TOKEN = "demo-token-of-no-value-0123456789"

Found = TypeVar("Found")


@dataclass
class World:
    """Everything a chapter may use. Times are the desk's own, which `travel` moves."""

    servers: EmbeddedServers
    guard: Guard
    """By it each service is only itself; the demo looks on from outside, and may do anything."""
    addresses: Addresses
    database: asyncpg.Connection[asyncpg.Record]
    api: httpx.AsyncClient
    customers: SmtpSink
    """The customers' own mail server: what we answer arrives here."""
    smtp_port: int
    offset: timedelta = timedelta()
    _running: AsyncExitStack = field(default_factory=AsyncExitStack)
    broker: Client = field(default_factory=Client)

    @property
    def settings(self) -> RuntimeSettings:
        """Where the servers are."""
        return RuntimeSettings(nats_url=self.addresses.nats_url, postgres_url=self.addresses.postgres_url)

    @property
    def told(self) -> dict[str, str]:
        """What a process that runs services apart is told beside the environment."""
        return {
            "DESKSTREAM_NATS_URL": self.addresses.nats_url,
            "DESKSTREAM_POSTGRES_URL": self.addresses.postgres_url,
            "DESKSTREAM_LOG_LEVEL": "error",
            "DESKSTREAM_LOG_FORMAT": "json",
            **self.guard.told,
        }

    @property
    def services(self) -> list[str]:
        """The names of all services."""
        return list(installed_services())

    async def start(self, *, apart: Collection[str] = ()) -> float:
        """Starts all services at the world's time, but those that run apart; returns the seconds it took."""
        started = time.perf_counter()
        here = [service for name, service in installed_services().items() if name not in apart]
        await self._running.enter_async_context(running(here, self.settings, clock_offset=self.offset))
        return time.perf_counter() - started

    async def admit(self, service: Declaration) -> None:
        """Lets one more service in, whose tables are there."""
        others = [one for one in self.guard.services if one.name != service.name]
        self.guard = replace(self.guard, services=[*others, service])
        await asyncio.to_thread(self.servers.admit, self.guard.access())
        await self.guard.employ(self.database)

    async def stop(self) -> None:
        """Stops all services in good order; the servers stay."""
        await self._running.aclose()
        self._running = AsyncExitStack()

    async def travel(self, to: datetime) -> None:
        """Stops the desk and starts it at another time. Nothing but its clock is set: the rest follows from events."""
        await self.stop()
        self.offset = to - datetime.now(UTC)
        await self.start()

    def now(self) -> datetime:
        """The desk's time."""
        return datetime.now(UTC) + self.offset

    async def mail(self, mail: Mail) -> float:
        """Sends one mail to the desk by SMTP; returns the milliseconds until it was accepted."""
        started = time.perf_counter()
        await self.hand_over(mail)
        return (time.perf_counter() - started) * 1000

    async def hand_over(self, mail: Mail) -> str:
        """Brings one mail as a mail server does; returns what the desk said. Raises what `aiosmtplib` raises."""
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=self.smtp_port) as client:
            await client.mail(mail.sender)
            await client.rcpt(mail.recipient)
            return (await client.data(mail.raw)).message

    async def ask(self, command: Command, actor: str | None = None) -> dict[str, Any]:
        """Asks a service; a refusal ends the demo."""
        answer = await commands.call(self.broker, command, actor=actor, within=20)
        if not answer.ok:
            assert answer.error is not None
            raise RuntimeError(f"{command.NAME} was refused: {answer.error.sentence}")
        return dict(answer.result)

    async def post(self, path: str, agent: str, **body: Any) -> httpx.Response:
        """One POST to the API in an agent's name."""
        return await self.api.post(path, json=body, headers={"X-Agent": agent})

    async def conversation(self, name: str) -> dict[str, Any]:
        """A conversation as the API shows it."""
        answer = await self.api.get(f"/api/conversations/{name}")
        answer.raise_for_status()
        return dict(answer.json())

    async def conversation_of(self, message_id: str) -> dict[str, Any]:
        """The conversation that a mail became part of, as soon as the inbox shows that mail."""

        async def visible() -> dict[str, Any] | None:
            number = await self.database.fetchval(
                "SELECT number FROM gateway.feed WHERE body LIKE '%' || $1 || '%' ORDER BY id DESC LIMIT 1", message_id
            )
            return None if number is None else await self.conversation(f"CONV-{number}")

        return await until(visible, f"the mail {message_id} in the inbox")

    async def reply(self, name: str, agent: str, text: str, **more: Any) -> dict[str, Any]:
        """An agent's answer through the API, and the mail as the customer's server received it."""
        arrived = len(self.customers.mails)
        seen = (await self.conversation(name))["version"]
        answer = await self.post(f"/api/conversations/{name}/replies", agent, text=text, last_seen=seen, **more)
        if answer.is_error:
            raise RuntimeError(f"the reply was refused: {answer.text}")
        mails = await self.customers.received(arrived + 1, within=20)
        return {"mail": mails[-1].message, "answer": answer.json()}


async def until(look: Callable[[], Awaitable[Found | None]], what: str, within: float = 20.0) -> Found:
    """Looks until there is something. Raises `TimeoutError` naming what was waited for."""
    deadline = time.monotonic() + within
    while True:
        found = await look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come within {within:g} s")
        await asyncio.sleep(0.005)


@asynccontextmanager
async def world(folder: Path, say: Callable[[str], None]) -> AsyncIterator[World]:
    """Everything started and furnished: accounts from a CSV file, agents and a rule from a TOML file."""
    say("starting NATS and PostgreSQL from their wheels")
    guard = Guard(folder / FOLDER, list(installed_services().values()), observed=True)
    servers = EmbeddedServers(folder, access=guard.access())
    addresses = servers.start()
    try:
        async with AsyncExitStack() as stack:
            database = await asyncpg.connect(addresses.postgres_url)
            stack.push_async_callback(database.close)
            customers = await stack.enter_async_context(SmtpSink())
            smtp_port, http_port = _free_port(), _free_port()
            told = _environment(folder, smtp_port, http_port, customers.port)
            stack.enter_context(only_told(told | guard.told))
            api = httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{http_port}", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=20
            )
            await stack.enter_async_context(api)
            say("making schemas and streams")
            broker = await nats.connect(addresses.nats_url)
            stack.push_async_callback(broker.close)
            await _prepare(broker, database)
            await guard.employ(database)
            found = World(servers, guard, addresses, database, api, customers, smtp_port, broker=broker)
            say(f"starting {len(found.services)} services")
            await found.start()
            stack.push_async_callback(found.stop)
            await _furnish(found)
            yield found
    finally:
        servers.discard()


def _environment(folder: Path, smtp_port: int, http_port: int, customers_port: int) -> dict[str, str]:
    return {
        "DESKSTREAM_THREAD_SECRET": "demo-thread-secret-of-no-value",
        "DESKSTREAM_GATEWAY_TOKEN": TOKEN,
        "DESKSTREAM_GATEWAY_LISTEN": f"127.0.0.1:{http_port}",
        "DESKSTREAM_EMAIL_LISTEN": f"127.0.0.1:{smtp_port}",
        "DESKSTREAM_EMAIL_INBOXES": f"{SUPPORT}=support",
        "DESKSTREAM_EMAIL_RELAY": f"smtp://127.0.0.1:{customers_port}",
        "DESKSTREAM_EMAIL_MAILDIR": str(folder / "maildir"),
        "DESKSTREAM_CONVERSATION_UNDO_SECONDS": "1",
        "DESKSTREAM_SLA_CALENDAR": str(FILES / "hours.toml"),
        "DESKSTREAM_SLA_FIRST_RESPONSE_MINUTES": "60",
        "DESKSTREAM_TICKETING_CALENDAR": str(FILES / "hours.toml"),
    }


async def _prepare(broker: Client, database: asyncpg.Connection[asyncpg.Record]) -> None:
    installed = installed_services()
    for schema, sources in schemas(installed.values()).items():
        await migrate(database, schema, sources)
    await provision(broker, topology(list(installed.values())))


async def _furnish(found: World) -> None:
    """The readers of both files belong to their services; a command line knows them by name only."""
    read_plan = import_module("deskstream.routing.imports").read_plan
    for command in read_plan((FILES / "desk.toml").read_bytes()):
        await found.ask(command)
    read_rows = import_module("deskstream.crm.imports").read_rows
    for row in read_rows(BytesIO((FILES / "desk.csv").read_bytes())):
        await found.ask(row.command)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
