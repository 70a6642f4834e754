"""What this machine's broker, database and codec give today, measured the way the runner uses them."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig

from deskstream.cli.bench.usage import usage_of
from deskstream.contracts.crm import SenderIdentified
from deskstream.contracts.envelope import Stamp, decode, encode
from deskstream.contracts.facts import ContactFacts, ReceivedMessage
from deskstream.contracts.ids import ContactId, MessageId, ThreadId
from deskstream.contracts.inbound import Identity

BODY = b"x" * 1024
WINDOW = 100
MESSAGES = 10_000
ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Raw:
    """Rates per second, and CPU microseconds of all processes together per message or row."""

    publish_per_s: float
    publish_us: float
    pull_per_s: float
    pull_us: float
    insert_per_s: float
    insert_us: float
    codec_us: float

    @property
    def handling_us(self) -> float:
        """CPU of one handling at its barest: pulled, decoded, written, encoded, published."""
        return self.publish_us + self.pull_us + self.insert_us + self.codec_us

    def share_of(self, handlings_per_s: float) -> float:
        """What so many bare handlings a second would cost, as a share of the cores there are."""
        return round(handlings_per_s * self.handling_us / ((os.cpu_count() or 1) * 1e6), 3)

    def as_json(self) -> dict[str, float]:
        """For the report."""
        return {name: round(value, 2) for name, value in asdict(self).items()}


async def measure_raw(nats_url: str, database: str, servers: Mapping[str, int]) -> Raw:
    """Measures broker, database and codec; leaves nothing behind."""
    trees = {**servers, "bench": os.getpid()}
    client = await nats.connect(nats_url)
    stream = client.jetstream()
    await stream.add_stream(name="BENCH_RAW", subjects=["bench.raw"])
    try:
        publish = await _timed(trees, MESSAGES, lambda: _publish(client))
        pull = await _timed(trees, MESSAGES, lambda: _pull(client))
    finally:
        await stream.delete_stream("BENCH_RAW")
        await client.close()
    insert = await _insert_timed(database, trees)
    return Raw(*publish, *pull, *insert, codec_us=_codec())


async def _timed(trees: Mapping[str, int], count: int, work: Callable[[], Awaitable[None]]) -> tuple[float, float]:
    before, started = usage_of(trees), time.perf_counter()
    await work()
    seconds = time.perf_counter() - started
    return count / seconds, usage_of(trees).since(before).total * 1e6 / count


async def _publish(client: Client) -> None:
    """Pipelined, a window of 100 unacknowledged, one subscription for all acknowledgements."""
    inbox = client.new_inbox()
    room = asyncio.Semaphore(WINDOW)

    async def acknowledged(_: object) -> None:
        room.release()

    subscription = await client.subscribe(inbox, cb=acknowledged)
    for _ in range(MESSAGES):
        await room.acquire()
        await client.publish("bench.raw", BODY, reply=inbox)
    for _ in range(WINDOW):
        await room.acquire()
    await subscription.unsubscribe()


async def _pull(client: Client) -> None:
    """Batches of 100 on the connection itself, each acknowledged by its last message."""
    await client.jsm().add_consumer(
        "BENCH_RAW", ConsumerConfig(durable_name="raw", ack_policy=AckPolicy.ALL, max_ack_pending=10_000)
    )
    inbox = client.new_inbox()
    done = asyncio.Event()
    seen = 0

    async def arrived(message: Msg) -> None:
        nonlocal seen
        if not message.reply:
            return
        seen += 1
        if seen % WINDOW == 0:
            await client.publish(message.reply, b"+ACK")
            await client.publish("$JS.API.CONSUMER.MSG.NEXT.BENCH_RAW.raw", _NEXT, reply=inbox)
        if seen == MESSAGES:
            done.set()

    subscription = await client.subscribe(inbox, cb=arrived)
    for _ in range(2):
        await client.publish("$JS.API.CONSUMER.MSG.NEXT.BENCH_RAW.raw", _NEXT, reply=inbox)
    await asyncio.wait_for(done.wait(), 60)
    await subscription.unsubscribe()


_NEXT = json.dumps({"batch": WINDOW, "expires": 5_000_000_000}).encode()

_INSERT = """
INSERT INTO bench_raw (id, body)
SELECT id, body
FROM unnest($1::uuid[], $2::text[]) AS new(id, body)
"""


async def _insert_timed(database: str, trees: Mapping[str, int]) -> tuple[float, float]:
    """100 rows of 1 KiB a transaction, committed to disk."""
    connection = await asyncpg.connect(database)
    await connection.execute("CREATE TABLE IF NOT EXISTS bench_raw (id uuid PRIMARY KEY, body text)")

    async def work() -> None:
        for _ in range(ROWS // WINDOW):
            await connection.execute(_INSERT, [uuid4() for _ in range(WINDOW)], [BODY.decode()] * WINDOW)

    try:
        return await _timed(trees, ROWS, work)
    finally:
        await connection.execute("DROP TABLE bench_raw")
        await connection.close()


def _codec(rounds: int = 3000) -> float:
    """Decoding and encoding an event of the chain's usual size, in microseconds."""
    event, stamp = _sample()
    text = encode(event, stamp)
    started = time.process_time()
    for _ in range(rounds):
        encode(decode(SenderIdentified, text).data, stamp)
    return (time.process_time() - started) * 1e6 / rounds


def _sample() -> tuple[SenderIdentified, Stamp]:
    now = datetime.now(UTC)
    message = ReceivedMessage(
        id=MessageId(uuid4()), channel="email", inbox="support", external_id="<sample@example.org>",
        sender=Identity(email="ada@example.org", name="Ada"), title="A question", text="y" * 400, received_at=now,
    )  # fmt: skip
    contact = ContactFacts(id=ContactId(uuid4()), name="Ada", email="ada@example.org")
    event = SenderIdentified(at=now, thread_id=ThreadId(uuid4()), new_thread=True, contact=contact, message=message)
    return event, Stamp(uuid4(), 1, correlation=uuid4(), causation=uuid4(), actor=None, at=now)
