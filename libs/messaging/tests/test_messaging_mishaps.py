"""What the fault runs found: moments so short that no other test meets them."""

import asyncio
from contextlib import suppress
from uuid import UUID

import asyncpg
import pytest

from deskstream.messaging import waiting
from deskstream.messaging.connection import Reach
from deskstream.messaging.fates import MAX_TRIES, is_transient
from deskstream.messaging.hearing import taken_up
from deskstream.messaging.item import Item, Source, fetched_from_stream, from_stream
from deskstream.messaging.service import RunningService
from deskstream.messaging.standby import Standby
from deskstream.testkit.desk import desk, prepare
from deskstream.testkit.eventually import eventually
from deskstream.testkit.sample.events import counted, publish
from deskstream.testkit.sample.services import COUNTING, SUMMING

LANE, KEY = "events.counting", "a"
TRIES = 3

CUT = """
SELECT pg_terminate_backend(pid)
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@pytest.fixture
async def summing(database, nats_url, pool_for):
    await prepare([COUNTING, SUMMING], database, nats_url)
    return await pool_for("summing")


def suspect(sequence):
    subject = f"{LANE}.counted.{KEY}"
    return Item(Source.STREAM, LANE, KEY, sequence, "counted", subject, b"{}", id=UUID(int=sequence + 1))


async def tried(pool, *items):
    async with pool.acquire() as tx, tx.transaction():
        return list((await waiting.start_tries(tx, items, TRIES)).values())


@pytest.mark.parametrize("sequence", [pytest.param(0, id="not numbered"), pytest.param(2, id="numbered")])
async def test_p6_a_message_that_may_kill_the_process_is_counted_before_it_is_handled(summing, sequence):
    states = [await tried(summing, suspect(sequence)) for _ in range(TRIES + 2)]
    assert states == [["trying"]] * TRIES + [["dead"], []]


async def test_p2_a_suspect_that_was_applied_already_is_not_tried(summing):
    await summing.execute("INSERT INTO progress (lane, key, seq) VALUES ($1, $2, 2)", LANE, KEY)
    assert await tried(summing, suspect(2)) == []


async def test_p2_two_copies_of_a_suspect_are_one_try(summing):
    assert await tried(summing, suspect(2), suspect(3), suspect(2)) == ["trying", "trying"]
    assert await summing.fetchval("SELECT max(tries) FROM waiting") == 1


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        pytest.param(
            asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress"),
            True,
            id="P1: a session that the server is just ending is the world's fault",
        ),
        pytest.param(
            asyncpg.InternalClientError("PoolConnectionHolder.release() called on a free connection holder"),
            True,
            id="P5: a connection that was cut in the middle of a copy is the world's fault",
        ),
        pytest.param(asyncpg.InternalClientError("no codec"), False, id="another mistake inside asyncpg is not"),
    ],
)
def test_whose_fault_it_is(error, transient):
    assert is_transient(error) is transient


async def test_p5_a_session_that_ends_while_a_lane_is_taken_up_ends_nobody():
    tries = []

    async def work(lane):
        tries.append(lane)
        if len(tries) == 1:
            raise asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress")

    await taken_up("summing", "events.counting", work)
    assert tries == ["events.counting"] * 2


async def test_p11_who_stands_by_on_a_connection_just_cut_still_stops(database, summing):
    async def nothing():
        return None

    standby = Standby(summing, nothing, nothing)
    task = asyncio.create_task(standby.run())
    await eventually(lambda: standby.active)
    admin = await asyncpg.connect(database)
    await admin.execute(CUT)
    await admin.close()
    # Long enough to read the server's last words, and shorter than the pause until the next look.
    await asyncio.sleep(0.1)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)
    assert task.cancelled()


def brought_back(counter, number, delivered=4):
    """What a reader that was cut off had pulled: the broker delivers it again."""
    subject, body, headers = counted(counter, number)
    return from_stream(subject, body, headers, f"$JS.ACK.EVENTS_COUNTING.summing.{delivered}.{number}.{number}.1.0")


async def test_p5_what_a_broken_connection_brought_back_is_handled_together(database, nats_url):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        runner, pool = services["summing"].runner, services["summing"].pool
        before = runner.batches
        await runner.handle([brought_back("a", number) for number in range(1, 101)])
        assert runner.batches - before == 1
        assert await pool.fetchval("SELECT total FROM counters WHERE id = 'a'") == 100
        assert await pool.fetchval("SELECT count(*) FROM waiting") == 0


async def test_p5_a_suspect_that_came_too_early_waits_for_its_turn_and_no_longer(database, nats_url, broker):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        runner, pool = services["summing"].runner, services["summing"].pool
        await runner.handle([brought_back("a", 2)])
        assert await pool.fetchval("SELECT state FROM waiting") == "gap"
        await publish(broker, [counted("a", 1)])
        await eventually(lambda: pool.fetchval("SELECT total = 2 FROM counters WHERE id = 'a'"), within=4)
        await eventually(lambda: pool.fetchval("SELECT count(*) = 0 FROM waiting"))


async def test_p6_what_waited_after_a_try_is_counted_before_it_is_tried_again(database, nats_url):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        runner, pool = services["summing"].runner, services["summing"].pool
        await runner.handle([brought_back("a", 2)])
        await runner.handle([brought_back("a", 2, delivered=5)])
        assert await pool.fetchval("SELECT tries FROM waiting WHERE key = 'a'") == 2


FULL = """
CREATE FUNCTION summing.refuse() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON summing.counters EXECUTE FUNCTION summing.refuse();
"""

EMPTIED = "DROP FUNCTION summing.refuse() CASCADE"


async def test_p1_an_unwell_database_takes_no_try_from_a_suspect_and_holds_its_key_no_longer(database, nats_url):
    admin = await asyncpg.connect(database)
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        runner, pool = services["summing"].runner, services["summing"].pool
        await admin.execute(FULL)
        for again in range(MAX_TRIES + 2):
            await runner.handle([brought_back("a", 1, delivered=4 + again)])
        assert await pool.fetchval("SELECT array_agg(tries) FROM waiting") in ([0], [1])
        await admin.execute(EMPTIED)
        await eventually(lambda: pool.fetchval("SELECT total = 1 FROM counters WHERE id = 'a'"), within=5)
        await eventually(lambda: pool.fetchval("SELECT count(*) = 0 FROM waiting"))
    await admin.close()


READ = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'waiting'"

QUEUE = """
INSERT INTO waiting (lane, key, seq, message_id, subject, type, body, state, next_at, since)
SELECT 'events.counting', 'a', n, gen_random_uuid(), 'events.counting.counted.a', 'counted', '{}',
       CASE WHEN n = 1 THEN 'dead' ELSE 'behind' END, now(), now()
