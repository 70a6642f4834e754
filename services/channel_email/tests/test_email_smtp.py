"""What is said to a mail server that brings mail, on a real socket; the service behind is a recorder."""

import asyncio
import hashlib
import smtplib
import ssl
from contextlib import asynccontextmanager
from pathlib import Path

import aiosmtplib
import asyncpg
import pytest

from deskstream.blobs import Blobs
from deskstream.channel_email.rules import Rules
from deskstream.channel_email.smtp.server import Doors, MailServer
from deskstream.contracts import Answered, Problem
from deskstream.testkit.eventually import eventually

MAILS = Path(__file__).parent / "mails"
TLS = Path(__file__).parent / "tls"
RULES = Rules(
    inboxes={"support@example.org": "support", "feedback@example.org": "feedback"},
    secret="a secret for tests only",
)


class Recorder:
    """A service that says yes, unless it is told otherwise."""

    name = "channel_email"

    def __init__(self, pool):
        self.pool = pool
        self.asked = []
        self.keys = []
        self.answer = Answered(ok=True, result={"new": True})
        self.open = asyncio.Event()
        self.open.set()

    async def ask(self, message, *, idempotency_key, actor=None):
        await self.open.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer.ok:
            self.asked.append(message)
        self.keys.append(idempotency_key)
        return self.answer

    async def call(self, command, *, idempotency_key=None, actor=None):
        raise TimeoutError


@pytest.fixture
async def running(pool_for):
    return Recorder(await pool_for("channel_email"))


@asynccontextmanager
async def serving(running, *, rules=RULES, **doors):
    server = MailServer(Doors("127.0.0.1", 0, "mail.example.org", readers=1, **doors), rules)
    async with server.serving(running):
        yield server


@pytest.fixture
async def server(running):
    async with serving(running) as server:
        yield server


@asynccontextmanager
async def connected(server):
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=server.port, local_hostname="sender.example", start_tls=False)
    await client.connect()
    yield client
    client.close()


async def bring(client, raw, *, mail_from="a@acme.example", to=("support@example.org",)):
    """What the server says to the mail; the first refusal where it refuses earlier."""
    try:
        await client.mail(mail_from)
        for recipient in to:
            await client.rcpt(recipient)
        answer = await client.data(raw)
    except aiosmtplib.SMTPResponseException as refused:
        return refused.code, refused.message
    return answer.code, answer.message


def sample(name):
    return (MAILS / f"{name}.eml").read_bytes()


async def rejections(running):
    return await running.pool.fetch("SELECT reason, sha256, size, mail_from, recipients FROM rejected_mails")


async def test_p1_a_mail_is_asked_for_before_the_server_says_250(server, running):
    running.open.clear()
    async with connected(server) as client:
        bringing = asyncio.create_task(bring(client, sample("plain")))
        await asyncio.sleep(0.3)
        waited = not bringing.done()
        running.open.set()
        answer = await bringing

    assert waited
    assert answer == (250, "2.6.0 Kept")
    assert [one.message.title for one in running.asked] == ["Export stops at 10,000 rows"]


async def test_n2_the_raw_mail_and_its_files_are_kept_first(server, running):
    raw = sample("attachment")
    async with connected(server) as client:
        await bring(client, raw)

    message = running.asked[0].message
    kept = await Blobs(running.pool).get(message.raw_blob)
    assert kept is not None
    assert (kept.body, kept.media_type) == (raw, "message/rfc822")
    files = [await Blobs(running.pool).get(file.sha256) for file in message.attachments]
    assert [file.media_type for file in files if file] == ["application/pdf", "image/png"]


async def test_p12_the_same_mail_brought_again_has_the_same_key(server, running):
    async with connected(server) as client:
        for _ in range(2):
            await bring(client, sample("plain"))
        await bring(client, sample("html_only"))

    first, again, other = running.keys
    assert first == again != other


async def test_several_mails_go_over_one_connection(server, running):
    async with connected(server) as client:
        for _ in range(3):
            assert (await bring(client, sample("plain")))[0] == 250

    assert len(running.asked) == 3


