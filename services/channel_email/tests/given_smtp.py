"""A server on a real socket, a service that records what it is asked, and somebody who brings mail."""

import asyncio
from contextlib import asynccontextmanager

import aiosmtplib

from deskstream.channel_email.smtp.server import Doors, MailServer
from deskstream.contracts import Answered
from services.channel_email.tests.given import RULES


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


@asynccontextmanager
async def serving(running, *, rules=RULES, **doors):
    server = MailServer(Doors("127.0.0.1", 0, "mail.example.org", readers=1, **doors), rules)
    async with server.serving(running):
        yield server


@asynccontextmanager
async def connected(port):
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, local_hostname="sender.example", start_tls=False)
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


async def rejections(running):
    return await running.pool.fetch("SELECT reason, sha256, size, mail_from, recipients FROM rejected_mails")
