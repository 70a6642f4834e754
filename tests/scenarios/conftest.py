import socket

import asyncpg
import nats
import pytest
import pytest_asyncio

from deskstream.runtime.schemas import installed_services
from deskstream.testkit.desk import prepare


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """What every service is told, for this process and for those it starts; returns the ports."""
    ports = {"smtp": free_port(), "http": free_port()}
    told = {
        "DESKSTREAM_THREAD_SECRET": "thread-secret-of-the-scenarios",
        "DESKSTREAM_GATEWAY_TOKEN": "token-of-the-scenarios",
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
