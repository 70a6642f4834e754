import socket
from collections.abc import Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import aiosmtplib
import asyncpg
import httpx
import nats
import pytest
import pytest_asyncio
from nats.aio.client import Client

from deskstream.cli.faults.record import read_leftovers
from deskstream.contracts import Command
from deskstream.messaging import commands
from deskstream.messaging.service import RunningService
from deskstream.runtime.schemas import installed_services
from deskstream.testkit.desk import desk, prepare
from deskstream.testkit.eventually import eventually

TOKEN = "token-of-the-scenarios"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


QUEUED = "SELECT count(*) FROM conversation.timers WHERE due_at < clock_timestamp() + interval '1 minute'"
"""Replies that can still be undone, and leave by themselves."""


async def quiet(records, services=None):
    """Returns once everything said was published and read, and nothing is about to be said."""
    running = list(services or installed_services().values())

    async def look():
        left = await read_leftovers(records, running)
        assert left.none, left
        return await records.fetchval(QUEUED) == 0

    await eventually(look, within=60, what="quiet")


@dataclass
class Desk:
    """All services of one test, and the doors to them: SMTP, HTTP, commands, tables."""

    services: dict[str, RunningService]
    api: httpx.AsyncClient
    records: "asyncpg.Connection[asyncpg.Record]"
    smtp_port: int
    broker: Client

    async def ask(self, command: Command, actor: str | None = None) -> dict[str, Any]:
        """As whoever runs the desk does: no service may ask everything."""
        answer = await commands.call(self.broker, command, actor=actor)
        assert answer.ok, answer.error
        return answer.result

    async def mail(self, mail: EmailMessage, recipient: str = "support@example.org") -> None:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=self.smtp_port) as client:
            await client.send_message(mail, recipients=[recipient])

    async def post(self, path: str, agent: str, **body: Any) -> httpx.Response:
        return await self.api.post(path, json=body, headers={"X-Agent": agent})

    async def show(self, name: str) -> dict[str, Any]:
        answer = await self.api.get(f"/api/conversations/{name}")
        answer.raise_for_status()
        return dict(answer.json())

    async def when(self, name: str, holds: Callable[[dict[str, Any]], Any], what: str) -> dict[str, Any]:
        """The conversation as the API shows it as soon as something holds."""

        async def look() -> dict[str, Any]:
            answer = await self.api.get(f"/api/conversations/{name}")
            return answer.json() if answer.is_success and holds(answer.json()) else {}

        return await eventually(look, within=10, what=f"{what} of {name}")

    async def reply(self, name: str, agent: str, text: str, **more: Any) -> httpx.Response:
        seen = (await self.show(name))["version"]
        return await self.post(f"/api/conversations/{name}/replies", agent, **({"last_seen": seen} | more), text=text)

    async def waiting(self) -> dict[str, int]:
        """What waits, by service; those where nothing does are left out."""
        counts = {
            name: await self.records.fetchval(f"SELECT count(*) FROM {name}.waiting") for name in installed_services()
        }
        return {name: count for name, count in counts.items() if count}


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """What every service is told, for this process and for those it starts; returns the ports."""
    ports = {"smtp": free_port(), "http": free_port()}
    told = {
        "DESKSTREAM_THREAD_SECRET": "thread-secret-of-the-scenarios",
        "DESKSTREAM_GATEWAY_TOKEN": TOKEN,
        "DESKSTREAM_GATEWAY_LISTEN": f"127.0.0.1:{ports['http']}",
        "DESKSTREAM_EMAIL_LISTEN": f"127.0.0.1:{ports['smtp']}",
        "DESKSTREAM_EMAIL_MAILDIR": str(tmp_path / "maildir"),
        "DESKSTREAM_CONVERSATION_UNDO_SECONDS": "1",
    }
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    return ports


@pytest_asyncio.fixture
async def furnished(environment, database, nats_url, monkeypatch):
    """Schemas, streams and durables of all services; services started now find their servers."""
    await prepare(installed_services().values(), database, nats_url)
    monkeypatch.setenv("DESKSTREAM_NATS_URL", nats_url)
    monkeypatch.setenv("DESKSTREAM_POSTGRES_URL", database)
    monkeypatch.setenv("DESKSTREAM_LOG_LEVEL", "warning")
    return environment


@pytest.fixture
def open_desk(environment, database, nats_url, records, broker):
    """`async with open_desk() as desk:` with all services running; their clock may be somewhere else."""

    @asynccontextmanager
    async def opened(clock_offset: timedelta = timedelta()):
        async with AsyncExitStack() as stack:
            services = await stack.enter_async_context(
                desk(installed_services().values(), database, nats_url, clock_offset=clock_offset)
            )
            api = await stack.enter_async_context(
                httpx.AsyncClient(
                    base_url=f"http://127.0.0.1:{environment['http']}",
                    headers={"Authorization": f"Bearer {TOKEN}"},
                    timeout=10,
                )
            )
            yield Desk(services, api, records, environment["smtp"], broker)

    return opened


@pytest_asyncio.fixture
async def records(database):
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


@pytest_asyncio.fixture
async def broker(nats_url):
    client = await nats.connect(nats_url)
    yield client
    await client.close()


@pytest.fixture
def relay(monkeypatch, smtp_sink):
    """The customers' mail server."""
    monkeypatch.setenv("DESKSTREAM_EMAIL_RELAY", f"smtp://{smtp_sink.host}:{smtp_sink.port}")
    return smtp_sink
