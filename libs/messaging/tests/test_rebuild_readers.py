"""P3, P4: a reader gets what its stream cannot bring: a lane's history, or what was dropped before it was heard."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from deskstream.messaging.batch import Batch
from deskstream.messaging.connection import Reach
from deskstream.messaging.failpoints import FailPoints
from deskstream.messaging.publishing import Publisher
from deskstream.messaging.runner import Runner
from deskstream.messaging.service import RunningService
from deskstream.messaging.waking import Waker
from deskstream.messaging.wiring import wiring_of
from deskstream.runtime.pool import open_pool
from deskstream.testkit.desk import desk, prepare
from deskstream.testkit.eventually import eventually
from deskstream.testkit.processes import supervised
from deskstream.testkit.sample.services import COUNTING, SUMMING, Count, Wake

LANE, STREAM = "events.counting", "EVENTS_COUNTING"
SAMPLE = "deskstream.testkit.sample.run"


async def count(services, times, *keys):
    for key in keys:
        assert (await services["counting"].call(Count(counter=key, times=times))).ok


def sums_are(pool, numbers):
    async def check():
        rows = await pool.fetch("SELECT id, total, last FROM counters")
        assert {row["id"]: (row["total"], row["last"]) for row in rows} == {k: (n, n) for k, n in numbers.items()}
        return True

    return check


def published(service):
    async def check():
        return not await service.pool.fetchval("SELECT count(*) FROM unpublished")

    return check


async def test_p3_what_the_stream_dropped_before_it_was_heard_is_read_from_the_journal(database, nats_url, broker):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        await count(services, 3, "quiet", "busy")
        await eventually(sums_are(services["summing"].pool, {"quiet": 3, "busy": 3}))
        known = "SELECT count(*) FROM lanes_heard WHERE lane = 'events.counting' AND durable <> ''"
        await eventually(lambda: services["summing"].pool.fetchval(known))
    async with desk([COUNTING], database, nats_url) as services:
        asked = [Count(counter="quiet", times=4), Count(counter="busy", times=1)]
        assert all([(await services["counting"].call(one)).ok for one in asked])
        await eventually(published(services["counting"]))
    await four_days_later(database)
    await broker.jsm().purge_stream(STREAM)
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        await eventually(sums_are(services["summing"].pool, {"quiet": 7, "busy": 4}), within=20)
        assert (await broker.jsm().stream_info(STREAM)).state.messages == 0


async def four_days_later(database):
    """As old as it is then, for what looks at the age of journal rows and of the last look."""
    owner = await asyncpg.connect(database)
    await owner.execute("UPDATE counting.journal SET at = at - interval '4 days'")
    await owner.execute("UPDATE counting.streams_known SET at = at - interval '4 days'")
    await owner.close()


@pytest.mark.long
async def test_p2_who_is_killed_while_it_reads_a_history_goes_on_where_it_was(database, nats_url, broker):
    await prepare([COUNTING, SUMMING], database, nats_url)
    async with desk([COUNTING], database, nats_url) as services:
        await count(services, 400, *(f"k{n}" for n in range(6)))
        await eventually(published(services["counting"]), within=20)
    await four_days_later(database)
    await broker.jsm().purge_stream(STREAM)
    records = await asyncpg.connect(database)
    names = ("counting", "summing")
    async with supervised(SAMPLE, database, nats_url, *names, failpoint="summing:after_commit:5") as process:
        await eventually(lambda: process.deaths, within=30)
        assert await records.fetchval("SELECT read_to FROM summing.lanes_heard WHERE lane = $1", LANE) > 0
        await eventually(sums_are_in(records, {f"k{n}": 400 for n in range(6)}), within=40)
    assert await records.fetchval("SELECT count(*) FROM summing.journal WHERE type LIKE '%added'") == 2400
    await records.close()


def sums_are_in(records, numbers):
    async def check():
        rows = await records.fetch("SELECT id, total FROM summing.counters")
        assert {row["id"]: row["total"] for row in rows} == numbers
        return True

    return check


async def test_a_service_whose_start_failed_can_be_stopped(database, nats_url, pool_for):
    await prepare([COUNTING], database, nats_url)
    pool = await pool_for("counting")
    service = RunningService(COUNTING, COUNTING.build(None), pool, Reach([nats_url]))
    await pool.close()
    with pytest.raises(asyncpg.InterfaceError):
        await service.start()
    await service.stop()


async def test_p8_a_backlog_that_does_not_shrink_holds_up_no_timer_for_ever(database, nats_url, broker):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        assert (await services["summing"].call(Wake(counter="a", after_ms=1500))).ok
    pool = await open_pool(database, "summing")
    runner = await a_runner(pool, broker)
    waker = Waker(runner, pool, timedelta(), lambda: 10_000, patience_s=2.0)
    waking = asyncio.create_task(waker.run())
    await eventually(lambda: pool.fetchval("SELECT 1 FROM journal WHERE type LIKE '%woken'"), within=15)
    waking.cancel()
    await asyncio.gather(waking, return_exceptions=True)
    await pool.close()


async def a_runner(pool, client):
    points = FailPoints("summing", "::")
    built = SUMMING.build(None)
    publisher = Publisher(points)
    await publisher.start(client)
    runner = Runner(
        Batch(wiring_of(SUMMING, tuple(built.hears), tuple(built.answers)), points), pool, publisher, points
    )
    runner.broker.connect(client)
    return runner
