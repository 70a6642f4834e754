"""Replies into a folder, and what is reported of any reply."""

import asyncio
from email import message_from_bytes
from pathlib import Path
from uuid import uuid4

import pytest

from deskstream.channel_email.compose import Composed
from deskstream.channel_email.provider import MailProvider
from deskstream.channel_email.provider.maildir import Maildir
from deskstream.contracts.inbound import DeliveryState
from deskstream.messaging import Outcome, SendFailed
from services.channel_email.tests.given import AT, CONVERSATION, OUR_ID, REPLY, RULES, reply
from services.channel_email.tests.given_sending import Running, providing


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
