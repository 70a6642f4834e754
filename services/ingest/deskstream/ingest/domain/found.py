"""What a published message turns out to be, once the archive was asked about it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias, assert_never
from uuid import UUID

from deskstream.contracts.ids import ThreadId
from deskstream.contracts.inbound import DeliveryReported, InboundMessage

Via: TypeAlias = Literal["new", "token", "reference", "thread"]


class Fate(StrEnum):
    APPLIED = "applied"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Breach:
    """What breaks the contract: the field, and why."""

    field: str
    reason: str
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message as it was published, read. Channel and inbox are empty when the subject names none."""

    id: UUID
    subject: str
    channel: str
    inbox: str
    body: bytes
    content: InboundMessage | DeliveryReported | Breach
    fingerprint: bytes | None = None
    """Of what a message says, whatever route it took; two with the same external id and fingerprint are one."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A new message, and its thread."""

    archive_id: UUID
    channel: str
    inbox: str
    message: InboundMessage
    thread_id: ThreadId
    via: Via
    solved: bool | None = None

    @property
    def key(self) -> str:
        return str(self.thread_id)


@dataclass(frozen=True, slots=True)
class Doubled:
    """The same message, published once more."""

    archive_id: UUID
    channel: str
    inbox: str
    external_id: str
    original_id: UUID
    thread_id: ThreadId

    @property
    def key(self) -> str:
        return str(self.thread_id)


@dataclass(frozen=True, slots=True)
class Broken:
    """It breaks the contract, or a rule of this service: kept, and without effect."""

    archive_id: UUID
    channel: str
    inbox: str
    breach: Breach

    @property
    def key(self) -> str:
        return str(self.archive_id)


@dataclass(frozen=True, slots=True)
class Reported:
    """How far a reply got."""

    archive_id: UUID
    channel: str
    report: DeliveryReported

    @property
    def key(self) -> str:
        return str(self.report.conversation_id)


@dataclass(frozen=True, slots=True)
class Repeated:
    """The broker delivered once more what is archived already: nothing happens again."""

    archive_id: UUID

    @property
    def key(self) -> str:
        return str(self.archive_id)


Found: TypeAlias = Arrived | Doubled | Broken | Reported | Repeated


def fate_of(found: Arrived | Doubled | Broken | Reported) -> Fate:
    """As which of the three a message is counted."""
    match found:
        case Arrived() | Reported():
            return Fate.APPLIED
        case Doubled():
            return Fate.DUPLICATE
        case Broken():
            return Fate.REJECTED
        case _:
            assert_never(found)
