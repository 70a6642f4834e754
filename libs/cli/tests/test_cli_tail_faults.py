"""What `deskstream tail` shows when servers die, are lost or were never there, and of what fails."""

import asyncio
import os
import shutil
import signal
from datetime import UTC, datetime
from functools import partial

import nats
import pytest

from deskstream.cli.problem import Problem
from deskstream.cli.tail.lines import line_of
from deskstream.cli.tail.words import words
from deskstream.messaging.topology import provision, topology
from deskstream.runtime.embedded.home import Home
from deskstream.runtime.embedded.nats import EmbeddedNats
from deskstream.testkit.eventually import eventually
from deskstream.testkit.sample.services import COUNTING, SUMMING
from libs.cli.tests.tails import Tail, followed, publish, reading, streams


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


async def is_acknowledged(client, number):
    try:
        await publish(client, [number])
    except (nats.errors.Error, OSError):
        return False
    return True


async def keep_publishing(client, tail, upto):
    """Each until it is acknowledged, whatever happens to the broker; a little ahead of what the tail has seen."""
    for number in range(1, upto + 1):
        await eventually(partial(has_seen, tail, number - 100), within=30)
        await eventually(partial(is_acknowledged, client, number), within=30)


@pytest.mark.slow
async def test_p2_p3_kills_of_nats_leave_neither_gaps_nor_doubles(own_nats):
    url = own_nats.url
    async with streams(url) as client, Tail(url) as tail:
        await reading(client, "EVENTS_COUNTING")
        publishing = asyncio.create_task(keep_publishing(client, tail, 1500))
        for kill in range(3):
            await eventually(partial(has_seen, tail, 300 * kill + 100), within=30)
            os.kill(own_nats.running.pid, signal.SIGKILL)
            await eventually(lambda: own_nats.running is None and not client.is_connected)
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
