"""What is said to a mail server that brings mail, on a real socket; the service behind is a recorder."""

import asyncio
import hashlib

import asyncpg
import pytest

from deskstream.blobs import Blobs
from deskstream.channel_email.rules import Rules
from deskstream.contracts import Answered, Problem
from services.channel_email.tests.given import RULES, sample
from services.channel_email.tests.given_smtp import bring, connected, rejections, serving


async def test_p1_a_mail_is_asked_for_before_the_server_says_250(server, running):
    running.open.clear()
    async with connected(server.port) as client:
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
    async with connected(server.port) as client:
        await bring(client, raw)

    message = running.asked[0].message
    kept = await Blobs(running.pool).get(message.raw_blob)
    assert kept is not None
    assert (kept.body, kept.media_type) == (raw, "message/rfc822")
    files = [await Blobs(running.pool).get(file.sha256) for file in message.attachments]
    assert [file.media_type for file in files if file] == ["application/pdf", "image/png"]


async def test_p12_the_same_mail_brought_again_has_the_same_key(server, running):
    async with connected(server.port) as client:
        for _ in range(2):
            await bring(client, sample("plain"))
        await bring(client, sample("html_only"))

    first, again, other = running.keys
    assert first == again != other


async def test_several_mails_go_over_one_connection(server, running):
    async with connected(server.port) as client:
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
    async with connected(server.port) as client:
        assert (await bring(client, sample("plain"), to=(to,)))[0] == code


async def test_a_catch_all_takes_every_address_of_our_domains(running):
    rules = Rules(inboxes=RULES.inboxes, secret=RULES.secret, catch_all="other")
    async with serving(running, rules=rules) as server, connected(server.port) as client:
        assert (await bring(client, sample("plain"), to=("sales@example.org",)))[0] == 250
        assert (await bring(client, sample("plain"), to=("sales@elsewhere.example",)))[0] == 550

    assert [one.message.inbox for one in running.asked] == ["other"]


async def test_one_mail_to_two_inboxes_is_one_message(server, running):
    async with connected(server.port) as client:
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
    async with connected(server.port) as client:
        assert await bring(client, raw, mail_from="x@y.example") == answer

    (row,) = await rejections(running)
    assert tuple(row) == (reason, hashlib.sha256(raw).hexdigest(), len(raw), "x@y.example", ["support@example.org"])
    kept = await Blobs(running.pool).get(row["sha256"])
    assert kept is not None
    assert kept.body == raw
    assert running.asked == []


async def test_p15_a_mail_of_nobody_is_refused(server, running):
    async with connected(server.port) as client:
        code, text = await bring(client, b"Subject: x\r\n\r\nhi\r\n", mail_from="")

    assert (code, "no_sender" in text) == (554, True)


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
    async with connected(server.port) as client:
        assert (await bring(client, sample("plain")))[0] == 451
        running.answer = Answered(ok=True, result={"new": True})
        assert (await bring(client, sample("plain")))[0] == 250

    assert len(running.asked) == 1


async def test_a_mail_that_was_here_already_is_accepted(server, running):
    running.answer = Answered(ok=True, result={"new": False})
    async with connected(server.port) as client:
        assert await bring(client, sample("plain")) == (250, "2.6.0 Kept; it was here already")
