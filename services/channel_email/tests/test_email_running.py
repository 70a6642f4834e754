"""The mail channel as it really runs: SMTP in, a broker behind, mails out to a folder, and a bounce back."""

import asyncio
import json
import socket
from dataclasses import dataclass
from email import message_from_bytes
from importlib.resources import files

import nats
import pytest
from pydantic_settings import BaseSettings

from deskstream.channel_email.app import SERVICE
from deskstream.contracts.inbound import DeliveryReported, InboundMessage, read_inbound
from deskstream.contracts.outbound import OutboundMessage
from deskstream.messaging import Aggregate, Answer, Declaration, Service
from deskstream.runtime.embedded.home import Home
from deskstream.runtime.embedded.nats import EmbeddedNats
from deskstream.testkit.desk import desk
from deskstream.testkit.eventually import eventually
from services.channel_email.tests.given import CONVERSATION, OUR_ID, REPLY, SECRET, reply, sample
from services.channel_email.tests.given_smtp import bring, connected


@dataclass(frozen=True)
class Say:
    event: OutboundMessage


async def load_nothing(tx, keys):
    return dict.fromkeys(keys)


async def save_nothing(tx, states):
    return None


SAYING = Aggregate(
    "saying", load_nothing, save_nothing, lambda state, asked, now: [asked.event], lambda state, said: state
)
CONVERSATIONS = Declaration(
    name="conversation",
    settings=BaseSettings,
    build=lambda settings: Service(
        hears=(), answers=[Answer(Say, SAYING, key=lambda asked: asked.event.conversation_id)]
    ),
    migrations=files("deskstream.testkit.sample") / "migrations",
    says=("outbound.email",),
)


@pytest.fixture
def port(monkeypatch, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        number = free.getsockname()[1]
    monkeypatch.setenv("DESKSTREAM_THREAD_SECRET", SECRET)
    monkeypatch.setenv("DESKSTREAM_EMAIL_LISTEN", f"127.0.0.1:{number}")
    monkeypatch.setenv("DESKSTREAM_EMAIL_MAILDIR", str(tmp_path / "mail"))
    return number


async def journal(pool):
    """What was said, oldest first."""
    return [read_inbound(row["body"]) for row in await pool.fetch("SELECT body FROM journal ORDER BY id")]


async def on_the_stream(nats_url, count):
    client = await nats.connect(nats_url)
    try:
        last = (await client.jetstream().stream_info("INBOUND")).state.last_seq
        return last >= count
    finally:
        await client.close()


async def test_p1_what_got_its_250_is_in_the_journal_and_then_on_the_stream(database, nats_url, port):
    async with desk([CONVERSATIONS, SERVICE], database, nats_url) as services:
        async with connected(port) as client:
            assert (await bring(client, sample("plain")))[0] == 250
        (said,) = await journal(services["channel_email"].pool)
        await eventually(lambda: on_the_stream(nats_url, 1))

    assert isinstance(said, InboundMessage)
    assert said.title == "Export stops at 10,000 rows"
    assert said.at.year > 2000


async def test_p2_one_mail_over_many_connections_is_one_message(database, nats_url, port):
    async def once(raw):
        async with connected(port) as client:
            return (await bring(client, raw))[0]

    raw = sample("plain")
    routes = [raw.replace(b"id 4Zk1ab", b"id route%d" % n) for n in range(6)]
    async with desk([CONVERSATIONS, SERVICE], database, nats_url) as services:
        answers = await asyncio.gather(*(once(route) for route in routes * 2))
        said = await journal(services["channel_email"].pool)

    assert answers == [250] * 12
    assert len(said) == 1


@pytest.fixture
def own_broker(tmp_path):
    """A broker of this test's own, stopped whatever happens."""
    (tmp_path / "broker").mkdir()
    broker = EmbeddedNats(Home(tmp_path / "broker", user=None))
    yield broker
    broker.stop()


async def titles_on_the_stream(nats_url):
    """In the stream's order; what was published once more after an outage counts once."""
    client = await nats.connect(nats_url)
    try:
        stream = client.jetstream()
        last = (await stream.stream_info("INBOUND")).state.last_seq
        stored = [await stream.get_msg("INBOUND", sequence) for sequence in range(1, last + 1)]
        return list(dict.fromkeys(json.loads(message.data or b"{}")["title"] for message in stored))
    finally:
        await client.close()


@pytest.mark.slow
async def test_p3_what_was_taken_without_a_broker_goes_out_before_what_came_later(database, own_broker, port):
    url, brought = own_broker.start(), list[str]()

    async def bring_one(client):
        number = len(brought)
        raw = b"From: a@b.example\r\nMessage-ID: <%d@b.example>\r\nSubject: %d\r\n\r\nhi\r\n" % (number, number)
        assert (await bring(client, raw))[0] == 250
        brought.append(str(number))

    async with desk([CONVERSATIONS, SERVICE], database, url), connected(port) as client:
        await bring_one(client)
        await eventually(lambda: on_the_stream(url, 1))
        await asyncio.to_thread(own_broker.stop)
        await bring_one(client)
        await bring_one(client)
        await asyncio.to_thread(own_broker.start)

        async def later_ones_are_out():
            await bring_one(client)
            return len(await titles_on_the_stream(url)) > 3

        await eventually(later_ones_are_out, within=20)
        await eventually(lambda: on_the_stream(url, len(brought)), within=20)
        assert await titles_on_the_stream(url) == brought


async def test_c17_a_reply_leaves_is_reported_and_comes_back(database, nats_url, port, tmp_path):
    async with desk([CONVERSATIONS, SERVICE], database, nats_url) as services:
        pool = services["channel_email"].pool
        await services["conversation"].ask(Say(reply()), idempotency_key="1")
        new = tmp_path / "mail" / "new"
        (mail,) = await eventually(lambda: list(new.iterdir()) if new.exists() else [], within=15)
        await eventually(lambda: journal(pool), within=15)
        async with connected(port) as client:
            assert (await bring(client, sample("bounce"), mail_from=""))[0] == 250
        sent, filed, failed = await journal(pool)

    assert message_from_bytes(mail.read_bytes())["Message-ID"] == OUR_ID == sent.external_id
    assert isinstance(sent, DeliveryReported)
    assert isinstance(failed, DeliveryReported)
    assert (sent.state, failed.state, failed.permanent) == ("sent", "failed", True)
    assert (failed.conversation_id, failed.reply_id) == (CONVERSATION, REPLY)
    assert isinstance(filed, InboundMessage)
    assert filed.automatic is not None
