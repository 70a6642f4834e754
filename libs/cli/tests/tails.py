"""Events to be shown by `deskstream tail`, and a tail that is read while it runs."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import NAMESPACE_OID, uuid5

import nats

from deskstream.cli.tail.choosing import Filters
from deskstream.cli.tail.following import Following, follow
from deskstream.cli.tail.moments import BEGINNING
from deskstream.contracts.envelope import Stamp, encode
from deskstream.messaging.connection import Reach
from deskstream.messaging.topology import provision, topology
from deskstream.testkit.eventually import eventually
from deskstream.testkit.sample.services import COUNTING, SUMMING, Counted

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
TICKS = timedelta(milliseconds=1)


@asynccontextmanager
async def streams(url):
    client = await nats.connect(url, max_reconnect_attempts=-1, reconnect_time_wait=1)
    await provision(client, topology([COUNTING, SUMMING]))
    try:
        yield client
    finally:
        await client.close()


def event(number, kind=Counted, key="k"):
    """The number-th thing said, a millisecond after the one before."""
    said = kind(at=NOON, counter=key, number=number)
    identity = uuid5(NAMESPACE_OID, f"{kind.__name__}/{key}/{number}")
    at = NOON + number * TICKS
    return said, Stamp(identity, number, correlation=identity, causation=identity, actor=None, at=at)


async def publish(client, numbers, kind=Counted, key="k", *, known_by_id=True):
    for number in numbers:
        said, stamp = event(number, kind, key)
        headers = {"Nats-Msg-Id": str(stamp.id)} if known_by_id else None
        await client.jetstream().publish(said.subject(), encode(said, stamp).encode(), headers=headers)


class Tail:
    """A tail that runs beside the test."""

    def __init__(self, url, **wanted):
        self.seen = []
        self._following = follow(Reach([url]), Following(wanted.pop("filters", Filters()), **wanted), self._show)

    def _show(self, seen, label):
        self.seen.append(seen)

    @property
    def numbers(self):
        return [seen.data["number"] for seen in self.seen]

    async def __aenter__(self):
        self.task = asyncio.create_task(self._following)
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def until(self, numbers, within=20):
        await eventually(lambda: self.numbers == list(numbers), within=within, what=f"the events {numbers}")


async def followed(url, **wanted):
    """What a tail shows that ends by itself."""
    tail = Tail(url, since=wanted.pop("since", BEGINNING), until_idle_s=0.3, **wanted)
    async with tail:
        await tail.task
    return tail


async def reading(client, stream, count=1):
    """Waits until so many tails have their place in a stream."""

    async def check():
        info = await client.jsm().consumers_info(stream)
        return sum(consumer.name.startswith("tail-") for consumer in info) == count

    await eventually(check)
