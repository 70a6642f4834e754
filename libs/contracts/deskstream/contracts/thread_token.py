"""The signed token by which an answer finds its conversation, whatever the channel did to the subject.

It stands in our Reply-To address and in our Message-IDs: 26 characters of the conversation's id, one of purpose, 13 of
an HMAC-SHA-256 (65 bits); lower case survives every mail server, so base32 is used.
"""

import base64
import hashlib
import hmac
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from deskstream.contracts.ids import ConversationId

_ID_LENGTH = 26
_SIGNATURE_LENGTH = 13


class Purpose(StrEnum):
    """What an answer to this token says by itself."""

    REPLY = "r"
    SOLVED = "y"
    NOT_SOLVED = "n"


class Thread(NamedTuple):
    conversation: ConversationId
    purpose: Purpose


def sign(conversation: ConversationId, secret: str, purpose: Purpose = Purpose.REPLY) -> str:
    """The token of a conversation: 40 characters of `[a-z2-7]`, safe in addresses and Message-IDs."""
    head = base64.b32encode(conversation.bytes).decode().lower()[:_ID_LENGTH] + purpose
    return head + _signature(head, secret)


def read(token: str, secret: str) -> Thread | None:
    """The thread that a token names, or None when it was not signed with this secret. Constant time."""
    token = token.lower()
    head, signature = token[: _ID_LENGTH + 1], token[_ID_LENGTH + 1 :]
    if not token.isascii() or not hmac.compare_digest(signature, _signature(head, secret)):
        return None
    try:
        raw = base64.b32decode(head[:_ID_LENGTH].upper() + "======")
        return Thread(ConversationId(UUID(bytes=raw)), Purpose(head[_ID_LENGTH:]))
    except ValueError:
        return None


def _signature(head: str, secret: str) -> str:
    digest = hmac.new(secret.encode(), head.encode(), hashlib.sha256).digest()
    return base64.b32encode(digest).decode().lower()[:_SIGNATURE_LENGTH]
