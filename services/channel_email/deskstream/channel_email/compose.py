"""From a reply to the bytes of a mail: pure, and the same bytes each time."""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from email import policy
from email.header import Header
from email.message import Message
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.quoprimime import body_encode
from email.utils import format_datetime, formataddr
from hashlib import sha256
from html import escape

from deskstream.blobs import Blob
from deskstream.channel_email.domain import is_auto_reply
from deskstream.channel_email.message_ids import known_to_sender, message_id
from deskstream.channel_email.parse.charsets import clean_line, clean_text
from deskstream.channel_email.rules import Rules, domain_of
from deskstream.contracts import thread_token
from deskstream.contracts.inbound import Identity
from deskstream.contracts.outbound import OutboundMessage
from deskstream.contracts.thread_token import Purpose

MAX_REFERENCES = 20

_REPLY = re.compile(r"\s*(?:re|aw|sv|antw|rv|odp)\s*:", re.IGNORECASE)
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[^@\s<>,;:\"()\[\]\\]{1,253}")
# Folding is done here: the library would break long ids, or leave them out of the field's first line.
_LINES = policy.compat32.clone(linesep="\r\n", max_line_length=0)


class NotAnAddress(ValueError):
    """The recipient's address cannot stand in a mail."""


@dataclass(frozen=True, slots=True)
class Composed:
    """A mail ready to leave, with its envelope."""

    message_id: str
    mail_from: str
    to: str
    copied: tuple[str, ...]
    content: bytes


def compose(message: OutboundMessage, files: Sequence[tuple[str, Blob]], rules: Rules, *, company: str) -> Composed:
    """The mail of a reply; `files` are its attachments by name.

    Raises `NotAnAddress` when the recipient has none that mail can be sent to; such a copied one is left out.
    """
    mail = _body(message, files, rules)
    for field, value in _fields(message, rules, company):
        mail[field] = value
    return Composed(
        message_id=name_of(message, rules),
        # Bounces come back to the thread that they belong to.
        mail_from=_with_token(message, rules, Purpose.REPLY),
        to=_wire_address(message.to),
        copied=tuple(address for _, address in _copied(message)),
        content=mail.as_bytes(policy=_LINES),
    )


def name_of(message: OutboundMessage, rules: Rules) -> str:
    """The Message-ID of a reply's mail."""
    domain = domain_of(rules.address_of(message.inbox))
    return message_id(message.reply_id, message.conversation_id, rules.secret, domain)


def _fields(message: OutboundMessage, rules: Rules, company: str) -> Iterator[tuple[str, str]]:
    yield "Message-ID", name_of(message, rules)
    yield "Date", format_datetime(message.at)
    yield "From", _mailbox(f"{message.author} ({company})", rules.address_of(message.inbox))
    yield "To", _mailbox(message.to.name or "", _wire_address(message.to))
    if copied := [_mailbox(name, address) for name, address in _copied(message)]:
        yield "Cc", ",\r\n ".join(copied)
    yield "Reply-To", _mailbox(company, _with_token(message, rules, Purpose.REPLY))
    yield "Subject", _words(_subject(message), "Subject")
    if earlier := _earlier(message):
        yield "In-Reply-To", earlier[-1]
        yield "References", "\r\n ".join(earlier)
    if message.automatic:
        yield "Auto-Submitted", "auto-replied" if is_auto_reply(message) else "auto-generated"
        yield "X-Auto-Response-Suppress", "All"


def _earlier(message: OutboundMessage) -> list[str]:
    """What it answers, the nearest last; ids that the customer's program cannot know are left out."""
    named = (*message.references, *((message.in_reply_to,) if message.in_reply_to else ()))
    known = [known_to_sender(clean_line(external_id)) for external_id in named]
    latest_wins = dict.fromkeys(external_id for external_id in reversed(known) if external_id)
    return list(reversed(list(latest_wins)[:MAX_REFERENCES]))


def _subject(message: OutboundMessage) -> str:
    title = clean_line(message.title) or "your message"
    if not message.in_reply_to and not message.references:
        return title
    return title if _REPLY.match(title) else f"Re: {title}"


