"""Ingest as it runs: plain NATS publishes in, events and counts out."""

import json

import nats
import pytest
import pytest_asyncio

from deskstream.contracts.ingest import ChannelCounts, CountInbound, InboundCounts
from deskstream.ingest.app import SERVICE
from deskstream.testkit.desk import desk
from deskstream.testkit.eventually import eventually


@pytest.fixture(autouse=True)
def _secret(monkeypatch):
    monkeypatch.setenv("DESKSTREAM_THREAD_SECRET", "a secret of the desk, long enough")


@pytest_asyncio.fixture
async def broker(nats_url):
    client = await nats.connect(nats_url)
    yield client
    await client.close()


def mail(external_id, **fields):
    return json.dumps({"external_id": external_id, "sender": {"email": "ada@example.org"}, "text": "Hello", **fields})


async def counts(service):
    answer = await service.call(CountInbound())
    return InboundCounts.model_validate(answer.result).channels


async def journaled(pool):
    rows = await pool.fetch("SELECT body::json -> 'data' AS said, type FROM journal ORDER BY id")
    return [(row["type"].rpartition(".")[2], json.loads(row["said"])) for row in rows]


async def test_what_is_published_with_plain_nats_gets_in_and_what_is_broken_gets_its_rejection(
    database, nats_url, broker
):
    async with desk([SERVICE], database, nats_url) as services:
        ingest, stream = services["ingest"], broker.jetstream()
        heard = await broker.subscribe("events.>")
        for body in (mail("1"), mail("2", thread={"references": ["1"]}), mail("1"), '{"external_id": "3"}', "hello"):
            await stream.publish("inbound.email.support", body.encode())
        await stream.publish("inbound.phone", b"ring")
        messages = [await heard.next_msg(timeout=5) for _ in range(6)]
        said = await journaled(ingest.pool)
        assert [kind for kind, _ in said] == [
            *["message_received"] * 2,
            "message_duplicate",
            *["message_rejected"] * 3,
        ]
        assert [one.get("field") for _, one in said[3:]] == ["sender", "body", "subject"]
        assert said[0][1]["thread_id"] == said[1][1]["thread_id"] == said[2][1]["thread_id"]
        assert sorted(message.subject for message in messages) == sorted(
            f"events.ingest.{kind}.{one.get('thread_id') or one['archive_id']}" for kind, one in said
        )
        assert await counts(ingest) == {
            "": ChannelCounts(received=1, rejected=1),
            "email": ChannelCounts(received=5, applied=2, duplicate=1, rejected=2),
        }


async def test_p2_what_was_archived_before_a_restart_is_not_handled_again(database, nats_url, broker):
    stream = broker.jetstream()
    async with desk([SERVICE], database, nats_url) as services:
        await stream.publish("inbound.email.support", mail("1").encode())
        await eventually(lambda: counts(services["ingest"]))
    # A durable made anew delivers all that is stored once more, as after a lost acknowledgement.
    [durable] = await stream.consumers_info("INBOUND")
    await stream.delete_consumer("INBOUND", durable.name)
    async with desk([SERVICE], database, nats_url) as services:
        ingest = services["ingest"]
        await stream.publish("inbound.email.support", mail("2").encode())
        await eventually(lambda: archived(ingest.pool, 2))
        assert await counts(ingest) == {"email": ChannelCounts(received=2, applied=2)}
        assert [one["message"]["external_id"] for _, one in await journaled(ingest.pool)] == ["1", "2"]


async def archived(pool, number):
    return await pool.fetchval("SELECT count(*) FROM archive") == number
