"""Mail out: what is written, what a relay's answers mean, what is looked up, what must not leave."""

import asyncio
import re
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from aiosmtpd.smtp import SMTP
from hypothesis import given
from hypothesis import strategies as st

from deskstream.blobs import Blob, Blobs
from deskstream.channel_email.compose import Composed, NotAnAddress, compose
from deskstream.channel_email.parse.read import read_mail
from deskstream.channel_email.provider import MailProvider
from deskstream.channel_email.provider.maildir import Maildir
from deskstream.channel_email.provider.relay import Address, Relay, read_url
from deskstream.channel_email.rules import Rules
from deskstream.channel_email.translate import Arrived, translate
from deskstream.contracts import thread_token
from deskstream.contracts.ids import ConversationId, ReplyId
from deskstream.contracts.inbound import Attachment, DeliveryState, Identity
from deskstream.contracts.outbound import OutboundMessage
from deskstream.contracts.thread_token import Purpose
from deskstream.messaging import Outcome, SendFailed, SendUnknown

SECRET = "a secret for tests only"
RULES = Rules(inboxes={"support@example.org": "support", "feedback@example.org": "feedback"}, secret=SECRET)
CONVERSATION = ConversationId(UUID("018f3f6e-2f4b-7c11-9a55-4d2f0c9b1e01"))
REPLY = ReplyId(UUID("018f3f6e-9c00-7d22-8b44-77aa00bb11cc"))
TOKEN = thread_token.sign(CONVERSATION, SECRET)
OUR_ID = f"<{REPLY}.{TOKEN}@example.org>"
AT = datetime(2026, 5, 4, 9, 20, tzinfo=UTC)


def reply(**changes):
    fields = {
        "at": AT,
        "conversation_id": CONVERSATION,
        "number": 12,
        "reply_id": REPLY,
        "channel": "email",
        "inbox": "support",
        "to": Identity(name="Anna Berger", email="anna@acme.example"),
        "author": "bruno",
        "title": "Export stops",
        "text": "Hello Anna,\n\nit is fixed.\n",
        "in_reply_to": "<1@acme.example>",
    }
    return OutboundMessage(**(fields | changes))


def written(message, files=()):
    return message_from_bytes(compose(message, files, RULES, company="Acme, Inc.").content, policy=policy.default)


def words(part):
    return part.get_content().replace("\r\n", "\n")


def fields(mail, *names):
    return {name: mail[name] for name in names if mail[name] is not None}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param(
            {},
            {
                "Message-ID": OUR_ID,
                "From": '"bruno (Acme, Inc.)" <support@example.org>',
                "To": "Anna Berger <anna@acme.example>",
                "Reply-To": f'"Acme, Inc." <support+{TOKEN}@example.org>',
                "Subject": "Re: Export stops",
                "In-Reply-To": "<1@acme.example>",
                "References": "<1@acme.example>",
                "Date": "Mon, 04 May 2026 09:20:00 +0000",
            },
            id="P9: an answer carries ids that follow from it, and leads back by its token",
        ),
        pytest.param({"inbox": "feedback"}, {"From": '"bruno (Acme, Inc.)" <feedback@example.org>'}, id="its inbox"),
        pytest.param({"title": "RE: x"}, {"Subject": "RE: x"}, id="one Re: is enough"),
        pytest.param({"title": "AW: x"}, {"Subject": "AW: x"}, id="in German, too"),
        pytest.param(
            {"in_reply_to": None, "title": "Planned work"},
            {"Subject": "Planned work"},
            id="C2: what an agent starts is no answer",
        ),
        pytest.param(
            {"references": ("<0@acme.example>", "<1@acme.example>"), "in_reply_to": "<2@acme.example>#12345678"},
            {"References": "<0@acme.example> <1@acme.example> <2@acme.example>", "In-Reply-To": "<2@acme.example>"},
            id="ids go back as the customer's program knows them",
        ),
        pytest.param(
            {"references": ("slack/123",), "in_reply_to": f"<{'a' * 64}@made.invalid>"},
            {},
            id="ids that the customer's program cannot know stay here",
        ),
        pytest.param(
            {"automatic": True},
            {"Auto-Submitted": "auto-replied", "X-Auto-Response-Suppress": "All"},
            id="N4: our automatic mail says that it is",
        ),
        pytest.param(
            {"automatic": True, "in_reply_to": None},
            {"Auto-Submitted": "auto-generated"},
            id="N4: and whether it answers anything",
        ),
        pytest.param(
            {"to": Identity(name='Ann "A" <x>,\r\nBcc: y@z.example', email="anna@acme.example")},
            {"To": '"Ann \\"A\\" <x>, Bcc: y@z.example" <anna@acme.example>', "Bcc": None},
            id="a name cannot add headers",
        ),
        pytest.param(
            {"title": "x\r\nBcc: y@z.example\r\n\r\nbody"},
            {"Subject": "Re: x Bcc: y@z.example body", "Bcc": None},
            id="a title cannot add headers",
        ),
        pytest.param({"title": "Grüße " * 60}, {"Subject": ("Re: " + "Grüße " * 60).strip()}, id="a long title"),
        pytest.param(
            {"to": Identity(email="j@müller.example")}, {"To": "j@xn--mller-kva.example"}, id="an umlaut in a domain"
        ),
        pytest.param(
            {"copied": (Identity(email="b@c.example"), Identity(email="no,address@c.example"))},
            {"Cc": "b@c.example"},
            id="a copied one that cannot get mail is left out",
        ),
    ],
)
def test_the_header(changes, expected):
    mail = written(reply(**changes))

    names = expected or {"In-Reply-To", "References"}
    assert fields(mail, *names) == {name: value for name, value in expected.items() if value is not None}


