"""What a read mail is: the plain values that the child hands to the service, and how it says that it cannot."""

from dataclasses import dataclass, field

MAX_MAIL_BYTES = 25 * 1024 * 1024
MAX_FILE_BYTES = 20 * 1024 * 1024
MAX_BODY_BYTES = 1024 * 1024


class Unreadable(Exception):
    """A mail that is refused. `code` is a stable slug, `sentence` tells the sender's postmaster what is wrong."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(f"{code}: {sentence}")
        self.code = code
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Address:
    """Somebody named in a header. `email` is lower case and of the form local@domain."""

    email: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class File:
    """What came along; its bytes travel beside this."""

    name: str
    media_type: str
    size: int
    content_id: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """A delivery status notification (RFC 3464), of the recipient that fared worst."""

    action: str
    status: str = ""
    recipient: str = ""
    diagnostic: str = ""
    original_id: str | None = None
    """Message-ID of the mail it is about, as far as it was returned."""


@dataclass(frozen=True, slots=True)
class Forwarded:
    """A mail inside this one: whose it was, what it said, and what was written above it."""

    sender: Address
    text: str
    remark: str = ""
    marked: bool = False
    """Whether the mail says that it was forwarded, rather than merely answered above it."""


@dataclass(frozen=True, slots=True)
class ParsedMail:
    """Everything about a mail that later decisions need. Ids keep their angle brackets; no text has control codes."""

    content_sha256: str
    """Of everything but the traces of its way: the same by every route."""
    message_id: str | None = None
    """None when it is missing, malformed or there are several."""
    sender: Address | None = None
    reply_to: tuple[Address, ...] = ()
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    subject: str = ""
    sent_at: str | None = None
    """ISO 8601 with offset, as the sender's clock said."""
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    """In the order of the header: the nearest comes last."""
    marks: dict[str, str] = field(default_factory=dict)
    """Headers that say how it came to be (RFC 3834, spam filters), names in lower case."""
    text: str = ""
    quoted: str | None = None
    html: str | None = None
    files: tuple[File, ...] = ()
    flags: tuple[str, ...] = ()
    report: Report | None = None
    forwarded: Forwarded | None = None
