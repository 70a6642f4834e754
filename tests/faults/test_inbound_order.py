"""P3 at the door: an answer that comes after a crash of ingest must not be read before the mail that it answers."""

import asyncio
import signal

import asyncpg
import nats
import pytest

from deskstream.contracts.inbound import Identity, InboundMessage, ThreadHints
from deskstream.runtime.schemas import installed_services
from deskstream.testkit.desk import prepare
from deskstream.testkit.eventually import eventually
from deskstream.testkit.processes import supervised

pytestmark = pytest.mark.long


def mail(external_id, *references):
    message = InboundMessage(
        external_id=external_id,
        sender=Identity(email="ada@org.example"),
        text=external_id,
        thread=ThreadHints(references=references),
    )
    return message.model_dump_json(exclude_defaults=True).encode()


async def test_p3_an_answer_after_a_crash_stays_in_its_thread(database, nats_url, monkeypatch):
    await prepare([installed_services()["ingest"]], database, nats_url)
    monkeypatch.setenv("DESKSTREAM_NATS_URL", nats_url)
    monkeypatch.setenv("DESKSTREAM_POSTGRES_URL", database)
    monkeypatch.setenv("DESKSTREAM_THREAD_SECRET", "thread-secret-of-the-faults")
    client, records = await nats.connect(nats_url), await asyncpg.connect(database)
    try:
        async with supervised("deskstream.runtime", "ingest", failpoint="ingest:before_commit:1") as ingest:
            await client.jetstream().publish("inbound.email.support", mail("first"))
            await eventually(lambda: ingest.deaths == [-signal.SIGKILL], within=20)
            await client.jetstream().publish("inbound.email.support", mail("answer", "first"))

            async def both():
                rows = await records.fetch("SELECT external_id, thread_id FROM ingest.archive ORDER BY position")
                return rows if len(rows) == 2 else []

            await eventually(both, within=60)
            rows = await both()
            assert [row["external_id"] for row in rows] == ["first", "answer"]
            assert rows[0]["thread_id"] == rows[1]["thread_id"]
    finally:
        await asyncio.gather(client.close(), records.close())
