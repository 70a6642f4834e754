"""`deskstream bench bootstrap` and `drain`: how fast a service takes up a long lane, from journals or a stream."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from nats.aio.client import Client

from deskstream.cli.bench.history import EACH, SIDE_BY_SIDE, publish, write_journal
from deskstream.cli.bench.repeating import Progress
from deskstream.cli.bench.stage import Stage, on_stage
from deskstream.cli.bench.usage import usage_of
from deskstream.contracts.conversation import LANE
from deskstream.contracts.subjects import stream_of

KILLED_AT: Final = 0.4
"""So far a bootstrap is when its process is killed."""
OWNER: Final = "conversation"
LONG_AGO: Final = timedelta(days=10)
"""Older than what a stream keeps."""
STARTS_S: Final = 20.0
EVENTS_A_LOOK: Final = 50_000
EVENTS_PER_S: Final = 4000.0
"""So many are written and read, roughly; for the estimate of the time only."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which service hears how many events."""

    events: int
    reader: str

    @property
    def whole(self) -> int:
        """Conversations go on side by side and are whole only all together."""
        return max(1, self.events // (SIDE_BY_SIDE * EACH)) * SIDE_BY_SIDE * EACH

    @property
    def about_s(self) -> float:
        """How long it takes, starts, stops and the writing of all events included."""
        return STARTS_S + self.whole / EVENTS_PER_S


async def bench_bootstrap(plan: Plan, progress: Progress) -> dict[str, Any]:
    """A new reader takes up a lane whose stream has forgotten all; its process is killed on the way."""
    async with on_stage(plan.reader, progress) as stage:
        progress(f"writing {plan.whole:,} events into the journal of {OWNER}")
        await write_journal(stage.database, plan.whole, datetime.now(UTC) - LONG_AGO)
        await _forget(stage.client)
        # A short lane would be read to its end between two looks, and nothing would be left to go on with.
        stage.look_every_s = min(stage.look_every_s, plan.whole / EVENTS_A_LOOK)
        with stage.process(OWNER) as owner:
            progress(f"{plan.reader} reads them")
            with stage.process(plan.reader) as reader:
                before = await stage.until(int(plan.whole * KILLED_AT), reader.pid)
                reader.kill()
                reader.wait()
            at_kill = await stage.read()
            progress(f"killed after {at_kill:,}; it goes on")
            with stage.process(plan.reader) as reader:
                trees = {**stage.servers, "owner": owner.pid, "reader": reader.pid}
                used = usage_of(trees)
                after = await stage.until(plan.whole, reader.pid)
                spent = usage_of(trees).since(used)
                await stage.settled()
                figures = _figures(plan, stage, plan.whole - at_kill, after)
                figures |= {
                    "read_again": await stage.duplicates(),
                    "killed_at": at_kill,
                    "before_kill_per_s": round(at_kill / before, 1),
                    "cpu_us_per_event": _microseconds(spent.ms_per(plan.whole - at_kill)),
                }
        return figures


async def bench_drain(plan: Plan, progress: Progress) -> dict[str, Any]:
    """A reader that was away finds a long stream, everybody else being stopped; then it is started once more."""
    async with on_stage(plan.reader, progress) as stage:
        with stage.process(OWNER), stage.process(plan.reader):
            await stage.heard_once()
        progress(f"publishing {plan.whole:,} events while everybody is away")
        await publish(stage.client, plan.whole, datetime.now(UTC))
        progress(f"{plan.reader} is back")
        with stage.process(plan.reader) as reader:
            trees = {**stage.servers, "reader": reader.pid}
            used = usage_of(trees)
            seconds = await stage.until(plan.whole, reader.pid)
            spent = usage_of(trees).since(used)
            figures = _figures(plan, stage, plan.whole, seconds)
            await stage.settled()
            again = await stage.duplicates()
        progress("started once more")
        with stage.process(plan.reader):
            await stage.settled()
            again += await stage.duplicates()
        return figures | {"read_again": again, "cpu_us_per_event": _microseconds(spent.ms_per(plan.whole))}


def _figures(plan: Plan, stage: Stage, events: int, seconds: float) -> dict[str, Any]:
    return {
        "reader": plan.reader,
        "events": plan.whole,
        "events_per_s": round(events / seconds, 1),
        "seconds": round(seconds, 1),
        "memory_mb": stage.peak_mb,
        "cores": os.cpu_count(),
        # Each event is one handling.
        "ratio_to_raw": stage.raw.share_of(events / seconds),
        "raw": stage.raw.as_json(),
    }


def _microseconds(ms: dict[str, float]) -> dict[str, float]:
    return {name: round(value * 1000, 1) for name, value in ms.items()}


async def _forget(client: Client) -> None:
    """Leaves the stream as it is when all it held has become too old."""
    stream = stream_of(LANE)
    await client.jetstream().publish(f"{LANE}.bench.forgotten", b"")
    await client.jsm().purge_stream(stream)
