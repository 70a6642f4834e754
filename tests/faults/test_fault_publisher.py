"""The publisher of the fault runs goes on at its rate, whatever comes between, and ends when it is told to."""

import asyncio
from contextlib import asynccontextmanager
from time import monotonic

from deskstream.cli.faults.load import Load
from deskstream.cli.faults.publisher import Publisher, connected
from deskstream.contracts import subjects
from deskstream.messaging.topology import stream_of
from deskstream.testkit.eventually import eventually

RATE = 100
FLOOD = 1_000


@asynccontextmanager
async def publishing(nats_url, rate):
    async with connected(nats_url) as client:
        stream = stream_of(subjects.INBOUND)
        await client.jetstream().add_stream(name=stream, subjects=[f"{subjects.INBOUND}.>"])
        publisher, stop = Publisher(client, Load(1), rate), asyncio.Event()
        running = asyncio.create_task(publisher.run(stop))
        yield publisher, stop, running, client.jsm()
        stop.set()
        await running


async def test_p5_a_flood_of_copies_makes_nobody_else_wait(nats_url):
    async with publishing(nats_url, RATE) as (publisher, stop, running, _):
        await publisher.flood(FLOOD)
        given = publisher.given
        await eventually(lambda: publisher.given >= given + RATE, within=5)
        stop.set()
        async with asyncio.timeout(5):
            await running
        assert publisher.backlog == 0


async def test_a_slow_publisher_ends_when_it_is_told_to(nats_url):
    async with publishing(nats_url, 1) as (publisher, stop, running, _):
        await eventually(lambda: publisher.given > 0)
        started = monotonic()
        stop.set()
        await running
        assert monotonic() - started < 5


async def test_p1_what_comes_again_later_is_a_copy_of_what_was_accepted(nats_url):
    async with publishing(nats_url, RATE) as (publisher, stop, running, streams):
        await eventually(lambda: publisher.given > RATE)
        stop.set()
        await running
        name, said = stream_of(subjects.INBOUND), set()
        for number in range(1, publisher.given + 1):
            body = (await streams.get_msg(name, number)).data
            said |= {word for word in (body or b"").decode().split('"') if word.startswith("fault-1-")}
        assert publisher.published.accepted <= said
        assert len(said - publisher.published.accepted) <= publisher.published.broken