def test_no_line_is_longer_than_smtp_allows():
    message = reply(
        title="Grüße " * 80,
        text="w" * 5_000 + "\n.\n" + "ä" * 5_000,
        references=tuple(f"<{'r' * 200}{n}@acme.example>" for n in range(30)),
        copied=tuple(Identity(name="N" * 80, email=f"p{n}@acme.example") for n in range(50)),
    )
    content = compose(message, (), RULES, company="Acme").content

    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert b"\n" not in content.replace(b"\r\n", b"")
    assert not re.search(rb"=\?utf-8\?[bq]\?[^?]{70}", content)
    assert len(message_from_bytes(content, policy=policy.default)["References"].split()) == 20


def test_the_text_arrives_as_it_was_written():
    text = "Grüße 日本\n.\n\nFrom here = on\ttabs \nlast"

    assert words(written(reply(text=text))) == text + "\n"


def test_p9_the_same_reply_is_the_same_bytes():
    files = [("a.pdf", Blob.of(b"PDF", "application/pdf"))]
    message = reply(asks_solved=True)

    assert compose(message, files, RULES, company="A").content == compose(message, files, RULES, company="A").content


def test_attachments_go_with_it():
    files = [
        ("naïve plan.pdf", Blob.of(b"%PDF", "application/pdf")),
        ("mail.eml", Blob.of(b"From: x\r\n\r\nhi", "message/rfc822")),
        ("notes.txt", Blob.of("Ä".encode(), "text/plain; charset=utf-8")),
    ]
    mail = written(reply(), files)
    found = [(part.get_filename(), part.get_content_type(), part.get_content()) for part in mail.iter_attachments()]

    assert words(mail.get_body()) == "Hello Anna,\n\nit is fixed.\n"
    assert [(name, kind) for name, kind, _ in found] == [
        ("naïve plan.pdf", "application/pdf"),
        ("mail.eml", "application/rfc822"),
        ("notes.txt", "text/plain"),
    ]
    assert found[0][2] == b"%PDF"


def test_c21_asks_whether_it_is_solved():
    mail = written(reply(asks_solved=True, text="Done <b>."))
    plain = mail.get_body(("plain",)).get_content()
    rich = mail.get_body(("html",)).get_content()

    for purpose in (Purpose.SOLVED, Purpose.NOT_SOLVED):
        link = f"mailto:support+{thread_token.sign(CONVERSATION, SECRET, purpose)}@example.org?subject="
        assert link in plain
        assert link in rich
    assert "Done &lt;b&gt;." in rich


@pytest.mark.parametrize(
    "to",
    [
        Identity(phone="+49 30 1"),
        Identity(email="a,b@c.example"),
        Identity(email="a;b@c.example"),
        Identity(email="<a@c.example"),
        Identity(email="ä@c.example"),
        Identity(email=f"a@{'x' * 70}ü.example"),
    ],
    ids=lambda to: to.email or to.phone,
)
def test_what_is_no_address_gets_no_mail(to):
    with pytest.raises(NotAnAddress):
        compose(reply(to=to), (), RULES, company="Acme")


@given(title=st.text(max_size=60), name=st.text(max_size=40), text=st.text(min_size=1, max_size=200))
def test_whatever_is_written_the_answer_finds_back(title, name, text):
    message = reply(title=title, to=Identity(name=name, email="anna@acme.example"), text=text)
    sent = compose(message, (), RULES, company="Acme")
    read = read_mail(sent.content).mail

    assert read.message_id == OUR_ID
    assert [one.email for one in read.to] == ["anna@acme.example"]
    answer = replace(read, message_id="<a@b.example>", in_reply_to=(OUR_ID,))
    hints = translate(Arrived(answer, "x@y.example", (sent.mail_from,), "0" * 64), RULES).asked.message.thread
    assert thread_token.read(hints.tokens[0], SECRET) == (CONVERSATION, Purpose.REPLY)


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


