"""P4, told with real services: the store is lost, the database is put back a moment, and no mail is lost or doubled."""

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg
import nats
import pytest

from deskstream.contracts.inbound import Identity, InboundMessage, ThreadHints
from deskstream.runtime.schemas import installed_services
from deskstream.testkit.databases import database_url
from deskstream.testkit.desk import desk
from deskstream.testkit.eventually import eventually

NAMES = sorted(installed_services())

pytestmark = pytest.mark.long


@pytest.fixture(autouse=True)
def _settings(monkeypatch, tmp_path):
    for name, value in {
        "THREAD_SECRET": "thread-secret-of-the-faults",
        "GATEWAY_TOKEN": "token-of-the-faults-0123456789",
        "GATEWAY_LISTEN": "127.0.0.1:0",
        "EMAIL_LISTEN": "127.0.0.1:0",
        "EMAIL_MAILDIR": str(tmp_path / "maildir"),
    }.items():
        monkeypatch.setenv(f"DESKSTREAM_{name}", value)


def mail(name, *references):
    message = InboundMessage(
        external_id=f"{name}@customer.example",
        sender=Identity(email=f"{name}@customer.example" if not references else f"{references[0]}@customer.example"),
        title=name,
        text=name,
        thread=ThreadHints(references=tuple(f"{one}@customer.example" for one in references)),
    )
    return message.model_dump_json(exclude_defaults=True).encode()


async def send(url, *mails):
    client = await nats.connect(url)
    for one in mails:
        await client.jetstream().publish("inbound.email.support", one)
    await client.close()


def shown(records, expected):
    """Whether the feed shows exactly these mails, each once."""

    async def check():
        rows = await records.fetch(
            "SELECT body::json -> 'message' ->> 'external_id' AS id FROM gateway.feed "
            "WHERE event IN ('conversation_opened', 'customer_replied')"
        )
        assert sorted(row["id"].partition("@")[0] for row in rows) == sorted(expected)
        return True

    return check


async def nothing_is_left(records):
    for name in NAMES:
        assert await records.fetchval(f"SELECT count(*) FROM {name}.waiting") == 0, name
        twice = f"SELECT lane, key, seq FROM {name}.journal WHERE lane NOT LIKE 'inbound%' GROUP BY 1, 2, 3 "
        assert not await records.fetch(f"{twice} HAVING count(*) > 1"), name


async def reconcile(database, nats_url, *options):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "deskstream.cli", "reconcile", "--json", *options, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "DESKSTREAM_NATS_URL": nats_url, "DESKSTREAM_POSTGRES_URL": database},
    )  # fmt: skip
    said, _ = await process.communicate()
    return process.returncode, json.loads(said)


@asynccontextmanager
async def running(database, nats_url):
    async with desk(installed_services().values(), database, nats_url) as started:
        yield started


@asynccontextmanager
async def copied(database, server):
    original = urlsplit(database).path[1:]
    admin = await asyncpg.connect(server)
    await admin.execute(f"CREATE DATABASE {original}_kept TEMPLATE {original}")
    yield database_url(server, f"{original}_kept")
    await admin.execute(f"DROP DATABASE {original}_kept WITH (FORCE)")
    await admin.close()


async def test_p1_p4_a_database_put_back_a_moment_has_every_mail_again_and_none_twice(
    database, nats_url, postgres_server
):
    records = await asyncpg.connect(database)
    async with running(database, nats_url):
        await send(nats_url, mail("ada"), mail("bob"))
        await eventually(shown(records, ["ada", "bob"]), within=30)
    await records.close()
    async with copied(database, postgres_server) as older:
        records = await asyncpg.connect(database)
        async with running(database, nats_url):
            await send(nats_url, mail("ada-again", "ada"), mail("eve"))
            await eventually(shown(records, ["ada", "ada-again", "bob", "eve"]), within=30)
        await records.close()
        records = await asyncpg.connect(older)
        async with running(older, nats_url) as services:
            held = {name for name, service in services.items() if "reconcile" in str(await service.problem())}
            assert held >= {"ingest", "crm", "conversation"}
            code, told = await reconcile(older, nats_url)
            assert (code, told["applied"]) == (1, False)
            code, told = await reconcile(older, nats_url, "--apply")
            assert code == 0, told
            lost = {lane["lane"]: lane["journaled_again"] for lane in told["lanes"] if lane["journaled_again"]}
            assert lost["events.ingest"] == 2
            await send(nats_url, mail("bob-again", "bob"))
            await eventually(shown(records, ["ada", "ada-again", "bob", "bob-again", "eve"]), within=60)
            await eventually(lambda: everybody_is_ready(services), within=30)
            await nothing_is_left(records)
            code, told = await reconcile(older, nats_url)
            assert code == 0, told
        await records.close()


async def everybody_is_ready(services):
    problems = {name: await service.problem() for name, service in services.items()}
    assert not {name: problem for name, problem in problems.items() if problem}
    return True
