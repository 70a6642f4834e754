"""`deskstream bench sla`: very many clocks on one process, computed anew, and how late what becomes due is raised."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from nats.aio.client import Client
from nats.aio.msg import Msg

from deskstream.cli.bench.history import Told, publish_all
from deskstream.cli.bench.repeating import Progress
from deskstream.cli.bench.stage import Stage, on_stage
from deskstream.cli.bench.watch import percentile
from deskstream.contracts.conversation import ConversationOpened
from deskstream.contracts.envelope import Stamp, encode, event_type
from deskstream.contracts.facts import ConversationFacts, ReceivedMessage
from deskstream.contracts.facts import Stage as ConversationStage
from deskstream.contracts.ids import ConversationId, MessageId, ThreadId
from deskstream.contracts.inbound import Identity
from deskstream.contracts.sla import LANE, ClockBreached

READER: Final = "sla"
OWNER: Final = "conversation"
TARGET: Final = timedelta(minutes=120)
TOLD: Final = {"DESKSTREAM_SLA_HOURS": "24x7", "DESKSTREAM_SLA_FIRST_RESPONSE_MINUTES": "120"}
LATER: Final = timedelta(minutes=20)
"""The many are due at the earliest so long from now."""
AHEAD: Final = timedelta(seconds=5)
"""So far ahead the first of those lies whose due time is waited for."""
PATIENCE_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How many clocks run, and how many of them become due a second, for how long.

    100,000 clocks of two hours each become due at 14 a second.
    """

    size: int = 100_000
    rate: float = 20.0
    seconds: float = 20.0

    @property
    def about_s(self) -> float:
        """How long it takes, starts and stops included."""
        return 40 + self.size / 2500 + self.seconds


async def bench_sla(plan: Plan, progress: Progress) -> dict[str, Any]:
    """Seconds until one process has computed every clock from the events, and milliseconds from due to raised."""
    async with on_stage(READER, progress) as stage:
        stage.look_every_s = 0.25
        with stage.process(OWNER), stage.process(READER, TOLD):
            await stage.heard_once()
        progress(f"{plan.size:,} conversations are opened while nobody hears it")
        await publish_all(stage.client, _opened_over_time(plan.size))
        progress("one process computes their clocks")
        with stage.process(READER, TOLD) as reader:
            recomputed = await stage.until(plan.size, reader.pid)
            number = int(plan.rate * plan.seconds)
            progress(f"{number:,} of them become due, {plan.rate:g} a second")
            late = await _raised(stage, plan, number)
            await stage.until(plan.size + number, reader.pid)
    return {
        "clocks": plan.size,
        "recompute_s": round(recomputed, 2),
        "raised_p50_ms": round(percentile(late, 0.5), 1),
        "raised_p99_ms": round(percentile(late, 0.99), 1),
        "raised_max_ms": round(max(late), 1),
        "raised": len(late),
        "memory_mb": stage.peak_mb,
        # An opening is heard, and its clock said: one handling.
        "ratio_to_raw": stage.raw.share_of(plan.size / recomputed),
        "cores": os.cpu_count(),
        "raw": stage.raw.as_json(),
    }


def _opened_over_time(count: int) -> Iterator[Told]:
    """Conversations that are due evenly from a while on."""
    first = datetime.now(UTC) - TARGET + LATER
    step = (TARGET - LATER) / count
    return (_opened(number, first + step * number) for number in range(count))


async def _raised(stage: Stage, plan: Plan, number: int) -> list[float]:
    """Milliseconds each of these was late, seen from outside: due by its facts, raised when its event arrived."""
    first = datetime.now(UTC) - TARGET + AHEAD
    soon = [_opened(plan.size + n, first + timedelta(seconds=n / plan.rate)) for n in range(number)]
    async with _hearing(stage.client, {UUID(one.key) for one in soon}) as heard:
        await publish_all(stage.client, iter(soon))
        try:
            async with asyncio.timeout(AHEAD.total_seconds() + plan.seconds + PATIENCE_S):
                await heard.all_there.wait()
        except TimeoutError:
            raise TimeoutError(f"only {len(heard.late)} of {number} clocks were raised in time") from None
    return heard.late


@dataclass
class _Heard:
    waited_for: set[UUID]
    late: list[float] = field(default_factory=list)
    all_there: asyncio.Event = field(default_factory=asyncio.Event)

    async def hear(self, message: Msg) -> None:
        now, said = datetime.now(UTC), json.loads(message.data)["data"]
        conversation = UUID(said["conversation_id"])
        if conversation in self.waited_for:
            self.waited_for.discard(conversation)
            self.late.append((now - datetime.fromisoformat(said["clock"]["due_at"])).total_seconds() * 1000)
        if not self.waited_for:
            self.all_there.set()


@asynccontextmanager
async def _hearing(client: Client, waited_for: set[UUID]) -> AsyncIterator[_Heard]:
    heard = _Heard(waited_for)
    kind = event_type(ClockBreached).rpartition(".")[2]
    subscription = await client.subscribe(f"{LANE}.{kind}.>", cb=heard.hear)
    yield heard
    await subscription.unsubscribe()


def _opened(number: int, valid_at: datetime) -> Told:
    identity, thread = uuid4(), uuid4()
    message = ReceivedMessage(
        id=MessageId(identity), channel="email", inbox="support", external_id=f"<{identity}@example.org>",
        sender=Identity(email="ada@example.org", name="Ada"), title="A question", text="y" * 400, received_at=valid_at,
    )  # fmt: skip
    after = ConversationFacts(
        id=ConversationId(thread), thread_id=ThreadId(thread), number=number + 1, version=1,
        stage=ConversationStage.NEW, channel="email", inbox="support", title="A question", created_at=valid_at,
        valid_at=valid_at, oldest_unanswered_at=valid_at, last_public_at=valid_at,
    )  # fmt: skip
    event = ConversationOpened(at=valid_at, conversation_id=after.id, after=after, message=message)
    stamp = Stamp(identity, 1, correlation=identity, causation=identity, actor=None, at=valid_at)
    return Told(identity, str(thread), 1, event_type(ConversationOpened), event.subject(), encode(event, stamp))
