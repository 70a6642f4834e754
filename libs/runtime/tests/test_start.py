"""The start of a process whose servers are late, and what it says meanwhile."""

import asyncio
import json
import os
import signal
import sys
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx
import pytest

from deskstream.runtime.embedded.processes import free_port
from deskstream.runtime.patience import patiently
from deskstream.runtime.probe import ask
from deskstream.runtime.schemas import installed_services
from deskstream.testkit.desk import prepare
from deskstream.testkit.eventually import eventually

SERVICE = "crm"


@pytest.fixture
def nowhere():
    """The address of a server that does not run."""
    return f"127.0.0.1:{free_port()}"


@asynccontextmanager
async def process(**environment):
    """A service's process; its log as a list of objects that grows."""
    port = free_port()
    told = {f"DESKSTREAM_{name.upper()}": str(value) for name, value in environment.items()}
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "deskstream.runtime", SERVICE,
        env={**os.environ, "DESKSTREAM_LOG_FORMAT": "json", "DESKSTREAM_HEALTH_PORT": str(port), **told},
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    log: list[dict[str, Any]] = []
    reading = asyncio.create_task(read(started.stdout, log))
    try:
        yield started, log, port
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()
        await reading


async def read(lines, log):
    async for line in lines:
        log.append(json.loads(line))


def said(log, event):
    return [line for line in log if line["event"] == event]


async def probed(port, path="/ready"):
    return await asyncio.to_thread(ask, path, port)


async def test_a_late_database_is_waited_for_with_words_and_probes_that_tell_so(nowhere, nats_url):
    url = f"postgresql://deskstream@{nowhere}/deskstream"
    async with process(postgres_url=url, nats_url=nats_url) as (started, log, port):
        (waits, *_) = await eventually(lambda: said(log, "waiting_for_database"), within=20)
        assert waits["server"] == nowhere
        assert await probed(port, "/live") == (True, '{"name": "deskstream crm", "ok": true, "wrong": {}}')
        ready, reason = await probed(port)
        assert not ready
        assert "waits for its servers" in reason
        started.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(started.wait(), 5) == 0
    assert said(log, "stopped_while_starting")


async def test_patience_has_an_end_and_a_last_word(nowhere, nats_url):
    url = f"postgresql://deskstream@{nowhere}/deskstream"
    async with process(postgres_url=url, nats_url=nats_url, wait_for_servers=0.5) as (started, log, _):
        assert await asyncio.wait_for(started.wait(), 20) == 1
    (last,) = said(log, "given_up")
    assert "refused" in last["reason"]


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.InterfaceError("cannot call Transaction.__aexit__(): the underlying connection is closed"),
        asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress"),
        asyncpg.AdminShutdownError("terminating connection due to unexpected postmaster exit"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_p5_a_database_that_dies_while_a_process_starts_is_waited_for(error):
    answers = iter([error, "found"])

    async def look():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert await patiently(look, server="postgres", within=5) == "found"


async def test_tables_and_streams_may_come_after_the_process(database_template, nats_url):
    async with emptied(database_template) as database, process(postgres_url=database, nats_url=nats_url) as running:
        _, log, port = running
        (waits, *_) = await eventually(lambda: said(log, "waiting_for_database"), within=20)
        assert "deskstream migrate" in waits["reason"]
        services = installed_services()
        await prepare([services[SERVICE], services["ingest"]], database, nats_url)
        assert await eventually(lambda: said(log, "ready"), within=20)
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"http://127.0.0.1:{port}/ready")
        assert answer.json() == {"name": "deskstream crm", "ok": True, "wrong": {}}


@asynccontextmanager
async def emptied(template):
    """A database where nothing was migrated for this service."""
    async with template.clone() as url:
        connection = await asyncpg.connect(url)
        await connection.execute(f"DROP SCHEMA {SERVICE} CASCADE")
        await connection.close()
        yield url


async def test_a_stream_that_is_missing_is_waited_for(database, nats_url):
    async with process(postgres_url=database, nats_url=nats_url) as (_, log, _):
        (waits, *_) = await eventually(lambda: said(log, "waiting_for_stream"), within=20)
        assert "EVENTS_INGEST" in waits["reason"]
        assert not said(log, "ready")
        services = installed_services()
        await prepare([services[SERVICE], services["ingest"]], database, nats_url)
        assert await eventually(lambda: said(log, "ready"), within=20)


async def test_a_probe_of_nobody_says_so(nowhere):
    well, reason = await probed(int(nowhere.rpartition(":")[2]))
    assert not well
    assert "no answer at port" in reason