def _body(message: OutboundMessage, files: Sequence[tuple[str, Blob]], rules: Rules) -> Message:
    text = clean_text(message.text).rstrip("\n") + "\n"
    body: Message
    if message.asks_solved:
        yes, no = (_solved_link(message, rules, purpose) for purpose in (Purpose.SOLVED, Purpose.NOT_SOLVED))
        body = _multipart("alternative", message)
        body.attach(_text(f"{text}\n\nIs this solved?\nYes: {yes}\nNo: {no}\n", "plain"))
        body.attach(_text(_html(text, yes, no), "html"))
    else:
        body = _text(text, "plain")
    if not files:
        return body
    whole = _multipart("mixed", message)
    whole.attach(body)
    for name, blob in files:
        whole.attach(_attachment(name, blob))
    return whole


def _html(text: str, yes: str, no: str) -> str:
    words = escape(text.strip()).replace("\n", "<br>\n")
    return (
        f"<div>{words}</div>\n<hr>\n"
        f'<p>Is this solved? <a href="{escape(yes)}">Yes, it is</a> · <a href="{escape(no)}">No, not yet</a></p>\n'
    )


def _solved_link(message: OutboundMessage, rules: Rules, purpose: Purpose) -> str:
    answer = "Yes%2C%20it%20is%20solved" if purpose is Purpose.SOLVED else "No%2C%20not%20solved%20yet"
    return f"mailto:{_with_token(message, rules, purpose)}?subject={answer}&body={answer}."


def _with_token(message: OutboundMessage, rules: Rules, purpose: Purpose) -> str:
    local, _, domain = rules.address_of(message.inbox).rpartition("@")
    return f"{local}+{thread_token.sign(message.conversation_id, rules.secret, purpose)}@{domain}"


def _text(text: str, kind: str) -> Message:
    part = MIMENonMultipart("text", kind, charset="utf-8")
    part["Content-Transfer-Encoding"] = "quoted-printable"
    part.set_payload(body_encode(text.encode().decode("latin-1"), eol="\r\n"))
    return part


def _attachment(name: str, blob: Blob) -> Message:
    main, _, sub = blob.media_type.partition("/")
    part = MIMEApplication(blob.body, sub or "octet-stream")
    # Another program's mail must stay a file: as message/rfc822 it may not be base64.
    safe = main if main in ("application", "image", "audio", "video", "text") else "application"
    part.replace_header("Content-Type", f"{safe}/{(sub or 'octet-stream').partition(';')[0]}")
    part.add_header("Content-Disposition", "attachment", filename=("utf-8", "", clean_line(name)))
    return part


def _multipart(kind: str, message: OutboundMessage) -> MIMEMultipart:
    """With a boundary that follows from the reply, so that a second try sends the same bytes."""
    return MIMEMultipart(kind, boundary=f"={sha256(f'{kind}/{message.reply_id}'.encode()).hexdigest()[:40]}")


def _copied(message: OutboundMessage) -> Iterator[tuple[str, str]]:
    """(name, address) of everybody copied who can get mail."""
    for one in message.copied:
        with suppress(NotAnAddress):
            yield one.name or "", _wire_address(one)


def _wire_address(one: Identity) -> str:
    """With the domain in ASCII, as every server understands it."""
    if one.email is None or not _ADDRESS.fullmatch(one.email):
        raise NotAnAddress(f"{one.email or one.phone or one.external_id} is not a mail address")
    local, _, domain = one.email.rpartition("@")
    try:
        return f"{local}@{domain.encode('idna').decode('ascii')}"
    except UnicodeError as error:
        raise NotAnAddress(f"{one.email} is not a mail address") from error


def _mailbox(name: str, address: str) -> str:
    return formataddr((clean_line(name)[:100], address))


def _words(text: str, field: str) -> str:
    return Header(text, "us-ascii" if text.isascii() else "utf-8", header_name=field).encode(linesep="\r\n")