@pytest.mark.parametrize(
    ("to", "code"),
    [
        pytest.param("support@example.org", 250, id="an inbox"),
        pytest.param("Support+abc@EXAMPLE.ORG", 250, id="an inbox with something after the plus"),
        pytest.param("nobody@example.org", 550, id="nobody of ours"),
        pytest.param("support@elsewhere.example", 550, id="another's domain: we are no relay"),
    ],
)
async def test_who_is_here(server, to, code):
    async with connected(server) as client:
        assert (await bring(client, sample("plain"), to=(to,)))[0] == code


async def test_a_catch_all_takes_every_address_of_our_domains(running):
    rules = Rules(inboxes=RULES.inboxes, secret=RULES.secret, catch_all="other")
    async with serving(running, rules=rules) as server, connected(server) as client:
        assert (await bring(client, sample("plain"), to=("sales@example.org",)))[0] == 250
        assert (await bring(client, sample("plain"), to=("sales@elsewhere.example",)))[0] == 550

    assert [one.message.inbox for one in running.asked] == ["other"]


async def test_one_mail_to_two_inboxes_is_one_message(server, running):
    async with connected(server) as client:
        await bring(client, sample("plain"), to=("feedback@example.org", "support@example.org"))

    assert [one.message.inbox for one in running.asked] == ["feedback"]


@pytest.mark.parametrize(
    ("raw", "answer", "reason"),
    [
        pytest.param(
            b"From: a@b.example\r\n" + b"X: y\r\n" * 300 + b"\r\nhi\r\n",
            (554, "5.6.0 There are more than 300 header fields. (too_many_headers)"),
            "too_many_headers",
            id="too many headers",
        ),
        pytest.param(
            b"From: a@b.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\n" * 1000,
            (554, "5.6.0 There are more than 200 parts. (mime_parts)"),
            "mime_parts",
            id="too many parts",
        ),
        pytest.param(
            sample("own_echo"),
            (250, "2.6.0 This is a mail of our own; it has no effect. (own_echo)"),
            "own_echo",
            id="N8: our own echo is dropped without a word to its sender",
        ),
    ],
)
async def test_a_refused_mail_is_kept_with_its_reason(server, running, raw, answer, reason):
    async with connected(server) as client:
        assert await bring(client, raw, mail_from="x@y.example") == answer

    (row,) = await rejections(running)
    assert tuple(row) == (reason, hashlib.sha256(raw).hexdigest(), len(raw), "x@y.example", ["support@example.org"])
    kept = await Blobs(running.pool).get(row["sha256"])
    assert kept is not None
    assert kept.body == raw
    assert running.asked == []


async def test_p15_a_mail_of_nobody_is_refused(server, running):
    async with connected(server) as client:
        code, text = await bring(client, b"Subject: x\r\n\r\nhi\r\n", mail_from="")

    assert (code, "no_sender" in text) == (554, True)


async def test_a_mail_over_the_limit_is_refused_before_it_is_sent(server, running):
    async with connected(server) as client:
        with pytest.raises(aiosmtplib.SMTPSenderRefused) as refused:
            await client.mail("a@b.example", options=[f"SIZE={26 * 1024 * 1024}"])

    assert refused.value.code == 552
    assert [row["reason"] for row in await rejections(running)] == ["too_big"]


async def test_a_mail_of_26_mib_is_refused_and_the_next_is_taken(server, running):
    async with connected(server) as client:
        big = b"From: a@b.example\r\n\r\n" + (b"x" * 998 + b"\r\n") * (26 * 1024 + 600)
        assert (await bring(client, big))[0] == 552
        assert (await bring(client, sample("plain")))[0] == 250

    assert [row["reason"] for row in await rejections(running)] == ["too_big"]


