"""P6: a message at which the process ends again and again becomes a dead letter, and no neighbour pays for it."""

from dataclasses import replace

import asyncpg
import pytest

from deskstream.messaging import waiting
from deskstream.messaging.connection import Reach
from deskstream.messaging.fates import MAX_TRIES
from deskstream.messaging.item import from_stream
from deskstream.messaging.positions import read_now
from deskstream.messaging.service import RunningService
from deskstream.testkit.desk import desk, prepare
from deskstream.testkit.eventually import eventually
from deskstream.testkit.processes import supervised
from deskstream.testkit.sample.events import counted, publish
from deskstream.testkit.sample.services import COUNTING, KILLER, SUMMING

NEIGHBOURS = [f"n{number}" for number in range(10)]
APPLIED = "SELECT array_agg(id ORDER BY id) FROM counters WHERE total = 1"
DUE_NOW = "UPDATE waiting SET next_at = now() WHERE state = 'trying'"
RETRIED = "UPDATE waiting SET state = 'failed', tries = 0, next_at = now() WHERE state = 'dead'"
"""What `deskstream dead-letters retry` does."""


@pytest.mark.long
@pytest.mark.timeout(150)
async def test_p6_a_message_that_ends_the_process_dies_alone_also_when_it_is_retried(
    database, nats_url, broker, pool_for
):
    await prepare([COUNTING, SUMMING], database, nats_url)
    await redelivered_soon(broker)
    pool = await pool_for("summing")
    await publish(
        broker, [counted("killer", 1, KILLER), counted("killer", 2), *(counted(key, 1) for key in NEIGHBOURS)]
    )
    async with supervised("deskstream.testkit.sample.run", database, nats_url, "counting", "summing") as process:
        await eventually(lambda: is_dead(pool), within=90)
        await eventually(lambda: applied(pool, NEIGHBOURS), within=20)
        died = len(process.deaths)
        await pool.execute(RETRIED)
        await eventually(lambda: is_dead(pool, due=DUE_NOW), within=60)
    assert len(process.deaths) - died >= MAX_TRIES
    left = await pool.fetch("SELECT key, seq, state = 'dead' FROM waiting ORDER BY seq")
    assert [tuple(row) for row in left] == [("killer", 1, True), ("killer", 2, False)]


async def redelivered_soon(broker):
    stream = broker.jetstream()
    durable = await stream.consumer_info("EVENTS_COUNTING", "summing")
    await stream.add_consumer("EVENTS_COUNTING", replace(durable.config, ack_wait=0.5))


async def is_dead(pool, due="SELECT"):
    await pool.execute(due)
    return await pool.fetchval("SELECT count(*) = 1 FROM waiting WHERE state = 'dead'")


async def applied(pool, keys):
    return await pool.fetchval(APPLIED) == keys


def delivered(counter, number, times=1):
    subject, body, headers = counted(counter, number)
    return from_stream(subject, body, headers, f"$JS.ACK.EVENTS_COUNTING.summing.{times}.{number}.{number}.1.0")


async def test_p6_what_waits_behind_a_suspect_is_not_handled_with_it(summing_alone):
    runner, pool = summing_alone
    await runner.handle([delivered("a", 2)])
    await runner.handle([delivered("a", 1, times=4)])
    assert await pool.fetchval("SELECT total FROM counters WHERE id = 'a'") == 1
    assert [tuple(row) for row in await pool.fetch("SELECT seq, state, tries FROM waiting")] == [(2, "gap", 0)]


async def test_p6_what_waited_is_counted_before_it_is_handled_and_by_one_replica_only(summing_alone):
    runner, pool = summing_alone
    await runner.handle([delivered("a", 2)])
    await runner.handle([delivered("a", 1, times=4)])
    async with pool.acquire() as tx:
        ours = await waiting.due(tx, await read_now(tx, runner._batch.clock_offset))
        theirs = await waiting.due(tx, await read_now(tx, runner._batch.clock_offset))
    assert list((await runner.suspects.start_tries(ours)).values()) == ["trying"]
    assert await runner.suspects.start_tries(theirs) == {}
    assert await pool.fetchval("SELECT tries FROM waiting") == 1


async def test_p6_who_waited_behind_a_gap_is_handled_within_a_second_or_two_in_order(database, nats_url):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        runner, pool = services["summing"].runner, services["summing"].pool
        await runner.handle([delivered("a", number) for number in range(60, 1, -1)])
        await runner.handle([delivered("a", 1, times=4)])
        await eventually(lambda: pool.fetchval("SELECT total = 60 FROM counters WHERE id = 'a'"), within=4)
        assert await pool.fetchval("SELECT count(*) FROM waiting") == 0


@pytest.fixture
async def summing_alone(database, nats_url, pool_for, broker):
    """Its runner and tables, while nothing is heard and nothing swept."""
    await prepare([COUNTING, SUMMING], database, nats_url)
    pool = await pool_for("summing")
    service = RunningService(SUMMING, SUMMING.build(None), pool, Reach([nats_url]))
    await service.publisher.start(broker)
    service.runner.broker.connect(broker)
    return service.runner, pool


REFUSING = """
CREATE FUNCTION summing.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(NEW) ->> TG_ARGV[0] LIKE TG_ARGV[1] THEN
        RAISE EXCEPTION 'too long, too large or locked' USING ERRCODE = TG_ARGV[2];
    END IF;
    RETURN NEW;
END $$
"""
ON_COUNTERS = """
CREATE TRIGGER refusing BEFORE INSERT ON summing.counters
FOR EACH ROW EXECUTE FUNCTION summing.refuse('id', '{which}', '{code}')
"""
ON_WAITING = """
CREATE TRIGGER refusing BEFORE INSERT ON summing.waiting
FOR EACH ROW EXECUTE FUNCTION summing.refuse('key', '{which}', '{code}')
"""
WELL = "DROP FUNCTION summing.refuse() CASCADE"


@pytest.mark.parametrize("code", ["57014", "55P03", "53200"], ids=["cancelled", "lock", "memory"])
async def test_p6_a_message_whose_statement_is_cancelled_fails_alone(database, nats_url, code):
    admin = await asyncpg.connect(database)
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        runner, pool = services["summing"].runner, services["summing"].pool
        await admin.execute(REFUSING)
        await admin.execute(ON_COUNTERS.format(which="slow", code=code))
        await runner.handle([delivered("slow", 1), delivered("a", 1), delivered("b", 1)])
        assert await applied(pool, ["a", "b"])
        [row] = await pool.fetch("SELECT key, state, tries FROM waiting")
        assert tuple(row) == ("slow", "failed", 1)
        await admin.execute(WELL)
        await pool.execute("UPDATE waiting SET next_at = now()")
        await eventually(lambda: applied(pool, ["a", "b", "slow"]), within=5)
    await admin.close()


async def test_p1_a_database_that_cancels_everything_takes_no_try_from_anybody(database, nats_url, broker):
    admin = await asyncpg.connect(database)
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        pool = services["summing"].pool
        await admin.execute(REFUSING)
        for trigger in (ON_COUNTERS, ON_WAITING):
            await admin.execute(trigger.format(which="%", code="57014"))
        await publish(broker, [counted(key, 1) for key in ("a", "b")])
        await eventually(lambda: services["summing"].runner.telling.figures.postponed >= 2)
        await admin.execute(WELL)
        await eventually(lambda: applied(pool, ["a", "b"]), within=8)
        assert await pool.fetchval("SELECT count(*) FROM waiting") == 0
    await admin.close()
