"""What `deskstream tail` shows, from where on, in which order, and how often."""

import asyncio
import json
from datetime import UTC, datetime

import pytest
from nats.js.api import StreamConfig

from deskstream.cli.tail.choosing import Filters
from deskstream.contracts import subjects
from deskstream.contracts.envelope import encode
from deskstream.messaging.topology import provision, topology
from deskstream.testkit.sample.services import COUNTING, SUMMING, Added
from libs.cli.tests.tails import Tail, event, followed, publish, reading


async def test_from_now_on(broker, nats_url):
    await publish(broker, [1, 2])
    async with Tail(nats_url) as tail:
        await reading(broker, "EVENTS_COUNTING")
        await publish(broker, [3, 4])
        await tail.until([3, 4])


async def test_from_an_earlier_moment_on(broker, nats_url):
    await publish(broker, [1])
    await asyncio.sleep(0.05)
    moment = datetime.now(UTC)
    await publish(broker, [2, 3])
    assert (await followed(nats_url, since=moment)).numbers == [2, 3]
    assert (await followed(nats_url)).numbers == [1, 2, 3]


async def test_streams_are_shown_in_the_order_in_which_things_were_said(broker, nats_url):
    odd, even = range(1, 400, 2), range(2, 400, 2)
    await publish(broker, odd)
    await publish(broker, even, Added)
    tail = await followed(nats_url)
    assert tail.numbers == list(range(1, 400))
    assert {seen.lane for seen in tail.seen} == {"events.counting", "events.summing"}


async def test_a_stream_s_own_order_is_kept_whatever_its_clock_says(broker, nats_url):
    backwards = [5, 4, 3, 2, 1]
    await publish(broker, backwards)
    assert (await followed(nats_url)).numbers == backwards


async def test_filters_reach_the_broker_and_what_it_sends(broker, nats_url):
    await publish(broker, range(1, 50), key="a")
    await publish(broker, range(1, 50), Added, key="a")
    await publish(broker, [7], key="b")
    assert (await followed(nats_url, filters=Filters(services=("summing",), events=("added",)))).numbers == list(
        range(1, 50)
    )
    assert (await followed(nats_url, filters=Filters(text='"number":7,', services=("counting",)))).numbers == []
    assert (await followed(nats_url, filters=Filters(text='"number":7}', services=("counting",)))).numbers == [7, 7]


async def test_it_ends_after_so_many(broker, nats_url):
    await publish(broker, range(1, 20))
    assert (await followed(nats_url, count=3)).numbers == [1, 2, 3]


async def test_what_is_published_twice_is_shown_once(broker, nats_url):
    config = StreamConfig(name="EVENTS_OTHER", subjects=["events.other.>"], duplicate_window=0.1)
    await broker.jsm().add_stream(config)
    async with Tail(nats_url) as tail:
        await reading(broker, "EVENTS_OTHER")
        for _ in range(2):
            for number in (1, 2):
                said, stamp = event(number)
                subject = subjects.events_lane("other") + ".counted.k"
                headers = {"Nats-Msg-Id": str(stamp.id)}
                await broker.jetstream().publish(subject, encode(said, stamp).encode(), headers=headers)
            await asyncio.sleep(0.5)
        info = await broker.jsm().stream_info("EVENTS_OTHER")
        assert info.state.messages == 4
        await publish(broker, [3])
        await tail.until([1, 2, 3])


async def test_a_place_that_somebody_deletes_is_made_again(broker, nats_url):
    async with Tail(nats_url) as tail:
        await reading(broker, "EVENTS_COUNTING")
        await publish(broker, [1])
        await tail.until([1])
        (place,) = [c.name for c in await broker.jsm().consumers_info("EVENTS_COUNTING") if c.name.startswith("tail-")]
        await broker.jsm().delete_consumer("EVENTS_COUNTING", place)
        await publish(broker, [2])
        await tail.until([1, 2])


async def test_a_stream_that_is_made_later_is_followed_from_its_first_event(broker, nats_url):
    await broker.jsm().delete_stream("EVENTS_SUMMING")
    async with Tail(nats_url) as tail:
        await reading(broker, "EVENTS_COUNTING")
        await provision(broker, topology([COUNTING, SUMMING]))
        await publish(broker, [1], Added)
        await tail.until([1], within=15)


async def test_it_leaves_nothing_behind(broker, nats_url):
    await publish(broker, [1])
    await followed(nats_url)
    assert [c.name for c in await broker.jsm().consumers_info("EVENTS_COUNTING")] == ["summing"]


async def test_many_events_are_all_shown_once(broker, nats_url):
    subject = event(1)[0].subject()
    for number in range(1, 5001):
        said, stamp = event(number)
        await broker.publish(subject, encode(said, stamp).encode())
    await broker.flush()
    await publish(broker, range(1, 100), Added)
    tail = await followed(nats_url, filters=Filters(services=("counting",)))
    assert tail.numbers == list(range(1, 5001))


async def test_the_command_follows_filters_and_ends(deskstream, nats_url, broker):
    await publish(broker, range(1, 6))
    said = await deskstream("tail", "--since", "1h", "-e", "counted", "-n", "2", "--json")
    assert [json.loads(line)["data"]["number"] for line in said.lines] == [1, 2]
    said = await deskstream("tail", "--since", "beginning", "--until-idle", "0.3", "-t", '"number":5')
    assert said.code == 0
    assert len(said.lines) == 2
    assert said.lines[0] == "Monday 2026-05-04"
    assert "counting/counted" in said.lines[1]


@pytest.mark.parametrize("arguments", [["--count", "0"], ["--until-idle", "0"], ["--since", "soon"]])
def test_misuse(nowhere, arguments):
    nowhere.environment["DESKSTREAM_NATS_URL"] = "nats://127.0.0.1:1"
    assert nowhere.now("tail", *arguments).code == 2
