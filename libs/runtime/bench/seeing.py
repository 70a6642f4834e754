"""What being seen costs a message: counting, looking whether anybody reads lines or follows, and a span if it is.

`python libs/runtime/bench/seeing.py`: microseconds of CPU a handling, on batches as load makes them. No servers.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from statistics import median
from time import process_time
from typing import Final
from uuid import uuid4

from deskstream.messaging.batch import Done
from deskstream.messaging.declare import Heard
from deskstream.messaging.item import Fate, Item, Source
from deskstream.messaging.telling import Telling
from deskstream.runtime.telemetry import Telemetry

HANDLINGS: Final = 12
"""The most that a new conversation may cost."""
CPU_OF_A_MESSAGE_US: Final = 1600.0
ROUNDS: Final = 7

AT = datetime(2026, 5, 4, tzinfo=UTC)


def items(number: int) -> list[Item]:
    identity = uuid4()
    heard = Heard(identity, None, AT, None, "events.crm", "k", 1, correlation=identity)
    return [
        Item(Source.STREAM, "events.crm", f"k{n}", n + 1, "deskstream.crm.sender_identified", "s", b"", id=identity,
             heard=heard, fate=Fate.APPLIED)
        for n in range(number)
    ]  # fmt: skip


def microseconds(size: int, batches: int) -> float:
    telling, done, batch = Telling("crm"), Done(now=AT), items(size)
    started = process_time()
    for _ in range(batches):
        telling.batch(done, batch, 0.01)
    return (process_time() - started) / (size * batches) * 1e6


def span_microseconds() -> float:
    """With a collector that is not there: sending is another thread's, and not every message's."""
    tracer = Telemetry("http://127.0.0.1:1/v1/traces", 1.0).tracer_of("crm")
    context = f"00-{uuid4().hex}-{uuid4().hex[:16]}-01"
    batch = items(1000)
    started = process_time()
    for item in batch:
        span = tracer.begin(item, context)
        assert span is not None
        span.end("applied", lag_ms=1.0)
    return (process_time() - started) / len(batch) * 1e6


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def main() -> None:
    logging.getLogger("deskstream").setLevel(logging.INFO)
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    for size in (1, 10, 100):
        cost = median(microseconds(size, 20_000 // size) for _ in range(ROUNDS))
        share = cost * HANDLINGS / CPU_OF_A_MESSAGE_US
        say(f"batch of {size:3}: {cost:5.2f} µs a handling, {share:.2%} of a message's CPU")
    span = median(span_microseconds() for _ in range(3))
    say(f"a followed message: {span:.0f} µs more a handling; at a ratio of 1 % {span / 100:.2f} µs on average")


if __name__ == "__main__":
    main()
