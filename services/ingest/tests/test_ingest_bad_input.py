"""What NATS publishers get for bad input (reliability §3), by a real broker: a rejection with field and reason."""

import asyncio
import json

import nats
import pytest
import pytest_asyncio
from nats.errors import MaxPayloadError

from deskstream.contracts.ingest import ChannelCounts, CountInbound, InboundCounts
from deskstream.ingest.app import SERVICE
from deskstream.testkit.desk import desk
from deskstream.testkit.eventually import eventually

GOOD = {"external_id": "1", "sender": {"email": "ada@example.org"}, "text": "Hello"}
REPORT = {"type": "delivery", "conversation_id": "no uuid", "reply_id": "no uuid", "state": "sent"}
SUPPORT = "inbound.email.support"

CASES = (
    ("not JSON", SUPPORT, b"hello", "body", "Invalid JSON"),
    ("no UTF-8", SUPPORT, b"\xff\xfe", "body", "Invalid JSON"),
    ("a list", SUPPORT, b"[]", "body", "object"),
    ("no sender", SUPPORT, json.dumps({"external_id": "2"}).encode(), "sender", "required"),
    ("a sender of nobody", SUPPORT, json.dumps(GOOD | {"sender": {"name": "x"}}).encode(), "sender.email", "email"),
    ("a text that is a number", SUPPORT, json.dumps(GOOD | {"text": 12}).encode(), "text", "string"),
    ("another type than the subject's", SUPPORT, json.dumps(GOOD | {"channel": "slack"}).encode(), "channel", "slack"),
    ("another inbox", SUPPORT, json.dumps(GOOD | {"inbox": "sales"}).encode(), "inbox", "sales"),
    ("a report of nothing", SUPPORT, json.dumps(REPORT).encode(), "conversation_id", "UUID"),
    ("a channel in capitals", "inbound.EMAIL.support", json.dumps(GOOD).encode(), "subject", "channel"),
    ("an inbox of 65 letters", f"inbound.email.{'x' * 65}", json.dumps(GOOD).encode(), "subject", "inbox"),
    ("four tokens", "inbound.email.support.more", json.dumps(GOOD).encode(), "subject", "inbound.<channel>.<inbox>"),
    ("over 64 KiB", SUPPORT, json.dumps(GOOD | {"text": "x" * 70_000}).encode(), "body", "65,536 bytes"),
    ("the same id, other words", SUPPORT, json.dumps(GOOD | {"text": "Bye"}).encode(), "external_id", "used before"),
)


@pytest.fixture(autouse=True)
def _secret(monkeypatch):
    monkeypatch.setenv("DESKSTREAM_THREAD_SECRET", "a secret of the desk, long enough")


@pytest_asyncio.fixture
async def broker(nats_url):
    client = await nats.connect(nats_url)
    yield client
    await client.close()


async def counts(service):
    answer = await service.call(CountInbound())
    return InboundCounts.model_validate(answer.result).channels


async def rejections(pool):
    rows = await pool.fetch("SELECT body::json -> 'data' AS said FROM journal WHERE type LIKE '%rejected' ORDER BY id")
    return [json.loads(row["said"]) for row in rows]


async def test_each_breach_is_answered_with_field_and_reason_kept_and_in_nobodys_way(database, nats_url, broker):
    async with desk([SERVICE], database, nats_url) as services:
        pool, stream = services["ingest"].pool, broker.jetstream()
        await stream.publish(SUPPORT, json.dumps(GOOD).encode())
        for _, subject, body, _, _ in CASES:
            await stream.publish(subject, body)
        await stream.publish(SUPPORT, json.dumps(GOOD | {"external_id": "last"}).encode())
        await eventually(lambda: everything_archived(pool), within=15)
        said = await rejections(pool)
        assert [(name, one["field"], reason in one["reason"]) for (name, _, _, _, reason), one in
                zip(CASES, said, strict=True)] == [(name, field, True) for name, _, _, field, _ in CASES]  # fmt: skip
        kept = {str(row["id"]): row["body"] for row in await pool.fetch("SELECT id, body FROM archive")}
        assert [kept[one["archive_id"]] for one in said] == [body for _, _, body, _, _ in CASES]
        assert sum(one.applied for one in (await counts(services["ingest"])).values()) == 2


async def everything_archived(pool):
    return await pool.fetchval("SELECT count(*) FROM archive") == len(CASES) + 2


async def test_what_the_broker_itself_cannot_carry_is_the_publishers_error(nats_url, broker):
    with pytest.raises(MaxPayloadError):
        await broker.publish(SUPPORT, b"x" * (200 * 1024))


async def test_p2_the_same_message_a_thousand_times_at_once_has_one_effect(database, nats_url, broker):
    async with desk([SERVICE], database, nats_url) as services:
        stream, body = broker.jetstream(), json.dumps(GOOD).encode()
        await asyncio.gather(*(stream.publish(SUPPORT, body, timeout=20) for _ in range(1_000)))

        async def all_counted():
            return await counts(services["ingest"]) == {
                "email": ChannelCounts(received=1_000, applied=1, duplicate=999)
            }

        await eventually(all_counted, within=30)
