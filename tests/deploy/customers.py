"""Customers who write mails all the time, and whatever they promised to themselves about each."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage

import aiosmtplib

MAILS_A_THREAD = 3
PAUSE_S = 0.3
AGAIN_AFTER_S = 0.5
INBOX = "support@example.org"


def written(sender: str, subject: str, text: str, message_id: str, answers: str | None = None) -> EmailMessage:
    """A mail as a mail program writes it."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"], mail["Message-ID"] = sender, INBOX, subject, message_id
    if answers:
        mail["In-Reply-To"] = mail["References"] = answers
    mail.set_content(text)
    return mail


async def send(mail: EmailMessage, port: int) -> None:
    """Hands a mail over as a mail server does: again and again until it is taken. A second copy is no second mail."""
    while True:
        try:
            async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, timeout=15) as client:
                await client.send_message(mail, recipients=[INBOX])
                return
        except (aiosmtplib.SMTPException, OSError):
            await asyncio.sleep(AGAIN_AFTER_S)


@dataclass
class Customers:
    """Each writes threads of a few mails, the next when the one before was taken."""

    port: int
    accepted: dict[str, list[str]] = field(default_factory=dict)
    """By subject, the texts of its mails in the order in which they were taken."""

    async def write(self, customer: int, stop: asyncio.Event) -> None:
        """Until told to stop; the mail under way is handed over first."""
        for mail, text in self._mails(customer):
            if stop.is_set():
                return
            await send(mail, self.port)
            self.accepted.setdefault(str(mail["Subject"]), []).append(text)
            await asyncio.sleep(PAUSE_S)

    def _mails(self, customer: int) -> Iterator[tuple[EmailMessage, str]]:
        sender, thread = f"Customer {customer} <person@company{customer}.example>", 0
        while True:
            thread += 1
            subject, before = f"Question {customer}-{thread}", None
            for number in range(MAILS_A_THREAD):
                text, name = f"Part {number} of {subject}.", f"<{customer}-{thread}-{number}@company{customer}.example>"
                yield written(sender, subject, text, name, before), text
                before = name
