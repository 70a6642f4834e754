"""Whether a message or report of an adapter will be taken: what ingest would reject, and what it would not say."""

import json
from base64 import b64decode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, Literal

from pydantic import TypeAdapter, ValidationError

from deskstream.contracts import subjects
from deskstream.contracts.inbound import (
    MESSAGE_LIMIT,
    Attachment,
    ChannelName,
    DeliveryReported,
    InboundMessage,
    InboxName,
    forbid_more,
    read_inbound,
)

_CHANNEL: Final = TypeAdapter[str](ChannelName)
_INBOX: Final = TypeAdapter[str](InboxName)
_MOST: Final = 50
"""Problems of one message that are told."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A field, and what is the matter with it."""

    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found out. `problems` are reasons not to publish it; `notes` say what would happen without a word."""

    kind: Literal["message", "delivery"] | None = None
    """None where it is neither."""
    problems: tuple[Finding, ...] = ()
    notes: tuple[Finding, ...] = ()


def check_inbound(body: bytes, subject: str | None = None) -> Checked:
    """The verdict on what an adapter would publish, on `subject` if that is known; never raises, whatever it is.

    Stricter than ingest where a body means different things to different readers: a key said twice, NaN.
    """
    if len(body) > MESSAGE_LIMIT:
        return _wrong("body", f"{len(body):,} bytes are over the limit of {MESSAGE_LIMIT:,} bytes")
    try:
        parsed = json.loads(body.decode(), object_pairs_hook=_each_key_once, parse_constant=_no_number)
    except UnicodeDecodeError as error:
        return _wrong("body", f"it is not UTF-8, from byte {error.start} on")
    except RecursionError:
        return _wrong("body", "it is nested too deeply")
    except ValueError as error:
        return _wrong("body", str(error) if isinstance(error, _Ambiguous) else f"it is not JSON: {error}")
    return _read(body, parsed, subject)


class _Ambiguous(ValueError):
    pass


def _read(body: bytes, parsed: Any, subject: str | None) -> Checked:
    try:
        said = read_inbound(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)[:_MOST]
        problems = [Finding(_place(one["loc"][1:]), one["msg"]) for one in found]
        return Checked(problems=(*_of_subject(subject), *problems), notes=tuple(_unknown_fields(parsed)))
    problems = [*_of_subject(subject), *_of_address(said, subject), *_of_files(said)]
    return Checked(
        said.type, tuple(problems[:_MOST]), (*_unknown_fields(parsed), *_missing_files(said), *_of_characters(body))
    )


def _wrong(field: str, reason: str) -> Checked:
    return Checked(problems=(Finding(field, reason),))


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _Ambiguous(f"it says {twice[:100]!r} twice; readers differ in which one counts")
    return found


def _no_number(text: str) -> Any:
    raise _Ambiguous(f"{text} is no number in JSON")


def _of_subject(subject: str | None) -> Iterator[Finding]:
    if subject is None:
        return
    try:
        channel, inbox = subjects.inbound_address(subject)
    except ValueError:
        yield Finding("subject", "it is not inbound.<channel>.<inbox>")
        return
    if not _fits(_CHANNEL, channel):
        yield Finding("subject", "the channel must be 1 to 32 of a-z, 0-9 and _")
    elif not _fits(_INBOX, inbox):
        yield Finding("subject", "the inbox must be 1 to 64 of A-Z, a-z, 0-9, _ and -")


def _fits(kind: TypeAdapter[str], text: str) -> bool:
    try:
        kind.validate_python(text)
    except ValidationError:
        return False
    return True


def _of_address(said: InboundMessage | DeliveryReported, subject: str | None) -> Iterator[Finding]:
    if subject is None or any(_of_subject(subject)):
        return
    channel, inbox = subjects.inbound_address(subject)
    if said.channel not in (None, channel):
        yield Finding("channel", f"the body says {said.channel}, the subject {channel}")
    if said.inbox not in (None, inbox):
        yield Finding("inbox", f"the body says {said.inbox}, the subject {inbox}")


def _of_files(said: InboundMessage | DeliveryReported) -> Iterator[Finding]:
    for number, file in enumerate(_attachments(said)):
        if file.content_base64 is None:
            continue
        try:
            content = b64decode("".join(file.content_base64.split()), validate=True)
        except ValueError:
            yield Finding(f"attachments.{number}.content_base64", "it is not base64")
            continue
        if file.sha256 not in (None, sha256(content).hexdigest()):
            yield Finding(f"attachments.{number}.sha256", "it is not the SHA-256 of the content")


def _missing_files(said: InboundMessage | DeliveryReported) -> Iterator[Finding]:
    for number, file in enumerate(_attachments(said)):
        if file.content_base64 is None and file.sha256 is None:
            yield Finding(f"attachments.{number}", "only its name is kept: give content_base64, or sha256 of an upload")


def _attachments(said: InboundMessage | DeliveryReported) -> tuple[Attachment, ...]:
    return said.attachments if isinstance(said, InboundMessage) else ()


def _unknown_fields(parsed: Any) -> Iterator[Finding]:
    for place in forbid_more(parsed):
        yield Finding(_place(place), "nobody reads this field: is it a slip of the pen?")


def _of_characters(body: bytes) -> Iterator[Finding]:
    if b"\\u0000" in body:
        yield Finding("body", "its NUL characters are removed before it is kept")


def _place(steps: Iterable[int | str]) -> str:
    return ".".join(str(step) for step in steps)[:200] or "body"
