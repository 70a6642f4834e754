"""Routing's handlers on a real database, as the runner would call them."""

import asyncio
import json
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from deskstream.contracts import Answered, Command, Event
from deskstream.contracts.envelope import Stamp, encode, event_type
from deskstream.messaging.batch import Batch
from deskstream.messaging.item import Item, Source


@dataclass
class Replicas:
    """Batch by batch."""

    pool: Any
    batch: Batch
    sequences: dict[UUID, int] = field(default_factory=dict)
    numbers: Any = field(default_factory=count)

    def heard(self, said: Event) -> Item:
        key = UUID(said.key())
        self.sequences[key] = self.sequences.get(key, 0) + 1
        stamp = Stamp(uuid4(), self.sequences[key], uuid4(), uuid4(), None, said.at)
        return Item(
            Source.STREAM, said.lane(), said.key(), stamp.sequence, event_type(said), said.subject(),
            encode(said, stamp).encode(), id=stamp.id,
        )  # fmt: skip

    def asked(self, command: Command, actor: str | None = None) -> Item:
        key = f"key {next(self.numbers)}"
        name = type(command).__name__
        return Item(
            Source.COMMAND, "commands", key, 0, name, name, b"", actor=actor, idempotency_key=key, asked=command,
            future=asyncio.get_running_loop().create_future(),
        )  # fmt: skip

    async def run(self, *items: Item) -> list[Answered]:
        async with self.pool.acquire() as connection, connection.transaction():
            done = await self.batch.run(connection, items, ())
        return [Answered.model_validate_json(answer) for _, answer in done.answers]

    async def hear(self, *said: Event) -> None:
        await self.run(*map(self.heard, said))

    async def ask(self, *commands: Command, actor: str | None = None) -> list[Answered]:
        return await self.run(*(self.asked(command, actor) for command in commands))

    async def owners(self) -> dict[int, str | None]:
        rows = await self.pool.fetch("SELECT number, owner FROM assignments ORDER BY number")
        return {row["number"]: row["owner"] for row in rows}

    async def said(self, kind: str) -> list[dict[str, Any]]:
        rows = await self.pool.fetch(
            "SELECT body FROM journal WHERE type = $1 ORDER BY id", f"deskstream.routing.{kind}"
        )
        return [json.loads(row["body"])["data"] for row in rows]
