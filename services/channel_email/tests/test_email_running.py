"""The mail channel as it really runs: SMTP in, a broker behind, mails out to a folder, and a bounce back."""

import asyncio
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from importlib.resources import files
from pathlib import Path
from uuid import UUID

import aiosmtplib
import nats
import pytest
from pydantic_settings import BaseSettings

from deskstream.channel_email.app import SERVICE
from deskstream.contracts import thread_token
from deskstream.contracts.ids import ConversationId
from deskstream.contracts.inbound import DeliveryReported, Identity, InboundMessage, read_inbound
from deskstream.contracts.outbound import OutboundMessage
from deskstream.messaging import Aggregate, Answer, Declaration, Service
from deskstream.testkit.desk import desk
from deskstream.testkit.eventually import eventually

MAILS = Path(__file__).parent / "mails"
SECRET = "a secret for tests only"
CONVERSATION = ConversationId(UUID("018f3f6e-2f4b-7c11-9a55-4d2f0c9b1e01"))
REPLY = UUID("018f3f6e-9c00-7d22-8b44-77aa00bb11cc")
OUR_ID = f"<{REPLY}.{thread_token.sign(CONVERSATION, SECRET)}@example.org>"


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

REPLYING = OutboundMessage(
    at=datetime(2026, 5, 4, 9, 20, tzinfo=UTC),
    conversation_id=CONVERSATION,
    number=1,
    reply_id=REPLY,
    channel="email",
    inbox="support",
    to=Identity(email="anna.berger@acme.example"),
    author="bruno",
    title="Export stops",
    text="It is fixed.",
)


@pytest.fixture
def port(monkeypatch, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        number = free.getsockname()[1]
    monkeypatch.setenv("DESKSTREAM_THREAD_SECRET", SECRET)
    monkeypatch.setenv("DESKSTREAM_EMAIL_LISTEN", f"127.0.0.1:{number}")
    monkeypatch.setenv("DESKSTREAM_EMAIL_MAILDIR", str(tmp_path / "mail"))
    return number


@asynccontextmanager
async def sender(port):
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, local_hostname="x.example", start_tls=False)
    await client.connect()
    yield client
    client.close()


async def bring(client, raw, *, mail_from="a@acme.example"):
    await client.mail(mail_from)
    await client.rcpt("support@example.org")
    return (await client.data(raw)).code


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
        async with sender(port) as client:
            assert await bring(client, (MAILS / "plain.eml").read_bytes()) == 250
        (said,) = await journal(services["channel_email"].pool)
        await eventually(lambda: on_the_stream(nats_url, 1))

    assert isinstance(said, InboundMessage)
    assert said.title == "Export stops at 10,000 rows"
    assert said.at.year > 2000


async def test_p2_one_mail_over_many_connections_is_one_message(database, nats_url, port):
    async def once(raw):
        async with sender(port) as client:
            return await bring(client, raw)

    raw = (MAILS / "plain.eml").read_bytes()
    routes = [raw.replace(b"id 4Zk1ab", b"id route%d" % n) for n in range(6)]
    async with desk([CONVERSATIONS, SERVICE], database, nats_url) as services:
        answers = await asyncio.gather(*(once(route) for route in routes * 2))
        said = await journal(services["channel_email"].pool)

    assert answers == [250] * 12
    assert len(said) == 1


async def test_c17_a_reply_leaves_is_reported_and_comes_back(database, nats_url, port, tmp_path):
    async with desk([CONVERSATIONS, SERVICE], database, nats_url) as services:
        pool = services["channel_email"].pool
        await services["conversation"].ask(Say(REPLYING), idempotency_key="1")
        new = tmp_path / "mail" / "new"
        (mail,) = await eventually(lambda: list(new.iterdir()) if new.exists() else [], within=15)
        await eventually(lambda: journal(pool), within=15)
        async with sender(port) as client:
            assert await bring(client, (MAILS / "bounce.eml").read_bytes(), mail_from="") == 250
        sent, filed, failed = await journal(pool)

    assert message_from_bytes(mail.read_bytes())["Message-ID"] == OUR_ID == sent.external_id
    assert isinstance(sent, DeliveryReported)
    assert isinstance(failed, DeliveryReported)
    assert (sent.state, failed.state, failed.permanent) == ("sent", "failed", True)
    assert (failed.conversation_id, failed.reply_id) == (CONVERSATION, REPLY)
    assert isinstance(filed, InboundMessage)
    assert filed.automatic is not None
