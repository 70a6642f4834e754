"""The pipeline's mix: 20 % new conversations, 80 % replies, from 10,000 contacts of 500 organisations."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from dataclasses import dataclass, field

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg

from deskstream.contracts import subjects
from deskstream.contracts.inbound import Identity, InboundMessage, ThreadHints

CONTACTS = 10_000
ORGANISATIONS = 500
NEW_SHARE = 0.2
THREADS_KEPT = 20_000
"""Replies go to one of so many recent conversations."""

_TEXT = (
    "Hello, since this morning the export of our monthly report stops at 40 % and shows an empty page. "
    "We tried two browsers and a colleague's machine. Could you have a look? The report is due on Friday. "
)


@dataclass
class Mix:
    """Makes messages; the same seed makes the same ones. `ready` threads are those whose first message was sent."""

    seed: int = 1
    made: int = 0
    _chance: random.Random = field(init=False)
    _threads: deque[tuple[str, int]] = field(default_factory=lambda: deque(maxlen=THREADS_KEPT))

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)

    def next(self) -> bytes:
        """The next message, as an adapter publishes it."""
        self.made += 1
        external_id = f"bench-{self.seed}-{self.made}@example.net"
        if not self._threads or self._chance.random() < NEW_SHARE:
            contact = self._chance.randrange(CONTACTS)
            self._threads.append((external_id, contact))
            return _message(external_id, contact, ())
        first, contact = self._chance.choice(self._threads)
        return _message(external_id, contact, (first,))


def _message(external_id: str, contact: int, references: tuple[str, ...]) -> bytes:
    email = f"person{contact}@org{contact % ORGANISATIONS}.example"
    message = InboundMessage(
        external_id=external_id,
        sender=Identity(email=email, name=f"Person {contact}"),
        title="Export of the monthly report stops",
        text=_TEXT * 2,
        thread=ThreadHints(references=references),
    )
    return message.model_dump_json(exclude_defaults=True).encode()


class Generator:
    """Publishes the mix on the email channel, pipelined, and keeps count of what the broker acknowledged."""

    def __init__(self, client: Client, mix: Mix) -> None:
        self._client = client
        self.mix = mix
        self._inbox = client.new_inbox()
        self._subject = subjects.inbound("email", "support")
        self.acknowledged = 0
        self.sent = 0
        self._moved = asyncio.Event()

    async def start(self) -> None:
        """Subscribes for acknowledgements."""
        await self._client.subscribe(self._inbox, cb=self._ack)

    async def _ack(self, message: Msg) -> None:
        if b'"error"' in message.data:
            raise RuntimeError(message.data.decode())
        self.acknowledged += 1
        self._moved.set()

    async def send(self) -> None:
        """One message, without waiting; at most 500 are unacknowledged."""
        while self.sent - self.acknowledged >= 500:
            self._moved.clear()
            await self._moved.wait()
        self.sent += 1
        await self._client.publish(self._subject, self.mix.next(), reply=self._inbox)

    async def send_at(self, rate: float, seconds: float, sent_at: dict[int, float]) -> None:
        """Evenly, `rate` a second; notes number -> time of publishing (monotonic clock)."""
        started = time.monotonic()
        for number in range(int(rate * seconds)):
            pause = started + number / rate - time.monotonic()
            if pause > 0:
                await asyncio.sleep(pause)
            sent_at[self.mix.made + 1] = time.monotonic()
            await self.send()


async def connect(nats_url: str) -> Client:
    """A connection for the generator."""
    return await nats.connect(nats_url, pending_size=16 * 1024 * 1024)
