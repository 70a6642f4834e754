"""P4: the database is put back to an earlier moment than its streams: noticed on start, mended by reconcile."""

from contextlib import asynccontextmanager
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import nats
import pytest

from deskstream.messaging import sends
from deskstream.messaging.positions import read_now
from deskstream.messaging.reconcile import mending
from deskstream.messaging.reconcile.lists import compared
from deskstream.messaging.reconcile.stored import state_of
from deskstream.testkit.databases import database_url
from deskstream.testkit.desk import desk, prepare
from deskstream.testkit.eventually import eventually
from deskstream.testkit.sample.services import COUNTING, SUMMING, Count

LANE, STREAM = "events.counting", "EVENTS_COUNTING"


@asynccontextmanager
async def kept_copy(database, server):
    """The database as it is now, under another name."""
    original = urlsplit(database).path[1:]
    name = f"{original}_kept"
    admin = await asyncpg.connect(server)
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {original}")
    yield database_url(server, name)
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


async def count(services, times, *keys):
    for key in keys:
        assert (await services["counting"].call(Count(counter=key, times=times))).ok


def sums_are(pool, numbers):
    async def check():
        rows = await pool.fetch("SELECT id, total, last FROM counters")
        assert {row["id"]: (row["total"], row["last"]) for row in rows} == {k: (n, n) for k, n in numbers.items()}
        return True

    return check


def published(services):
    async def check():
        pools = [service.pool for service in services.values()]
        return not sum([await pool.fetchval("SELECT count(*) FROM unpublished") for pool in pools])

    return check


async def said_twice(pool):
    """Numbers, and ids, that stand in the journal more than once."""
    return await pool.fetch(
        "SELECT lane, key, seq FROM journal GROUP BY lane, key, seq HAVING count(*) > 1 "
        "UNION ALL SELECT lane, message_id::text, 0 FROM journal GROUP BY lane, message_id HAVING count(*) > 1"
    )


async def reconciled(database, nats_url):
    """What `deskstream reconcile --apply` does, lane by lane."""
    client, connection = await nats.connect(nats_url), await asyncpg.connect(database)
    for reader in (COUNTING, SUMMING):
        await connection.execute(f"SET search_path = {reader.name}")
        await mending.prepare_reader(connection, client, reader)
    back = {}
    for writer in (COUNTING, SUMMING):
        await connection.execute(f"SET search_path = {writer.name}")
        for lane in writer.says:
            state = await state_of(client, lane.replace(".", "_").upper())
            assert state is not None
            async with compared(connection, client, lane, state) as comparison:
                back[lane] = await mending.take_back(comparison, client, state, lambda _: None)
    await client.close()
    await connection.close()
    return back


@pytest.mark.long
async def test_p4_an_older_database_is_noticed_takes_back_what_it_lost_and_says_nothing_twice(
    database, nats_url, postgres_server
):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        await count(services, 5, "a", "b")
        await eventually(sums_are(services["summing"].pool, {"a": 5, "b": 5}))
        await eventually(published(services))
    async with kept_copy(database, postgres_server) as older:
        async with desk([COUNTING, SUMMING], database, nats_url) as services:
            await count(services, 4, "a", "new")
            await eventually(sums_are(services["summing"].pool, {"a": 9, "b": 5, "new": 4}))
            await eventually(published(services))
        async with desk([COUNTING, SUMMING], older, nats_url) as services:
            problem = await services["counting"].problem()
            assert problem is not None
            assert "`deskstream reconcile`" in problem
            held = await services["summing"].call(Count(counter="a"))
            assert held.error is not None
            assert held.error.code == "unavailable"
            back = await reconciled(older, nats_url)
            assert {lane: taken.events for lane, taken in back.items()} == {LANE: 8, "events.summing": 8}
            await eventually(sums_are(services["summing"].pool, {"a": 9, "b": 5, "new": 4}), within=30)
            assert await eventually(lambda: counted(services, "b"), within=30)
            await eventually(sums_are(services["summing"].pool, {"a": 9, "b": 6, "new": 4}), within=30)
            for service in services.values():
                assert not await said_twice(service.pool)
                assert await service.problem() is None
            assert await services["summing"].pool.fetchval("SELECT count(*) FROM waiting") == 0


async def counted(services, key):
    return (await services["summing"].call(Count(counter=key), idempotency_key="after")).ok


async def test_p3_a_number_whose_event_nobody_has_any_more_is_closed_and_readers_go_on(database, nats_url, broker):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        await count(services, 3, "a")
        await eventually(sums_are(services["summing"].pool, {"a": 3}))
        await eventually(published(services))
    await broker.jsm().purge_stream(STREAM, seq=3)
    connection = await asyncpg.connect(database)
    await connection.execute("SET search_path = counting")
    await connection.execute("DELETE FROM journal WHERE key = 'a' AND seq > 1")
    await connection.execute("UPDATE heads SET seq = 1 WHERE key = 'a'")
    state = await state_of(broker, STREAM)
    assert state is not None
    async with compared(connection, broker, LANE, state) as comparison:
        back = await mending.take_back(comparison, broker, state, lambda _: None)
    rows = await connection.fetch("SELECT seq, type FROM journal WHERE key = 'a' ORDER BY seq")
    await connection.close()
    assert back == mending.TakenBack(events=1, numbers_lost=1)
    assert [tuple(row) for row in rows] == [
        (1, "deskstream.counting.counted"), (2, "deskstream.number_lost"), (3, "deskstream.counting.counted"),
    ]  # fmt: skip


async def test_p9_a_reply_that_was_taken_back_is_in_doubt_and_not_sent_again_as_if_it_were_new(
    database, nats_url, pool_for, broker
):
    await prepare([COUNTING, SUMMING], database, nats_url)
    pool = await pool_for("summing")
    lane, identity = "outbound.email", uuid4()
    await pool.execute(
        "INSERT INTO sends (lane, key, seq, message_id, type, body, correlation, state, next_at, at) "
        "VALUES ($1, 'conversation', 1, $2, 'deskstream.outbound_message', '{}', $2, 'queued', now(), now())",
        lane,
        identity,
    )
    async with pool.acquire() as connection, connection.transaction():
        await mending.prepare_reader(connection, broker, SUMMING)
        reply = ("conversation", 2, uuid4(), "deskstream.outbound_message", "{}", identity)
        await mending.doubt_sends(connection, lane, [reply])
        await mending.doubt_sends(connection, lane, [reply])
        claimed = await sends.claim(connection, await read_now(connection, timedelta(minutes=1)), 10)
    rows = await pool.fetch("SELECT seq, state, reason FROM sends ORDER BY seq")
    assert [(row["seq"], row["state"]) for row in rows] == [(1, "sending"), (2, "unknown")]
    assert {row["reason"] for row in rows} == {mending.PUT_BACK}
    assert [(one.sequence, one.uncertain) for one in claimed] == [(1, True)]
