"""From the bytes that an adapter published to what they say, or to what breaks the contract in them."""

import base64
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import from_json

from deskstream.blobs import Blob
from deskstream.contracts import subjects
from deskstream.contracts.inbound import (
    INLINE_BODY_LIMIT,
    MESSAGE_LIMIT,
    Attachment,
    DeliveryReported,
    InboundMessage,
    read_inbound,
)
from deskstream.ingest.domain import Breach, Incoming
from deskstream.messaging import Heard, Raw

CLEANED: Final = "unstorable_characters_removed"
"""The flag of a message that held NUL or lone surrogates: no text of PostgreSQL, no UTF-8 holds them."""

_CHANNEL: Final = re.compile(r"[a-z0-9_]{1,32}")
_INBOX: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]")
_SAID: Final = {"sender", "title", "text", "quoted", "html", "body_blob", "attachments"}


class BreaksContract(Exception):
    """A field, and why it is not what the contract asks for."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Read:
    """A message as it was published, and the blobs to keep when it takes effect."""

    incoming: Incoming
    blobs: tuple[Blob, ...] = ()


def read(heard: Heard[Raw]) -> Read:
    """What was published; never raises, whatever it is."""
    raw, channel, inbox = heard.data, "", ""
    subject = storable(raw.subject)
    try:
        channel, inbox = _address(subject)
        content = _parse(raw.body)
        _same_address(content, channel, inbox)
        if isinstance(content, DeliveryReported):
            return Read(Incoming(heard.id, subject, channel, inbox, raw.body, content))
        message, blobs = _unpack(content)
    except BreaksContract as broken:
        breach = Breach(broken.field, broken.reason, _external_id(raw.body))
        return Read(Incoming(heard.id, subject, channel, inbox, raw.body, breach))
    return Read(Incoming(heard.id, subject, channel, inbox, raw.body, message, fingerprint(message)), blobs)


def fingerprint(message: InboundMessage) -> bytes:
    """Of what a message says: neither when nor by which route it came, so that two routes of one mail are one mail."""
    return sha256(message.model_dump_json(include=_SAID).encode()).digest()


def storable(text: str) -> str:
    """The text without NUL and lone surrogates."""
    return text.replace("\0", "").encode(errors="ignore").decode()


def _address(subject: str) -> subjects.InboundAddress:
    try:
        address = subjects.inbound_address(subject)
    except ValueError:
        raise BreaksContract("subject", "it is not inbound.<channel>.<inbox>") from None
    if not _CHANNEL.fullmatch(address.channel):
        raise BreaksContract("subject", "the channel must be 1 to 32 of a-z, 0-9 and _")
    if not _INBOX.fullmatch(address.inbox):
        raise BreaksContract("subject", "the inbox must be 1 to 64 of A-Z, a-z, 0-9, _ and -")
    return address


def _parse(body: bytes) -> InboundMessage | DeliveryReported:
    if len(body) > MESSAGE_LIMIT:
        raise BreaksContract("body", f"{len(body):,} bytes are over the limit of {MESSAGE_LIMIT:,} bytes")
    if b"\\u0000" in body:
        return _parse_cleaned(body)
    try:
        return read_inbound(body)
    except ValidationError as error:
        if _SURROGATE.search(body) and error.errors()[0]["type"] == "json_invalid":
            return _parse_cleaned(body)
        raise _breach(error) from error


def _parse_cleaned(body: bytes) -> InboundMessage | DeliveryReported:
    try:
        raw = json.loads(body.decode(errors="surrogatepass"))
        cleaned = _cleaned(raw)
        content = read_inbound(json.dumps(cleaned))
    except ValidationError as error:
        raise _breach(error) from error
    except RecursionError:
        raise BreaksContract("body", "it is nested too deeply") from None
    except ValueError:
        raise BreaksContract("body", "it is not JSON") from None
    if isinstance(content, DeliveryReported) or cleaned == raw:
        return content
    return content.model_copy(update={"flags": (*content.flags, CLEANED)})


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return [_cleaned(one) for one in value]
    if isinstance(value, dict):
        return {storable(name): _cleaned(one) for name, one in value.items()}
    return value


def _breach(error: ValidationError) -> BreaksContract:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    # The first step only says which of the two contracts was meant.
    field = ".".join(str(step) for step in first["loc"][1:])
    return BreaksContract(field or "body", first["msg"])


def _same_address(content: InboundMessage | DeliveryReported, channel: str, inbox: str) -> None:
    if content.channel not in (None, channel):
        raise BreaksContract("channel", f"the body says {content.channel}, the subject {channel}")
    if content.inbox not in (None, inbox):
        raise BreaksContract("inbox", f"the body says {content.inbox}, the subject {inbox}")


def _unpack(message: InboundMessage) -> tuple[InboundMessage, tuple[Blob, ...]]:
    attachments, blobs = _take_out_files(message.attachments)
    changes: dict[str, Any] = {"attachments": attachments} if blobs else {}
    # No character takes more than four bytes: short texts need no encoding to be known as short.
    if len(message.text) * 4 > INLINE_BODY_LIMIT and len(whole := message.text.encode()) > INLINE_BODY_LIMIT:
        changes["text"] = whole[:INLINE_BODY_LIMIT].decode(errors="ignore")
        if message.body_blob is None:
            blobs = [*blobs, Blob.of(whole, "text/plain; charset=utf-8")]
            changes["body_blob"] = blobs[-1].sha256
    if message.sent_at is not None:
        changes["sent_at"] = _in_utc(message.sent_at)
    return (message.model_copy(update=changes) if changes else message), tuple(blobs)


def _take_out_files(attachments: Iterable[Attachment]) -> tuple[tuple[Attachment, ...], list[Blob]]:
    kept, blobs = [], []
    for number, attachment in enumerate(attachments):
        if attachment.content_base64 is not None:
            blob = _file(attachment, f"attachments.{number}")
            blobs.append(blob)
            changes = {"sha256": blob.sha256, "size": blob.size, "content_base64": None}
            attachment = attachment.model_copy(update=changes)
        kept.append(attachment)
    return tuple(kept), blobs


def _file(attachment: Attachment, field: str) -> Blob:
    try:
        # Encoders of mail break the lines.
        content = base64.b64decode("".join((attachment.content_base64 or "").split()), validate=True)
    except ValueError:
        raise BreaksContract(f"{field}.content_base64", "it is not base64") from None
    blob = Blob.of(content, attachment.media_type)
    if attachment.sha256 not in (None, blob.sha256):
        raise BreaksContract(f"{field}.sha256", "it is not the SHA-256 of the content")
    return blob


def _in_utc(at: datetime) -> datetime | None:
    try:
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except OverflowError:
        # The year 1 or 9999 in a time zone: no sender's clock means that.
        return None


def _external_id(body: bytes) -> str | None:
    """By which its sender will know the rejected message again, if that much can be read."""
    try:
        content = from_json(body)
    except ValueError:
        return None
    found = content.get("external_id") if isinstance(content, dict) else None
    return (storable(found)[:998] or None) if isinstance(found, str) else None
