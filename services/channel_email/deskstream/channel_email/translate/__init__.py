"""From a read mail to the contract: pure, so that every kind of mail is a row in a table."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256

from deskstream.channel_email.domain import AcceptMail
from deskstream.channel_email.message_ids import made_id
from deskstream.channel_email.parse.addresses import ADDRESS
from deskstream.channel_email.parse.parsed import Address, Forwarded, ParsedMail, Unreadable
from deskstream.channel_email.rules import Rules
from deskstream.channel_email.translate.automatic import automatic_kind, no_auto_answer, spam_marks
from deskstream.channel_email.translate.fit import ATTACHMENTS_BYTES, COPIED_BYTES, FittedBody, fit_body, within
from deskstream.channel_email.translate.names import name_flags
from deskstream.channel_email.translate.threads import answered_reply, bounce_of, is_own_echo, thread_hints
from deskstream.contracts.inbound import NEVER, Attachment, Identity, InboundMessage

CHANNEL = "email"

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})?")
_FORWARD = re.compile(r"\s*(?:fwd?|wg|tr|rv|enc|vb|vs|inoltra|doorst)\s*:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Arrived:
    """A mail as it came by SMTP: what was read of it, and the envelope. Contents are the bytes of its files."""

    mail: ParsedMail
    mail_from: str
    recipients: tuple[str, ...]
    raw_sha256: str
    contents: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Translated:
    """What to ask the service, and the (bytes, media type) to keep before."""

    asked: AcceptMail
    blobs: tuple[tuple[bytes, str], ...]


def translate(arrived: Arrived, rules: Rules) -> Translated:
    """The message that a mail is. Raises `Unreadable` for a mail that is no message to us."""
    if is_own_echo(arrived.mail, rules):
        raise Unreadable("own_echo", "This is a mail of our own; it has no effect.")
    sender, mail = _speaking(_sender(arrived), arrived.mail, rules)
    body = fit_body(mail.text, mail.quoted, mail.html)
    files = tuple(_attachments(mail, arrived.contents))
    message = _message(replace(arrived, mail=mail), rules, sender=sender, body=body)
    message = _with_lists(message, [_identity(other) for other in _others(mail, sender, rules)], files)
    message = _for_customer(message, mail, rules)
    contents = [(content, file.media_type) for content, file in zip(arrived.contents, files, strict=True)]
    return Translated(
        AcceptMail(message, bounce_of(mail, rules)),
        (*contents, *([body.whole] if body.whole else [])),
    )


def _message(arrived: Arrived, rules: Rules, *, sender: Address, body: FittedBody) -> InboundMessage:
    """Without those copied and the files, of which there may be too many."""
    mail = arrived.mail
    return InboundMessage(
        channel=CHANNEL,
        inbox=_inbox(arrived, rules),
        at=NEVER,
        external_id=mail.message_id or made_id(mail.content_sha256),
        sent_at=datetime.fromisoformat(mail.sent_at) if mail.sent_at else None,
        sender=_identity(sender),
        title=mail.subject or None,
        text=body.text,
        quoted=body.quoted,
        html=body.html,
        body_blob=sha256(body.whole[0]).hexdigest() if body.whole else None,
        raw_blob=arrived.raw_sha256,
        thread=thread_hints(mail, arrived.recipients, rules),
        answers=answered_reply(mail, rules),
        automatic=automatic_kind(mail, arrived.mail_from, rules),
        no_auto_answer=no_auto_answer(mail),
        spam_marks=spam_marks(mail, rules),
        flags=(*mail.flags, *_header_flags(mail, sender)),
        language=_language(mail),
    )


def _with_lists(message: InboundMessage, copied: list[Identity], files: tuple[Attachment, ...]) -> InboundMessage:
    kept, kept_files = within(copied, COPIED_BYTES), within(files, ATTACHMENTS_BYTES)
    cut = [
        *(["copied_cut"] if len(kept) < len(copied) else []),
        *(["attachments_cut"] if len(kept_files) < len(files) else []),
    ]
    return message.model_copy(
        update={"copied": kept, "attachments": kept_files, "flags": tuple(dict.fromkeys((*message.flags, *cut)))}
    )


def _sender(arrived: Arrived) -> Address:
    if arrived.mail.sender is not None:
        return arrived.mail.sender
    if ADDRESS.fullmatch(arrived.mail_from):
        return Address(arrived.mail_from.lower())
    raise Unreadable("no_sender", "It names no sender that could be answered.")


def _speaking(sender: Address, mail: ParsedMail, rules: Rules) -> tuple[Address, ParsedMail]:
    """Whose message it is: a customer's mail that a colleague passed on is the customer's (N3)."""
    flags = (*mail.flags, *name_flags(sender, rules))
    if not rules.is_agent(sender.email):
        return sender, replace(mail, flags=flags)
    flags = (*flags, "from_teammate")
    inside = _passed_on(mail, rules)
    if inside is None:
        return sender, replace(mail, flags=flags)
    return inside.sender, replace(
        mail,
        text=inside.text,
        quoted=inside.remark or None,
        html=None,
        cc=(sender, *mail.cc),
        flags=(*flags, "forwarded_by_teammate"),
    )


def _for_customer(message: InboundMessage, mail: ParsedMail, rules: Rules) -> InboundMessage:
    """A colleague who writes to a customer and copies us in: the customer's concern, the colleague a member (N3)."""
    if "from_teammate" not in mail.flags or "forwarded_by_teammate" in mail.flags:
        return message
    customers = (one for one in (*mail.to, *mail.cc) if not (rules.is_ours(one.email) or rules.is_agent(one.email)))
    customer = next(customers, None)
    if customer is None:
        return message
    return message.model_copy(
        update={"requester": _identity(customer), "flags": (*message.flags, "copied_in_by_teammate")}
    )


def _passed_on(mail: ParsedMail, rules: Rules) -> Forwarded | None:
    inside = mail.forwarded
    if inside is None or not (inside.marked or _FORWARD.match(mail.subject)):
        return None
    return None if rules.is_agent(inside.sender.email) or rules.is_ours(inside.sender.email) else inside


def _inbox(arrived: Arrived, rules: Rules) -> str:
    """Of the first recipient that has one; the server took no mail without."""
    return next(inbox for recipient in arrived.recipients if (inbox := rules.inbox_of(recipient)))


def _others(mail: ParsedMail, sender: Address, rules: Rules) -> list[Address]:
    others = {address.email: address for address in (*mail.cc, *mail.to)}
    return [one for one in others.values() if one.email != sender.email and not rules.is_ours(one.email)][:100]


def _identity(address: Address) -> Identity:
    return Identity(name=address.name or None, email=address.email)


def _attachments(mail: ParsedMail, contents: tuple[bytes, ...]) -> Iterator[Attachment]:
    for file, content in zip(mail.files, contents, strict=True):
        yield Attachment(
            name=file.name,
            media_type=file.media_type,
            size=len(content),
            sha256=sha256(content).hexdigest(),
            content_id=file.content_id,
        )


def _header_flags(mail: ParsedMail, sender: Address) -> Iterator[str]:
    if mail.message_id is None:
        yield "message_id_made"
    if any(address.email != sender.email for address in mail.reply_to):
        yield "reply_to_differs"


def _language(mail: ParsedMail) -> str | None:
    found = _LANGUAGE.match(mail.marks.get("content-language", ""))
    return found.group() if found else None
