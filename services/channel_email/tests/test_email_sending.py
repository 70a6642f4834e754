"""Replies by a relay: what its answers mean, what is looked up, what must not leave."""

import asyncio
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from aiosmtpd.smtp import SMTP

from deskstream.blobs import Blobs
from deskstream.channel_email.provider.relay import Address, read_url
from deskstream.contracts.inbound import Attachment, Identity
from deskstream.messaging import SendFailed, SendUnknown
from services.channel_email.tests.given import OUR_ID, TOKEN, reply
from services.channel_email.tests.given_sending import providing, relay_to


@pytest.fixture
async def provider(pool, smtp_sink):
    async with providing(pool, relay_to(smtp_sink.port)) as provider:
        yield provider


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("smtp://relay", Address("relay", 25, "none")),
        ("smtp://127.0.0.1:1025", Address("127.0.0.1", 1025, "none")),
        ("smtp+starttls://u%40x:p%2Fw@relay:587", Address("relay", 587, "starttls", "u@x", "p/w")),
        ("smtps://user:secret@relay", Address("relay", 465, "tls", "user", "secret")),
    ],
)
def test_relays_by_url(url, address):
    assert read_url(url) == address
    assert "secret" not in repr(address)


@pytest.mark.parametrize("url", ["relay:25", "http://relay", "smtp://", "smtp+tls://relay"])
def test_other_urls_are_refused(url):
    with pytest.raises(ValueError, match="must look like"):
        read_url(url)


async def test_a_reply_leaves_by_the_relay(provider, smtp_sink):
    sent = await provider.send(reply(copied=(Identity(email="sara@acme.example"),)))
    (mail,) = smtp_sink.mails

    assert sent == OUR_ID == mail.message["Message-ID"]
    assert mail.sender == f"support+{TOKEN}@example.org"
    assert mail.recipients == ("anna@acme.example", "sara@acme.example")


async def test_replies_share_a_connection_until_the_relay_ends_it(pool, smtp_sink):
    sessions = []

    def session():
        sessions.append(SMTP(smtp_sink, hostname="sink"))
        return sessions[-1]

    server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0)
    async with providing(pool, relay_to(server.sockets[0].getsockname()[1])) as provider:
        for _ in range(3):
            await provider.send(reply(reply_id=uuid4()))
        used = len(sessions)
        sessions[0]._writer.close()
        await provider.send(reply())
    server.close()

    assert (used, len(sessions), len(smtp_sink.mails)) == (1, 2, 4)


async def test_many_replies_leave_at_once(provider, smtp_sink):
    await asyncio.gather(*(provider.send(reply(reply_id=uuid4(), conversation_id=uuid4())) for _ in range(10)))

    assert len({mail.message["Message-ID"] for mail in smtp_sink.mails}) == 10


@pytest.mark.parametrize(
    ("answer", "permanent"),
    [
        pytest.param("550 5.1.1 no such user", True, id="C17: 5xx will not be mended by another try"),
        pytest.param("554 5.7.1 spam", True, id="C17: 554 neither"),
        pytest.param("451 4.3.0 try later", False, id="C17: 4xx may be"),
        pytest.param("452 4.2.2 mailbox full", False, id="C17: a full mailbox too"),
    ],
)
async def test_c17_what_a_relay_refuses_has_failed(provider, smtp_sink, answer, permanent):
    smtp_sink.refuse(answer)

    with pytest.raises(SendFailed) as failed:
        await provider.send(reply())
    await provider.send(reply())

    assert (failed.value.reason, failed.value.permanent) == (answer, permanent)
    assert len(smtp_sink.mails) == 1


@asynccontextmanager
async def script(*lines):
    """A relay that answers each of our lines (and the mail as one) with the next of these, then hangs up."""

    async def talk(reader, writer):
        for number, line in enumerate(lines):
            writer.write(line)
            await writer.drain()
            if number < len(lines) - 1:
                await (reader.readuntil(b"\r\n.\r\n") if line.startswith(b"354") else reader.readline())
        if lines[-1].startswith(b"354"):
            await reader.readuntil(b"\r\n.\r\n")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield relay_to(server.sockets[0].getsockname()[1])
    finally:
        server.close()


HELLO, OK, GO = b"220 hi\r\n", b"250 ok\r\n", b"354 go\r\n"