FROM generate_series(1, 1000) AS n
"""


async def test_p6_the_queue_behind_a_dead_message_is_not_read_for_each_that_joins_it(database, nats_url):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        runner, pool = services["summing"].runner, services["summing"].pool
        await pool.execute(QUEUE)
        await pool.execute("ANALYZE waiting")
        items = [brought_back("a", 1001, delivered=1), brought_back("b", 1, delivered=1)]
        async with pool.acquire() as tx, tx.transaction():
            done = await runner._batch.run(tx, items, ())
            assert await tx.fetchval(READ) < 10
        assert (done.outcomes.waiting, done.outcomes.applied) == (1, 1)
        states = await pool.fetch("SELECT state, count(*) FROM waiting GROUP BY state ORDER BY state")
        assert [tuple(row) for row in states] == [("behind", 1000), ("dead", 1)]


async def test_p3_what_arrived_behind_a_message_that_came_back_does_not_overtake_it(summing, nats_url):
    # Nothing of the service runs, so that the inbox shows what waits, and in which order.
    runner = RunningService(SUMMING, SUMMING.build(None), summing, Reach([nats_url])).runner
    arrived = [fetched_from_stream("INBOUND", "inbound.email.support", b"{}", number, 1) for number in range(1, 6)]
    handled = []

    async def work(group):
        handled.append(list(group))
        if arrived[1] in group:
            await runner._give_back(group, ConnectionResetError())

    await runner._in_turn([arrived[:1], arrived[1:3], arrived[3:]], work)
    assert handled == [arrived[:1], arrived[1:3]]
    assert runner.finish() == arrived[1:]
