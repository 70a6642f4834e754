"""The service as it runs: on a real broker and a real database, with durable timers."""

import json
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from uuid import uuid4, uuid5

import nats
import pytest

from deskstream.contracts import conversation
from deskstream.contracts.envelope import HEADER_ID, HEADER_SEQUENCE, HEADER_TYPE, Stamp, encode, event_type
from deskstream.contracts.ids import ConversationId
from deskstream.contracts.sla import ExplainClocks
from deskstream.messaging import Declaration, Service
from deskstream.sla.app import SERVICE
from deskstream.sla.config import Settings
from deskstream.testkit.desk import desk
from deskstream.testkit.eventually import eventually

TELLER = Declaration(
    name="teller",
    settings=Settings,
    build=lambda settings: Service(hears=()),
    migrations=files("deskstream.testkit.sample") / "migrations",
    says=(conversation.LANE,),
    calls=(ExplainClocks,),
)


@pytest.fixture(autouse=True)
def _always_open(monkeypatch):
    monkeypatch.setenv("DESKSTREAM_SLA_HOURS", "24x7")
    monkeypatch.setenv("DESKSTREAM_SLA_FIRST_RESPONSE_MINUTES", "1")


@pytest.fixture
async def broker(nats_url):
    client = await nats.connect(nats_url)
    yield client
    await client.close()


async def publish(broker, events):
    for event in events:
        sequence = event.after.version
        identity = uuid5(event.conversation_id, str(sequence))
        stamp = Stamp(identity, sequence, identity, identity, None, event.at)
        headers = {HEADER_ID: str(identity), HEADER_TYPE: event_type(event), HEADER_SEQUENCE: str(sequence)}
        await broker.jetstream().publish(event.subject(), encode(event, stamp).encode(), headers=headers)


async def said(pool, conversation_id):
    rows = await pool.fetch("SELECT at, body FROM journal WHERE key = $1 ORDER BY seq", str(conversation_id))
    return [(row["at"], json.loads(row["body"])) for row in rows]


async def names(pool, conversation_id):
    return [body["type"].removeprefix("deskstream.sla.clock_") for _, body in await said(pool, conversation_id)]


def fresh(story):
    return story(conversation_id=ConversationId(uuid4()))


async def test_s7_warned_and_breached_once_each_and_never_early(database, nats_url, broker, story):
    told = fresh(story)
    async with desk([TELLER, SERVICE], database, nats_url) as services:
        pool = services["sla"].pool
        told.say(datetime.now(UTC) - timedelta(seconds=58), "customer opens")
        await publish(broker, told.events)
        await eventually(lambda: breached(pool, told), within=10)
        assert await names(pool, told.conversation_id) == ["started", "warned", "breached"]
        (_, start), _, (breach_at, _) = await said(pool, told.conversation_id)
        late = breach_at - datetime.fromisoformat(start["data"]["clock"]["due_at"])
        assert timedelta() <= late <= timedelta(seconds=5)
        assert await pool.fetchval("SELECT count(*) FROM timers") == 0


async def test_s7_nothing_is_said_again_after_a_restart(database, nats_url, broker, story):
    told, now = fresh(story), datetime.now(UTC)
    told.say(now - timedelta(minutes=5), "customer opens")
    async with desk([TELLER, SERVICE], database, nats_url) as services:
        await publish(broker, told.events)
        await eventually(lambda: breached(services["sla"].pool, told))
    told.say(now - timedelta(minutes=4), "customer writes")
    told.say(now - timedelta(minutes=3), "agent answers: a")
    async with desk([TELLER, SERVICE], database, nats_url) as services:
        pool = services["sla"].pool
        await publish(broker, told.events)
        await eventually(lambda: pool.fetchval("SELECT seq = 3 FROM progress"))
        assert await names(pool, told.conversation_id) == ["started", "warned", "breached", "stopped"]


async def breached(pool, told):
    return "breached" in await names(pool, told.conversation_id)


async def test_s7_a_reply_cancels_the_timer(database, nats_url, broker, story):
    told = fresh(story)
    async with desk([TELLER, SERVICE], database, nats_url) as services:
        pool, now = services["sla"].pool, datetime.now(UTC)
        told.say(now - timedelta(seconds=10), "customer opens")
        await publish(broker, told.events)
        await eventually(lambda: pool.fetchval("SELECT count(*) FROM timers"))
        told.say(now, "agent answers: a")
        await publish(broker, told.events[1:])
        await eventually(lambda: stopped(pool, told))
        assert await pool.fetchval("SELECT count(*) FROM timers") == 0


async def stopped(pool, told):
    return await names(pool, told.conversation_id) == ["started", "stopped"]


async def test_in_any_order_and_twice_the_story_ends_the_same(database, nats_url, broker, story):
    told, now = fresh(story), datetime.now(UTC)
    for after, sentence in enumerate(
        ["customer opens", "agent answers: a", "customer writes", "on hold", "undelivered: a", "agent answers: b"]
    ):
        told.say(now - timedelta(seconds=30 - after), sentence)
    async with desk([TELLER, SERVICE], database, nats_url) as services:
        pool = services["sla"].pool
        await publish(broker, [*reversed(told.events), *told.events])
        await eventually(lambda: ended(pool, told))
        answer = await services["teller"].call(ExplainClocks(conversation_id=told.conversation_id))
        assert [clock["state"] for clock in answer.result["clocks"]] == ["met", "replaced"]
        assert answer.result["clocks"][0]["business_seconds"] == 5


async def ended(pool, told):
    expected = ["started", "stopped", "started", "resumed", "stopped"]
    return await names(pool, told.conversation_id) == expected
