import asyncio
import json
import os
import shutil
import signal
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import NAMESPACE_OID, uuid5

import nats
import pytest
from nats.js.api import StreamConfig

from deskstream.cli.problem import Problem
from deskstream.cli.tail.choosing import Filters
from deskstream.cli.tail.following import Following, follow
from deskstream.cli.tail.lines import line_of
from deskstream.cli.tail.moments import BEGINNING
from deskstream.cli.tail.words import words
from deskstream.contracts import subjects
from deskstream.contracts.envelope import Stamp, encode
from deskstream.messaging.connection import Reach
from deskstream.messaging.topology import provision, topology
from deskstream.runtime.embedded.home import Home
from deskstream.runtime.embedded.nats import EmbeddedNats
from deskstream.testkit.eventually import eventually
from deskstream.testkit.sample.services import COUNTING, SUMMING, Added, Counted

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
TICKS = timedelta(milliseconds=1)


@pytest.fixture
async def broker(nats_url):
    async with streams(nats_url) as client:
        yield client


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


async def test_where_no_broker_is_it_says_so():
    with pytest.raises(Problem, match=r"NATS does not answer at nats://127\.0\.0\.1:1 "):
        await followed("nats://127.0.0.1:1")


@pytest.fixture
def own_nats(tmp_path):
    server = EmbeddedNats(Home(tmp_path, user=None))
    server.start()
    yield server
    server.stop()


def has_seen(tail, count):
    return len(tail.seen) > count


async def keep_publishing(client, upto):
    """Each until it is acknowledged, whatever happens to the broker."""
    for number in range(1, upto + 1):
        while True:
            try:
                await publish(client, [number])
                break
            except (nats.errors.Error, OSError):
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.002)


@pytest.mark.slow
async def test_p2_p3_kills_of_nats_leave_neither_gaps_nor_doubles(own_nats):
    url = own_nats.url
    async with streams(url) as client, Tail(url) as tail:
        await reading(client, "EVENTS_COUNTING")
        publishing = asyncio.create_task(keep_publishing(client, 1500))
        for kill in range(3):
            await eventually(partial(has_seen, tail, 300 * kill + 100), within=30)
            os.kill(own_nats.running.pid, signal.SIGKILL)
            await asyncio.sleep(0.3)
            await asyncio.to_thread(own_nats.start)
        await publishing
        await tail.until(range(1, 1501), within=30)


@pytest.mark.slow
async def test_p4_a_store_that_is_lost_and_published_again_shows_only_what_is_new(own_nats, tmp_path):
    async with streams(own_nats.url) as client, Tail(own_nats.url) as tail:
        await reading(client, "EVENTS_COUNTING")
        await publish(client, range(1, 31))
        await tail.until(range(1, 31))
        await asyncio.to_thread(own_nats.stop)
        shutil.rmtree(tmp_path / "nats" / "jetstream")
        await asyncio.to_thread(own_nats.start)
        await eventually(lambda: client.is_connected, within=10)
        await provision(client, topology([COUNTING, SUMMING]))
        await publish(client, range(1, 34))
        await tail.until(range(1, 34), within=20)


WAITING = """
INSERT INTO waiting (lane, key, seq, message_id, subject, type, body, state, reason, handler, tries, next_at, since)
VALUES ('events.ingest', $1, 1, gen_random_uuid(), 's', 'deskstream.ingest.message_received', '{}', $2,
        E'RuntimeError: \\x1b[31mbroken', 'h', $3, now(), now() + $4 * interval '1 second')
"""


async def test_o3_what_fails_and_what_is_dead_is_shown_once(broker, nats_url, database, pool_for):
    crm = await pool_for("crm")
    await crm.execute(WAITING, "before", "dead", 8, -60)
    moment = datetime.now(UTC)
    await crm.execute(WAITING, "sick", "failed", 1, 1)
    async with Tail(nats_url, dsn=database, since=moment) as tail:
        await eventually(lambda: len(tail.seen) == 1)
        await crm.execute("UPDATE waiting SET state = 'dead', tries = 8 WHERE key = 'sick'")
        await eventually(lambda: len(tail.seen) == 2)
        await publish(broker, [1])
        await eventually(lambda: len(tail.seen) == 3)
    assert [(seen.service, seen.event, seen.key) for seen in tail.seen[:2]] == [
        ("crm", "failed", "sick"),
        ("crm", "dead", "sick"),
    ]
    assert "message_received: RuntimeError" in words(tail.seen[0])
    assert "\x1b" not in line_of(tail.seen[1], "sick").plain


async def test_without_a_database_events_are_shown_all_the_same(broker, nats_url):
    await publish(broker, [1])
    assert (await followed(nats_url, dsn="postgresql://nobody@127.0.0.1:1/none")).numbers == [1]


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
