"""Many who bring mail, big mails, rude senders, and a server that stops."""

import asyncio
import smtplib
import ssl

import aiosmtplib
import pytest

from deskstream.testkit.certificates import self_signed
from deskstream.testkit.eventually import eventually
from services.channel_email.tests.given import sample
from services.channel_email.tests.given_smtp import bring, connected, rejections, serving


async def test_a_mail_over_the_limit_is_refused_before_it_is_sent(server, running):
    async with connected(server.port) as client:
        with pytest.raises(aiosmtplib.SMTPSenderRefused) as refused:
            await client.mail("a@b.example", options=[f"SIZE={26 * 1024 * 1024}"])

    assert refused.value.code == 552
    assert [row["reason"] for row in await rejections(running)] == ["too_big"]


async def test_a_mail_of_26_mib_is_refused_and_the_next_is_taken(server, running):
    async with connected(server.port) as client:
        big = b"From: a@b.example\r\n\r\n" + (b"x" * 998 + b"\r\n") * (26 * 1024 + 600)
        assert (await bring(client, big))[0] == 552
        assert (await bring(client, sample("plain")))[0] == 250

    assert [row["reason"] for row in await rejections(running)] == ["too_big"]


async def test_html_on_one_line_of_a_megabyte_is_taken(server, running):
    raw = b"From: a@b.example\r\nContent-Type: text/html\r\n\r\n<p>" + b"word " * 200_000 + b"</p>\r\n"
    async with connected(server.port) as client:
        assert (await bring(client, raw))[0] == 250


async def test_p10_more_connections_than_allowed_are_told_to_come_back(running):
    async with serving(running, connections=2) as server:
        async with connected(server.port), connected(server.port):
            reader, _ = await asyncio.open_connection("127.0.0.1", server.port)
            assert (await reader.readline()).startswith(b"421 ")
            assert await reader.read() == b""
        async with connected(server.port) as client:
            assert (await bring(client, sample("plain")))[0] == 250


async def test_p10_mails_wait_for_a_place(running):
    async with serving(running, at_once=1) as server:
        running.open.clear()
        async with connected(server.port) as one, connected(server.port) as two:
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
    async with connected(server.port) as client:
        assert (await bring(client, sample("plain")))[0] == 250

    assert [one.message.title for one in running.asked] == ["Export stops at 10,000 rows"]


async def test_a_bare_line_feed_does_not_end_a_mail(server, running):
    smuggled = b"From: a@b.example\r\n\r\nhi\n.\nMAIL FROM:<ceo@bank.example>\r\n"
    async with connected(server.port) as client:
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


async def test_starttls_is_offered_with_a_certificate(running, tmp_path):
    made = self_signed(tmp_path)
    ours = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ours.load_cert_chain(made.certificate, made.key)
    theirs = ssl.create_default_context(cafile=str(made.certificate))
    async with serving(running, tls=ours) as server, connected(server.port) as client:
        await client.starttls(tls_context=theirs)
        assert (await bring(client, sample("plain")))[0] == 250
        assert (await bring(client, sample("html_only")))[0] == 250

    assert len(running.asked) == 2