async def test_html_on_one_line_of_a_megabyte_is_taken(server, running):
    raw = b"From: a@b.example\r\nContent-Type: text/html\r\n\r\n<p>" + b"word " * 200_000 + b"</p>\r\n"
    async with connected(server) as client:
        assert (await bring(client, raw))[0] == 250


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(TimeoutError(), id="no answer in time"),
        pytest.param(asyncpg.CannotConnectNowError("starting"), id="no database"),
        pytest.param(OSError("no route"), id="no network"),
        pytest.param(
            Answered(ok=False, error=Problem(code="unavailable", sentence="Later.")), id="P10: too much to do"
        ),
        pytest.param(ZeroDivisionError("our bug"), id="a bug of ours"),
    ],
)
async def test_p1_what_could_not_be_kept_stays_with_its_sender(server, running, trouble):
    running.answer = trouble
    async with connected(server) as client:
        assert (await bring(client, sample("plain")))[0] == 451
        running.answer = Answered(ok=True, result={"new": True})
        assert (await bring(client, sample("plain")))[0] == 250

    assert len(running.asked) == 1


async def test_a_mail_that_was_here_already_is_accepted(server, running):
    running.answer = Answered(ok=True, result={"new": False})
    async with connected(server) as client:
        assert await bring(client, sample("plain")) == (250, "2.6.0 Kept; it was here already")


async def test_p10_more_connections_than_allowed_are_told_to_come_back(running):
    async with serving(running, connections=2) as server:
        async with connected(server), connected(server):
            reader, _ = await asyncio.open_connection("127.0.0.1", server.port)
            assert (await reader.readline()).startswith(b"421 ")
            assert await reader.read() == b""
        async with connected(server) as client:
            assert (await bring(client, sample("plain")))[0] == 250


async def test_p10_mails_wait_for_a_place(running):
    async with serving(running, at_once=1) as server:
        running.open.clear()
        async with connected(server) as one, connected(server) as two:
            first = asyncio.create_task(bring(one, sample("plain")))
            await asyncio.sleep(0.2)
            second = asyncio.create_task(bring(two, sample("plain")))
            await asyncio.sleep(0.2)
            running.open.set()
            assert [(await first)[0], (await second)[0]] == [250, 250]


async def test_p11_a_mail_on_its_way_is_finished_before_the_server_stops(running):
    running.open.clear()
    async with serving(running) as server:
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=server.port, local_hostname="x.example", start_tls=False)
        await client.connect()
        bringing = asyncio.create_task(bring(client, sample("plain")))
        await asyncio.sleep(0.3)
        asyncio.get_running_loop().call_later(0.2, running.open.set)

    assert (await bringing)[0] == 250
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", server.port)
    client.close()


async def test_a_sender_who_goes_away_in_the_middle_leaves_nothing(server, running):
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    for line in (b"EHLO x.example", b"MAIL FROM:<a@b.example>", b"RCPT TO:<support@example.org>", b"DATA"):
        writer.write(line + b"\r\n")
        await reader.readline()
    writer.write(b"From: a@b.example\r\n\r\nhalf a ma")
    await writer.drain()
    writer.close()
    async with connected(server) as client:
        assert (await bring(client, sample("plain")))[0] == 250

    assert [one.message.title for one in running.asked] == ["Export stops at 10,000 rows"]


async def test_a_bare_line_feed_does_not_end_a_mail(server, running):
    smuggled = b"From: a@b.example\r\n\r\nhi\n.\nMAIL FROM:<ceo@bank.example>\r\n"
    async with connected(server) as client:
        await client.mail("a@b.example")
        await client.rcpt("support@example.org")
        client.protocol.write(b"DATA\r\n" + smuggled + b".\r\n")
        await eventually(lambda: running.asked)

    assert "MAIL FROM:<ceo@bank.example>" in running.asked[0].message.text


async def test_any_mail_program_can_talk_to_it(server, running):
    def with_the_standard_library():
        with smtplib.SMTP("127.0.0.1", server.port, local_hostname="x.example") as client:
            client.sendmail("a@acme.example", ["support@example.org"], sample("plain"))

    await asyncio.to_thread(with_the_standard_library)

    assert len(running.asked) == 1


async def test_starttls_is_offered_with_a_certificate(running):
    ours = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ours.load_cert_chain(TLS / "certificate.pem", TLS / "key.pem")
    theirs = ssl.create_default_context(cafile=str(TLS / "certificate.pem"))
    async with serving(running, tls=ours) as server, connected(server) as client:
        await client.starttls(tls_context=theirs)
        assert (await bring(client, sample("plain")))[0] == 250
        assert (await bring(client, sample("html_only")))[0] == 250

    assert len(running.asked) == 2
