"""P1, P2: two sweepers at once, and publishing that stood still for longer than the broker remembers ids."""

import asyncio
import os
import signal
from contextlib import asynccontextmanager

import asyncpg
import nats
import pytest

from deskstream.messaging import commands
from deskstream.runtime.embedded.home import Home
from deskstream.runtime.embedded.nats import EmbeddedNats
from deskstream.testkit.desk import desk, prepare
from deskstream.testkit.eventually import eventually
from deskstream.testkit.processes import supervised
from deskstream.testkit.sample.services import COUNTING, SUMMING, Count

LANE, STREAM = "events.counting", "EVENTS_COUNTING"
SAMPLE = "deskstream.testkit.sample.run"
WINDOW_S = 2.0
EACH = 30


async def count(services, times, *keys):
    for key in keys:
        assert (await services["counting"].call(Count(counter=key, times=times))).ok


def sums_are(records, expected):
    async def check():
        rows = await records.fetch("SELECT id, total, last FROM summing.counters")
        assert {row["id"]: (row["total"], row["last"]) for row in rows} == expected
        return True

    return check


def nothing_owed(records):
    async def check():
        return not await records.fetchval("SELECT count(*) FROM counting.unpublished")

    return check


async def owe_everything_again(records):
    """As after a crash in which no acknowledgement was written down."""
    await records.execute(
        "INSERT INTO counting.unpublished SELECT id, at - interval '1 minute' FROM counting.journal "
        "ON CONFLICT DO NOTHING"
    )
    await records.execute("UPDATE counting.journal SET at = at - interval '1 minute'")


async def remember_ids_for(broker, seconds):
    config = (await broker.jsm().stream_info(STREAM)).config
    await broker.jsm().update_stream(config.evolve(duplicate_window=seconds))


@pytest.mark.long
async def test_p2_what_is_published_again_after_the_broker_forgot_its_ids_takes_effect_once(database, nats_url, broker):
    records = await asyncpg.connect(database)
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        await remember_ids_for(broker, WINDOW_S)
        await count(services, EACH, "a", "b")
        await eventually(sums_are(records, {"a": (EACH, EACH), "b": (EACH, EACH)}))
        await eventually(nothing_owed(records))
        stored = (await broker.jsm().stream_info(STREAM)).state.last_seq
        await asyncio.sleep(WINDOW_S + 0.5)
        await owe_everything_again(records)
        async with desk([COUNTING], database, nats_url):
            await eventually(nothing_owed(records), within=20)
        assert (await broker.jsm().stream_info(STREAM)).state.last_seq == stored + 2 * EACH
        await count(services, 1, "a")
        await eventually(sums_are(records, {"a": (EACH + 1, EACH + 1), "b": (EACH, EACH)}), within=10)
        assert await records.fetchval("SELECT count(*) FROM summing.waiting") == 0
    await records.close()


def is_sweeping(records):
    """Whether somebody holds the lock of those who publish again, and waits for acknowledgements."""

    async def check():
        return await records.fetchval(
            "SELECT count(*) FROM pg_stat_activity a JOIN pg_locks l USING (pid) WHERE l.locktype = 'advisory' "
            "AND a.datname = current_database() AND a.state = 'idle in transaction'"
        )

    return check


@asynccontextmanager
async def connected(url):
    client = await nats.connect(url)
    yield client
    await client.close()


@pytest.fixture
def server(tmp_path):
    made = EmbeddedNats(Home(tmp_path, user=None))
    made.start()
    yield made
    made.stop()


@pytest.mark.long
async def test_p5_a_sweeper_that_freezes_while_it_publishes_keeps_the_others_from_it_for_seconds_only(
    database, nats_url, server
):
    await prepare([COUNTING, SUMMING], database, server.url)
    records = await asyncpg.connect(database)
    async with supervised(SAMPLE, database, server.url, "counting") as frozen:
        async with connected(server.url) as client:
            assert (await commands.call(client, Count(counter="b"), within=30)).ok
        async with desk([SUMMING, COUNTING], database, server.url) as services:
            await count(services, EACH, "a")
            await eventually(sums_are(records, {"a": (EACH, EACH), "b": (1, 1)}), within=20)
            await eventually(nothing_owed(records), within=20)
        os.kill(server.running.pid, signal.SIGSTOP)
        await owe_everything_again(records)
        await eventually(is_sweeping(records), within=20)
        frozen.kill(signal.SIGSTOP)
        os.kill(server.running.pid, signal.SIGCONT)
        try:
            async with desk([SUMMING, COUNTING], database, server.url):
                await eventually(nothing_owed(records), within=40)
        finally:
            frozen.kill(signal.SIGCONT)
        async with desk([SUMMING, COUNTING], database, server.url) as services:
            await count(services, 1, "a")
            await eventually(sums_are(records, {"a": (EACH + 1, EACH + 1), "b": (1, 1)}), within=20)
            await eventually(nothing_owed(records), within=20)
    await records.close()
