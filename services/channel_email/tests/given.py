"""What the tests of the mail channel start from: the sample mails, our rules, a reply."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from deskstream.channel_email.parse.read import read_mail
from deskstream.channel_email.rules import Rules
from deskstream.channel_email.translate import Arrived, Translated, translate
from deskstream.contracts import thread_token
from deskstream.contracts.ids import ConversationId, ReplyId
from deskstream.contracts.inbound import Identity
from deskstream.contracts.outbound import OutboundMessage

MAILS = Path(__file__).parent / "mails"

SECRET = "a secret for tests only"
CONVERSATION = ConversationId(UUID("018f3f6e-2f4b-7c11-9a55-4d2f0c9b1e01"))
REPLY = ReplyId(UUID("018f3f6e-9c00-7d22-8b44-77aa00bb11cc"))
TOKEN = thread_token.sign(CONVERSATION, SECRET)
SOLVED = thread_token.sign(CONVERSATION, SECRET, thread_token.Purpose.SOLVED)
OUR_ID = f"<{REPLY}.{TOKEN}@example.org>"
AT = datetime(2026, 5, 4, 9, 20, tzinfo=UTC)

RULES = Rules(
    inboxes={"support@example.org": "support", "feedback@example.org": "feedback", "help@example.org": "help"},
    secret=SECRET,
    agents=frozenset({"@ourcompany.example"}),
    lists=frozenset({"help.groups.example.org"}),
    authserv="mx.example.org",
    names=("acme support",),
)


def sample(name: str) -> bytes:
    """The bytes of a sample mail."""
    return (MAILS / f"{name}.eml").read_bytes()


def arrive(name: str, *, mail_from: str = "bounces@example.net", to: str = "support@example.org") -> Translated:
    """What a sample becomes."""
    read = read_mail(sample(name))
    return translate(Arrived(read.mail, mail_from, (to,), "0" * 64, read.contents), RULES)


def reply(**changes: object) -> OutboundMessage:
    """Bruno's answer to Anna."""
    fields: dict[str, object] = {
        "at": AT,
        "conversation_id": CONVERSATION,
        "number": 12,
        "reply_id": REPLY,
        "channel": "email",
        "inbox": "support",
        "to": Identity(name="Anna Berger", email="anna@acme.example"),
        "author": "bruno",
        "title": "Export stops",
        "text": "Hello Anna,\n\nit is fixed.\n",
        "in_reply_to": "<1@acme.example>",
    }
    return OutboundMessage.model_validate(fields | changes)