@pytest.mark.parametrize(
    ("lines", "error", "permanent"),
    [
        pytest.param((HELLO, OK, OK, OK, GO), SendUnknown, None, id="P9: lost after the mail went out: unknown"),
        pytest.param((HELLO, OK, OK, OK, GO, b"what?\r\n"), SendUnknown, None, id="P9: no readable answer: unknown"),
        pytest.param((HELLO, OK, OK), SendFailed, False, id="lost before the mail went out: not sent"),
        pytest.param((b"554 go away\r\n",), SendFailed, False, id="not let in: for the operator to mend"),
        pytest.param((HELLO, OK, b"550 no\r\n"), SendFailed, True, id="the sender refused"),
        pytest.param((HELLO, OK, OK, b"550 no\r\n"), SendFailed, True, id="the recipient refused"),
        pytest.param((HELLO, OK, OK, b"450 busy\r\n"), SendFailed, False, id="the recipient put off"),
        pytest.param((HELLO, OK, OK, OK, b"451 busy\r\n"), SendFailed, False, id="the mail put off"),
    ],
)
async def test_p9_the_relay_is_taken_at_its_word(pool, lines, error, permanent):
    async with script(*lines) as relay, providing(pool, relay) as provider:
        with pytest.raises(error) as raised:
            await provider.send(reply())

    assert getattr(raised.value, "permanent", None) is permanent


async def test_a_copied_one_who_is_refused_keeps_nobody_else_from_it(pool):
    lines = (HELLO, OK, OK, OK, b"550 no\r\n", GO, OK)
    async with script(*lines) as relay, providing(pool, relay) as provider:
        assert await provider.send(reply(copied=(Identity(email="sara@acme.example"),))) == OUR_ID


async def test_a_relay_that_is_not_there_is_tried_again(pool):
    async with providing(pool, relay_to(1)) as provider:
        with pytest.raises(SendFailed) as failed:
            await provider.send(reply())

    assert failed.value.permanent is False


async def test_attachments_come_from_the_blobs(pool, provider, smtp_sink):
    sha256 = await Blobs(pool).put(b"%PDF", "application/pdf")
    await provider.send(reply(attachments=(Attachment(name="../plan.pdf", size=4, sha256=sha256),)))

    (part,) = smtp_sink.mails[0].message.iter_attachments()
    assert (part.get_filename(), part.get_content()) == ("plan.pdf", b"%PDF")


async def test_an_attachment_that_is_gone_keeps_the_reply_back(provider, smtp_sink):
    with pytest.raises(SendFailed, match="not there any more") as failed:
        await provider.send(reply(attachments=(Attachment(name="plan.pdf", size=4, sha256="0" * 64),)))

    assert failed.value.permanent
    assert smtp_sink.mails == []


async def test_p17_the_11th_automatic_message_within_an_hour_stays_here(provider, smtp_sink):
    for _ in range(10):
        await provider.send(reply(reply_id=uuid4(), automatic=True, in_reply_to=None))
    with pytest.raises(SendFailed, match="loop") as failed:
        await provider.send(reply(automatic=True, in_reply_to=None))
    await provider.send(reply())

    assert failed.value.permanent
    assert failed.value.kept_back
    assert len(smtp_sink.mails) == 11


async def test_p17_of_many_automatic_replies_to_one_sender_one_leaves_and_it_may_be_tried_again(provider, smtp_sink):
    replies = [reply(reply_id=uuid4(), conversation_id=uuid4(), automatic=True) for _ in range(6)]
    outcomes = await asyncio.gather(*(provider.send(one) for one in replies), return_exceptions=True)

    (left,) = [one for one, outcome in zip(replies, outcomes, strict=True) if isinstance(outcome, str)]
    assert all("24 hours" in str(outcome) for outcome in outcomes if not isinstance(outcome, str))
    smtp_sink.refuse("451 later")
    with pytest.raises(SendFailed, match="later"):
        await provider.send(left)
    await provider.send(left)
    assert len(smtp_sink.mails) == 2


async def test_w4_reminders_are_no_replies_but_no_more_than_ten_leave_in_an_hour(provider, smtp_sink):
    await provider.send(reply(reply_id=uuid4(), automatic=True))
    for _ in range(9):
        await provider.send(reply(reply_id=uuid4(), automatic=True, reminds=True))
    with pytest.raises(SendFailed, match="loop"):
        await provider.send(reply(reply_id=uuid4(), automatic=True, reminds=True))

    assert len(smtp_sink.mails) == 10


async def test_p9_what_was_sent_is_found_again(provider):
    assert await provider.look_up(reply()) is None
    await provider.send(reply())
    assert await provider.look_up(reply()) == OUR_ID


async def test_a_reply_without_an_address_has_failed(provider):
    with pytest.raises(SendFailed, match="not a mail address") as failed:
        await provider.send(reply(to=Identity(phone="+49 30 1")))

    assert failed.value.permanent