class Running:
    """A service with nothing but its database."""

    name = "channel_email"

    def __init__(self, pool):
        self.pool = pool

    async def ask(self, message, *, idempotency_key, actor=None):
        raise TimeoutError

    async def call(self, command, *, idempotency_key=None, actor=None):
        raise TimeoutError


@pytest.fixture
async def pool(pool_for):
    return await pool_for("channel_email")


@asynccontextmanager
async def providing(pool, way):
    provider = MailProvider(way, RULES, company="Acme")
    async with provider.attached(Running(pool)):
        yield provider


def relay_to(port):
    return Relay(Address("127.0.0.1", port, "none"), hostname="desk.example")


@pytest.fixture
async def provider(pool, smtp_sink):
    async with providing(pool, relay_to(smtp_sink.port)) as provider:
        yield provider


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
        await provider.send(reply(reply_id=uuid4(), automatic=True))
    with pytest.raises(SendFailed, match="loop") as failed:
        await provider.send(reply(automatic=True))
    await provider.send(reply())

    assert failed.value.permanent
    assert len(smtp_sink.mails) == 11


async def test_p9_what_was_sent_is_found_again(provider):
    assert await provider.look_up(reply()) is None
    await provider.send(reply())
    assert await provider.look_up(reply()) == OUR_ID


async def test_a_reply_without_an_address_has_failed(provider):
    with pytest.raises(SendFailed, match="not a mail address") as failed:
        await provider.send(reply(to=Identity(phone="+49 30 1")))

    assert failed.value.permanent


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        pytest.param(
            Outcome("sent", AT, external_id=OUR_ID), (DeliveryState.SENT, None, False, OUR_ID), id="C17: sent"
        ),
        pytest.param(
            Outcome("failed", AT, reason="550 no " * 500, permanent=True),
            (DeliveryState.FAILED, ("550 no " * 500)[:900], True, None),
            id="C17: failed, with the reason",
        ),
        pytest.param(
            Outcome("unknown", AT, reason="lost"), (DeliveryState.UNKNOWN, "lost", False, None), id="C17: unknown"
        ),
    ],
)
def test_c17_reports(outcome, expected):
    report = MailProvider(Maildir(Path("unused")), RULES, company="Acme").report(reply(), outcome)

    assert (report.state, report.reason, report.permanent, report.external_id) == expected
    assert (report.subject(), report.conversation_id, report.reply_id) == ("inbound.email.support", CONVERSATION, REPLY)


async def test_without_a_relay_mails_go_to_a_folder(pool, tmp_path):
    async with providing(pool, Maildir(tmp_path / "mail")) as provider:
        await provider.send(reply())
        await provider.send(reply(reply_id=uuid4()))

    first, second = sorted((tmp_path / "mail" / "new").iterdir())
    assert not list((tmp_path / "mail" / "tmp").iterdir())
    assert OUR_ID in {message_from_bytes(path.read_bytes())["Message-ID"] for path in (first, second)}


async def test_p9_the_folder_is_looked_into(pool, tmp_path):
    maildir = Maildir(tmp_path)
    mail = Composed(OUR_ID, "a@b.example", "c@d.example", (), b"Subject: x\r\n\r\nhi\r\n")
    async with providing(pool, maildir) as provider:
        assert await provider.look_up(reply()) is None
        await maildir.carry(mail)
        await maildir.carry(mail)
        assert await provider.look_up(reply()) == OUR_ID
        (kept,) = (tmp_path / "new").iterdir()
        kept.rename(tmp_path / "cur" / f"{kept.name}:2,S")
        assert await provider.look_up(reply()) == OUR_ID


async def test_a_folder_that_cannot_be_written_to_is_tried_again(pool, tmp_path):
    (tmp_path / "file").write_text("in the way")
    async with providing(pool, Maildir(tmp_path / "file")) as provider:
        with pytest.raises(SendFailed) as failed:
            await provider.send(reply())

    assert failed.value.permanent is False


async def test_sending_waits_until_the_service_has_its_database(pool, tmp_path):
    provider = MailProvider(Maildir(tmp_path), RULES, company="Acme")
    sending = asyncio.create_task(provider.send(reply()))
    await asyncio.sleep(0)
    async with provider.attached(Running(pool)):
        assert await sending == OUR_ID


async def test_p9_a_mail_that_left_does_not_leave_again_because_nobody_could_note_it(pool):
    class Saboteur(Maildir):
        async def carry(self, mail):
            await pool.execute("DROP TABLE sent_mails")

    async with providing(pool, Saboteur(Path("unused"))) as provider:
        assert await provider.send(reply()) == OUR_ID
