"""A lane as long as one likes: conversations of five events each, as the conversation service says them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final
from uuid import UUID, uuid5

import asyncpg
from nats.aio.client import Client
from nats.aio.msg import Msg

from deskstream.contracts.conversation import LANE, ConversationEvent, ConversationOpened, CustomerReplied
from deskstream.contracts.envelope import HEADER_ID, HEADER_SEQUENCE, HEADER_TYPE, Stamp, encode, event_type
from deskstream.contracts.facts import ContactFacts, ConversationFacts, ReceivedMessage, Stage
from deskstream.contracts.ids import ContactId, ConversationId, MessageId, ThreadId
from deskstream.contracts.inbound import Identity

EACH: Final = 5
"""Events of a conversation: the pipeline's mix of one new to four replies."""
SIDE_BY_SIDE: Final = 1000
"""Conversations that go on at the same time."""
WINDOW: Final = 500
CHUNK: Final = 10_000

_IDS: Final = UUID("3f0f2c0e-8f1d-4a55-9b6c-7a2e2d6f9c11")
_KEY, _MESSAGE = UUID(int=0xA1), UUID(int=0xA2)
_SEQUENCE, _NUMBER = 77_777_777, 88_888_888

_HEADS: Final = """
INSERT INTO heads (lane, key, seq)
SELECT lane, key, max(seq)
FROM journal
WHERE lane = $1
GROUP BY lane, key
"""


@dataclass(frozen=True, slots=True)
class Told:
    """One event, ready to be journaled or published."""

    id: UUID
    key: str
    sequence: int
    type: str
    subject: str
    body: str


def told(count: int, at: datetime) -> Iterator[Told]:
    """So many events, those of `SIDE_BY_SIDE` conversations in turn; the same ones every time."""
    opened, replied = _template(ConversationOpened, at), _template(CustomerReplied, at)
    for number in range(count):
        block, within = divmod(number, SIDE_BY_SIDE * EACH)
        sequence, place = divmod(within, SIDE_BY_SIDE)
        yield _one(opened if sequence == 0 else replied, block * SIDE_BY_SIDE + place, sequence + 1)


async def write_journal(database: asyncpg.Connection[asyncpg.Record], count: int, said_at: datetime) -> None:
    """Puts the lane into the journal of conversation, as if it had been said at that moment."""
    await database.execute("SET search_path = conversation")
    columns = ["message_id", "lane", "key", "seq", "subject", "type", "correlation", "causation", "at", "body"]
    events = told(count, said_at)
    while chunk := list(islice(events, CHUNK)):
        rows = [(e.id, LANE, e.key, e.sequence, e.subject, e.type, e.id, e.id, said_at, e.body) for e in chunk]
        await database.copy_records_to_table("journal", records=rows, columns=columns)
    await database.execute(_HEADS, LANE, timeout=600)
    await database.execute("ANALYZE journal")


async def publish(client: Client, count: int, at: datetime) -> None:
    """Puts the lane into its stream, as the conversation service would."""
    await publish_all(client, told(count, at))


async def publish_all(client: Client, events: Iterable[Told]) -> None:
    """Puts these into their streams: pipelined, everything acknowledged."""
    inbox, room = client.new_inbox(), asyncio.Semaphore(WINDOW)

    async def acknowledged(message: Msg) -> None:
        if b'"error"' in message.data:
            raise RuntimeError(message.data.decode())
        room.release()

    subscription = await client.subscribe(inbox, cb=acknowledged)
    for event in events:
        await room.acquire()
        name = str(event.id)
        headers = {
            "Nats-Msg-Id": name, HEADER_ID: name, HEADER_TYPE: event.type, HEADER_SEQUENCE: str(event.sequence)
        }  # fmt: skip
        await client.publish(event.subject, event.body.encode(), reply=inbox, headers=headers)
    for _ in range(WINDOW):
        await room.acquire()
    await subscription.unsubscribe()


def _one(template: tuple[str, str, str], number: int, sequence: int) -> Told:
    kind, subject, body = template
    key, identity = uuid5(_IDS, str(number)), uuid5(_IDS, f"{number}/{sequence}")
    text = (
        body.replace(str(_KEY), str(key))
        .replace(str(_MESSAGE), str(identity))
        .replace(str(_SEQUENCE), str(sequence))
        .replace(str(_NUMBER), str(number + 1))
    )
    return Told(identity, str(key), sequence, kind, subject.replace(str(_KEY), str(key)), text)


def _template(kind: type[ConversationEvent], at: datetime) -> tuple[str, str, str]:
    """(type, subject, body) with marks where events differ."""
    message = ReceivedMessage(
        id=MessageId(_MESSAGE), channel="email", inbox="support", external_id=f"<{_MESSAGE}@example.org>",
        sender=Identity(email="ada@example.org", name="Ada"), title="A question", text="y" * 400, received_at=at,
    )  # fmt: skip
    opened = kind is ConversationOpened
    facts = ConversationFacts(
        id=ConversationId(_KEY), thread_id=ThreadId(_KEY), number=_NUMBER, version=_SEQUENCE,
        stage=Stage.NEW, channel="email", inbox="support", title="A question", created_at=at, last_public_at=at,
        contact=ContactFacts(id=ContactId(_KEY), name="Ada", email="ada@example.org"),
    )  # fmt: skip
    event = kind(
        at=at,
        conversation_id=ConversationId(_KEY),
        stage_before=None if opened else Stage.NEW,
        after=facts,
        message=message,
    )
    stamp = Stamp(_MESSAGE, _SEQUENCE, correlation=_MESSAGE, causation=_MESSAGE, actor=None, at=at)
    return event_type(kind), event.subject(), encode(event, stamp)
