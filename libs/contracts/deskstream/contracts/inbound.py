"""What adapters publish on `inbound.<channel>.<inbox>`: messages that arrived, and reports on what left.

This is the contract for adapters in any language; it travels bare, without an envelope.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import (
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from deskstream.contracts import subjects
from deskstream.contracts.ids import ConversationId, ReplyId
from deskstream.contracts.message import Contract, Event

ChannelName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,32}$")]
InboxName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
ExternalId = Annotated[str, StringConstraints(min_length=1, max_length=998)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
ShortText = Annotated[str, StringConstraints(max_length=998)]

NEVER = datetime(1, 1, 1, tzinfo=UTC)

INLINE_BODY_LIMIT = 32 * 1024
"""Bytes of a body that travel in a message; longer ones lie in the blobs."""

MESSAGE_LIMIT = 64 * 1024
"""Bytes of a whole published message, files that come inline included; ingest rejects what is over."""


# Told of the field that most channels have, so that its adapter's author finds the place.
_NOBODY: Final[InitErrorDetails] = {
    "type": PydanticCustomError("missing", "missing: name one of email, phone, external_id"),
    "loc": ("email",),
    "input": None,
}


class Identity(Contract):
    """Somebody as a channel knows them; at least one of email, phone and external id."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": [name], "properties": {name: {"type": "string"}}}
                for name in ("email", "phone", "external_id")
            ]
        }
    )

    name: ShortText | None = None
    email: Annotated[str, StringConstraints(max_length=320, pattern=r"^[^@\s]+@[^@\s]+$")] | None = None
    phone: Annotated[str, StringConstraints(max_length=32)] | None = None
    external_id: Annotated[str, StringConstraints(max_length=128, min_length=1)] | None = None

    @model_validator(mode="after")
    def _somebody(self) -> "Identity":
        if self.email is None and self.phone is None and self.external_id is None:
            raise ValidationError.from_exception_data(type(self).__name__, [_NOBODY])
        return self


class Attachment(Contract):
    """A file that came along. `sha256` names its blob; small ones may come inline as base64 instead."""

    name: ShortText
    media_type: Annotated[str, StringConstraints(max_length=255)] = "application/octet-stream"
    size: Annotated[int, Field(ge=0, le=20 * 1024 * 1024)]
    sha256: Sha256 | None = None
    content_base64: str | None = None
    content_id: Annotated[str, StringConstraints(max_length=255)] | None = None
    """By which the message's HTML shows it inline: `<img src="cid:…">`."""


class ThreadHints(Contract):
    """What the channel knows about the thread a message belongs to, strongest first."""

    tokens: tuple[Annotated[str, StringConstraints(max_length=128)], ...] = Field((), max_length=50)
    """Signed reply tokens found in the recipient's address or in our own Message-IDs."""
    references: tuple[ExternalId, ...] = Field((), max_length=50)
    """External ids of earlier messages, nearest first (mail: In-Reply-To, then References from the end)."""
    external_id: ExternalId | None = None
    """The channel's own id of the thread, where it has one."""


class AutomaticKind(StrEnum):
    AUTO_REPLY = "auto_reply"
    BOUNCE = "bounce"
    LIST = "list"
    GENERATED = "generated"


class Automatic(Contract):
    """Why a message counts as not written by a person (RFC 3834)."""

    kind: AutomaticKind
    reason: ShortText


class FromAdapter(Event):
    """What both contracts share: the address it is published to, which the body may repeat."""

    NUMBERED: ClassVar[bool] = False
    ENVELOPED: ClassVar[bool] = False

    channel: ChannelName | None = None
    inbox: InboxName | None = None
    at: datetime = Field(default=NEVER)
    """When the adapter took it; ingest's own receipt time orders."""

    def lane(self) -> str:
        return f"{subjects.INBOUND}.{self.channel}"

    def key(self) -> str:
        return self.inbox or ""

    def subject(self) -> str:
        return subjects.inbound(self.channel or "", self.inbox or "")


class InboundMessage(FromAdapter):
    """A message that arrived on a channel."""

    type: Literal["message"] = "message"
    external_id: ExternalId
    """The channel's id of this message; the same id again is the same message."""
    sent_at: datetime | None = None
    """What the sender's clock said."""
    sender: Identity
    copied: tuple[Identity, ...] = Field((), max_length=100)
    """Others it was addressed to, without our own inboxes."""
    requester: Identity | None = None
    """Whose concern it is when that is not the sender: a colleague of ours wrote to a customer and copied us in. Counts
    when the message opens a thread."""
    title: ShortText | None = None
    """Mail: the subject, decoded."""
    text: str = ""
    """What the sender wrote, plain, without the quoted part."""
    quoted: str | None = None
    """The quoted earlier messages, folded away."""
    html: str | None = None
    """Sanitised."""
    body_blob: Sha256 | None = None
    """Where the whole body lies when it is over `INLINE_BODY_LIMIT`; `text` then holds its beginning."""
    raw_blob: Sha256 | None = None
    attachments: tuple[Attachment, ...] = Field((), max_length=200)
    thread: ThreadHints = ThreadHints()
    answers: ReplyId | None = None
    """The `reply_id` of the outbound message that it answers, where the channel can tell."""
    automatic: Automatic | None = None
    no_auto_answer: bool = False
    """The sender asks for no automatic answer (X-Auto-Response-Suppress); still a person's message."""
    spam_marks: tuple[ShortText, ...] = ()
    """Reasons by which the channel itself thinks it spam, e.g. `X-Spam-Flag: YES`."""
    flags: tuple[ShortText, ...] = ()
    """Other things worth showing, e.g. `message_id_made`, `name_mixes_scripts`."""
    language: Annotated[str, StringConstraints(max_length=16)] | None = None


class DeliveryState(StrEnum):
    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    UNKNOWN = "unknown"


def _says_its_type(schema: dict[str, Any]) -> None:
    """The only contract that must: a body without `type` is a message."""
    schema["required"] = ["type", *schema["required"]]


class DeliveryReported(FromAdapter):
    """What became of an outbound message, as its adapter learnt it."""

    model_config = ConfigDict(json_schema_extra=_says_its_type)

    type: Literal["delivery"] = "delivery"
    conversation_id: ConversationId
    reply_id: ReplyId
    state: DeliveryState
    reason: ShortText | None = None
    permanent: bool = False
    """A failure that no further try will mend."""
    kept_back: bool = False
    """Automatic, and nobody tried to send it, so that no two machines answer each other for ever."""
    external_id: ExternalId | None = None
    """The channel's id of what was sent."""


def read_inbound(body: bytes | str) -> InboundMessage | DeliveryReported:
    """What an adapter published; a body without `type` is a message.

    Raises pydantic's `ValidationError`, whose first error names the field and the reason.
    """
    found: InboundMessage | DeliveryReported = _READER.validate_json(body)
    return found


def forbid_more(parsed: Any) -> list[tuple[int | str, ...]]:
    """The places of all fields in a parsed body that no reader knows."""
    try:
        _READER.validate_python(parsed, extra="forbid")
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        return [one["loc"][1:] for one in found if one["type"] == "extra_forbidden"]
    return []


def _type_of(value: Any) -> str:
    named = value.get("type", "message") if isinstance(value, dict) else "message"
    return "delivery" if named == "delivery" else "message"


_READER: TypeAdapter[Any] = TypeAdapter(
    Annotated[
        Annotated[InboundMessage, Tag("message")] | Annotated[DeliveryReported, Tag("delivery")],
        Discriminator(_type_of),
    ]
)
