"""The mail server that keeps what it gets, spoken to by the standard library's client."""

import asyncio
import smtplib
from email.message import EmailMessage

import pytest


def mail(subject):
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "us@example.com", "you@example.com", subject
    message.set_content("Good news — fixed.")
    return message


async def send(sink, message):
    def talk():
        with smtplib.SMTP(sink.host, sink.port, timeout=5) as client:
            client.send_message(message)

    await asyncio.to_thread(talk)


async def test_it_keeps_mails_in_order_with_their_envelope(smtp_sink):
    for subject in ("first", "second"):
        await send(smtp_sink, mail(subject))
    first, second = await smtp_sink.received(2)
    assert (first.sender, first.recipients) == ("us@example.com", ("you@example.com",))
    assert first.message.get_content().split() == ["Good", "news", "—", "fixed."]
    assert second.message["Subject"] == "second"


async def test_it_refuses_as_often_as_asked_and_keeps_nothing_of_that(smtp_sink):
    smtp_sink.refuse("451 try later", "550 never")
    for code in (451, 550):
        with pytest.raises(smtplib.SMTPDataError) as refused:
            await send(smtp_sink, mail("refused"))
        assert refused.value.smtp_code == code
    await send(smtp_sink, mail("taken"))
    assert [kept.message["Subject"] for kept in smtp_sink.mails] == ["taken"]


async def test_waiting_in_vain_says_how_many_there_are(smtp_sink):
    with pytest.raises(AssertionError, match=r"1 mails \(there are 0\)"):
        await smtp_sink.received(1, within=0.05)
