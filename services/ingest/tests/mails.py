"""Mails and reports as the stream hands them to ingest, and what the archive has of them."""

import json
from datetime import UTC, datetime
from uuid import UUID, uuid4, uuid5

from deskstream.contracts import thread_token
from deskstream.contracts.ids import ConversationId
from deskstream.messaging import Heard, Raw

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)
STREAM = UUID(int=7)
SECRET = "a secret of the desk, long enough"
OURS = ConversationId(UUID(int=99))
TOKEN = thread_token.sign(OURS, SECRET)


def raw(body, *, position=None, subject="inbound.email.support", at=NOW):
    id_ = uuid4() if position is None else uuid5(STREAM, str(position))
    return Heard(
        id=id_, data=Raw(subject, body), at=at, actor=None, lane="inbound", key="", sequence=0, correlation=id_
    )


def mail(external_id="1", *, sender="ada@example.org", channel="email", position=None, **fields):
    body = {"external_id": external_id, "sender": {"email": sender}, "text": "Hello", **fields}
    return raw(json.dumps(body).encode(), position=position, subject=f"inbound.{channel}.support")


def report(position=None, **fields):
    body = {"type": "delivery", "conversation_id": str(OURS), "reply_id": str(OURS), "state": "sent", **fields}
    return raw(json.dumps(body).encode(), position=position)


async def archive(pool):
    return await pool.fetch("SELECT * FROM archive ORDER BY position")
