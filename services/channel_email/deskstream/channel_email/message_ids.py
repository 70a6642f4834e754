"""Our own Message-IDs: `<reply.token@domain>`, made from what is sent, so that it can be known again."""

import re
from dataclasses import dataclass
from uuid import UUID

from deskstream.contracts import thread_token
from deskstream.contracts.ids import ConversationId, ReplyId

_OURS = re.compile(r"<([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.([a-z2-7]{40})@[^<>@\s]+>")
_TOKEN = re.compile(r"[a-z2-7]{40}")
_MADE_DOMAIN = "made.invalid"


@dataclass(frozen=True, slots=True)
class OurId:
    reply_id: ReplyId
    token: str


def message_id(reply_id: ReplyId, conversation_id: ConversationId, secret: str, domain: str) -> str:
    """The id of a reply, the same each time."""
    return f"<{reply_id}.{thread_token.sign(conversation_id, secret)}@{domain}>"


def read_our_id(message_id: str) -> OurId | None:
    """What one of our ids names, its signature not looked at yet."""
    found = _OURS.fullmatch(message_id.lower())
    return OurId(ReplyId(UUID(found[1])), found[2]) if found else None


def looks_like_token(text: str) -> bool:
    return bool(_TOKEN.fullmatch(text))


def made_id(content_sha256: str) -> str:
    """For a mail that brought none: the same content gets the same."""
    return f"<{content_sha256}@{_MADE_DOMAIN}>"


def known_to_sender(external_id: str) -> str | None:
    """The id as the sender's program knows it: without our mark on repeated ones; None for one that we made."""
    plain = external_id.partition(">")[0] + ">"
    return None if plain.endswith(f"@{_MADE_DOMAIN}>") or not plain.startswith("<") else plain
