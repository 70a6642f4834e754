"""The demo's mails: those on file, and the ones that answer what we sent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from importlib.resources import files

SUPPORT = "support@desk.example"
FILES = files("deskstream.cli.demo")

_SENDER = re.compile(rb"^From:[^\r\n]*<([^<>\s]+)>", re.MULTILINE)
_MESSAGE_ID = re.compile(rb"^Message-ID: (<[^\r\n]+>)", re.MULTILINE)


@dataclass(frozen=True)
class Mail:
    """A mail on its way to the desk. `sender` is the return path; `key` finds the mail again in the inbox."""

    raw: bytes
    sender: str
    key: str
    recipient: str = SUPPORT


def on_file(name: str, date: datetime) -> Mail:
    """One of the mails in `mails/`, dated."""
    raw = (FILES / "mails" / name).read_bytes().replace(b"{date}", format_datetime(date).encode())
    sender, key = _SENDER.search(raw), _MESSAGE_ID.search(raw)
    usable = key is not None and b"[" not in key[1]
    return Mail(
        raw=raw,
        sender=sender[1].decode() if sender else "unknown@broken.example",
        key=key[1].decode().strip("<>") if key and usable else "Our mail program seems to be broken",
    )


def written(sender: str, subject: str, text: str, message_id: str, date: datetime) -> Mail:
    """A plain mail made on the spot."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, SUPPORT, subject
    mail["Date"], mail["Message-ID"] = format_datetime(date), f"<{message_id}>"
    mail.set_content(text)
    return Mail(mail.as_bytes(), parseaddr(sender)[1], message_id)


def answering(ours: EmailMessage, sender: str, text: str, message_id: str, **headers: str) -> Mail:
    """What a mail program sends when somebody answers: to our Reply-To, in reply to our Message-ID."""
    mail = EmailMessage()
    mail["From"], mail["To"] = sender, str(ours["Reply-To"] or ours["From"])
    mail["Subject"] = f"Re: {ours['Subject']}"
    mail["In-Reply-To"] = mail["References"] = str(ours["Message-ID"])
    mail["Message-ID"] = f"<{message_id}>"
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(text)
    return Mail(mail.as_bytes(), parseaddr(sender)[1], message_id, parseaddr(str(mail["To"]))[1])


def bounce(ours: EmailMessage, message_id: str) -> Mail:
    """A delivery status notification (RFC 3464) that names our mail."""
    mail = EmailMessage()
    mail["From"] = "Mail Delivery System <mailer-daemon@vostok.example>"
    mail["To"], mail["Subject"] = str(ours["Reply-To"]), "Undelivered Mail Returned to Sender"
    mail["Auto-Submitted"], mail["Message-ID"] = "auto-replied", f"<{message_id}>"
    mail["In-Reply-To"] = mail["References"] = str(ours["Message-ID"])
    mail.set_content("<olga@vostok.example>: mailbox is full")
    return Mail(mail.as_bytes(), "", message_id, parseaddr(str(mail["To"]))[1])
