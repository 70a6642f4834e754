"""A CRM on a real database, asked as the runner asks it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid4, uuid5

import pytest
import pytest_asyncio

from deskstream.contracts import Refused
from deskstream.contracts.facts import ReceivedMessage
from deskstream.contracts.inbound import Identity
from deskstream.contracts.ingest import MessageReceived
from deskstream.crm.app import build
from deskstream.crm.config import Settings
from deskstream.messaging import Heard
from deskstream.messaging.wiring import Wiring
from deskstream.runtime.pool import Pool

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def letter(email=None, name=None, *, phone=None, external_id=None, channel="email", thread="t1", **more):
    """A message as ingest passes it on."""
    if not (email or phone or external_id):
        email = "anna@acme.com"
    message = ReceivedMessage(
        id=uuid4(),
        channel=channel,
        inbox="support",
        external_id=str(uuid4()),
        sender=Identity(email=email, name=name, phone=phone, external_id=external_id),
        text="Hello",
        received_at=NOON,
        **more,
    )
    return MessageReceived(at=NOON, thread_id=uuid5(NAMESPACE_OID, thread), new_thread=True, via="new", message=message)


@dataclass
class Crm:
    """Runs batches of one kind of message through look-up, rules and tables, each in its own transaction."""

    wiring: Wiring
    pool: Pool
    now: datetime = NOON
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    written: int = 0

    async def hear(self, *messages):
        """What was said about each message."""
        outcomes = await self.run(self.wiring.hears["deskstream.ingest.message_received"][0], messages)
        return [said for said, _ in outcomes]

    async def ask(self, *commands):
        """Each command's answer, or its refusal; all must be of one class."""
        handler = self.wiring.answers[type(commands[0])]
        return [answer for _, answer in await self.run(handler, commands)]

    async def find(self, query):
        async with self.pool.acquire() as tx:
            return await self.wiring.queries[type(query)].read(tx, query)

    async def run(self, handler, messages):
        async with self.pool.acquire() as connection, connection.transaction():
            return await self.fold(connection, handler, [self.heard(message) for message in messages])

    async def fold(self, tx, handler, heard):
        aggregate = handler.aggregate
        looked_up = await handler.resolve(tx, heard, self.now)
        keys = [str(handler.key(message)) for message in looked_up]
        loaded = await aggregate.load(tx, sorted(set(keys)))
        states = dict(loaded)
        outcomes: list[tuple[Any, Any]] = []
        for key, message in zip(keys, looked_up, strict=True):
            try:
                said = aggregate.decide(states[key], message, self.now)
            except Refused as refusal:
                outcomes.append(([], refusal))
                continue
            for event in said:
                states[key] = aggregate.evolve(states[key], event)
            outcomes.append((said, handler.result(states[key], said) if hasattr(handler, "result") else None))
        changed = [state for key, state in states.items() if state is not loaded[key]]
        if changed:
            await aggregate.save(tx, changed)
        self.written = len(changed)
        return outcomes

    def heard(self, message):
        cause = uuid5(UUID(int=0), str(next(self.numbers)))
        return Heard(id=cause, data=message, at=self.now, actor=None, lane="", key="", sequence=0, correlation=cause)


@pytest.fixture
def crm_settings():
    return Settings()


@pytest_asyncio.fixture
async def crm(pool_for, crm_settings):
    service = build(crm_settings)
    return Crm(Wiring("crm", tuple(service.hears), tuple(service.answers)), await pool_for("crm"))


@pytest.fixture(name="letter", scope="session")
def letter_fixture():
    return letter
