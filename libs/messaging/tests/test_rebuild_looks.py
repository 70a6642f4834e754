"""P4: a look at a stream finds what is wrong, whatever happens meanwhile, and nothing where nothing is."""

import asyncio

import asyncpg
import pytest
import pytest_asyncio

from deskstream.messaging.comparing import Fit, look, mend_older_stream
from deskstream.messaging.connection import client_of
from deskstream.messaging.guarding import Guard
from deskstream.messaging.reconcile import mending
from deskstream.messaging.reconcile.lists import compared
from deskstream.messaging.reconcile.stored import state_of
from deskstream.messaging.recovered import Recovered
from deskstream.testkit.desk import desk
from deskstream.testkit.sample.services import COUNTING, SUMMING, Count

LANE = "events.counting"


async def seen(service):
    async with service.pool.acquire() as tx:
        return await look(tx, client_of(service.broker), LANE)


async def test_who_speaks_only_after_the_first_look_is_not_thought_lost(database, nats_url):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        counting = services["counting"]
        assert await seen(counting) is Fit.FITS
        await services["summing"].call(Count(counter="a", times=5))
        await counting.publisher.room(1)
        await counting.sweeper.write_marks()
        assert await seen(counting) is Fit.FITS


async def test_a_purged_stream_is_noticed_although_nothing_was_said_at_the_first_look(database, nats_url, broker):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        counting = services["counting"]
        assert await seen(counting) is Fit.FITS
        await services["summing"].call(Count(counter="a", times=5))
        await counting.publisher.room(1)
        await counting.sweeper.write_marks()
        await broker.jsm().purge_stream("EVENTS_COUNTING")
        assert await seen(counting) is Fit.STREAM_OLDER


@pytest.mark.slow
async def test_what_is_on_its_way_while_they_are_compared_is_not_published_twice(database, nats_url):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        counting, summing = services["counting"], services["summing"]

        async def count_on():
            for _ in range(40):
                assert (await summing.call(Count(counter="a", times=20))).ok

        speaking = asyncio.create_task(count_on())
        owed = 0
        while not speaking.done():
            async with counting.pool.acquire() as tx:
                owed += await mend_older_stream(tx, client_of(counting.broker), LANE)
        await speaking
        assert owed == 0


@pytest_asyncio.fixture
async def owner(database):
    """Who may do anything with the tables of COUNTING, which a service may not."""
    connection = await asyncpg.connect(database)
    await connection.execute("SET search_path = counting")
    yield connection
    await connection.close()


async def forget_the_end_of(owner, key):
    """What a database that was put back has forgotten."""
    await owner.execute("DELETE FROM journal WHERE key = $1 AND seq > 3", key)
    await owner.execute("UPDATE heads SET seq = 3 WHERE key = $1", key)


async def test_p4_an_older_database_is_noticed_although_it_knows_the_last_message(database, nats_url, owner):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        counting = services["counting"]
        for key, times in (("lost", 5), ("known", 1)):
            assert (await services["summing"].call(Count(counter=key, times=times))).ok
            await counting.publisher.room(1)
        await counting.sweeper.write_marks()
        assert await seen(counting) is Fit.FITS
        await forget_the_end_of(owner, "lost")
        assert await seen(counting) is Fit.DATABASE_OLDER


class MendedMeanwhile(Recovered):
    """Somebody reconciles the moment after a service has looked for what was taken back."""

    def __init__(self, owner, client):
        super().__init__()
        self.owner, self.client = owner, client

    async def look(self, tx):
        await super().look(tx)
        state = await state_of(self.client, "EVENTS_COUNTING")
        assert state is not None
        async with compared(self.owner, self.client, LANE, state) as comparison:
            await mending.take_back(comparison, self.client, state, lambda _: None)


async def test_p2_whoever_goes_on_knows_what_was_taken_back(database, nats_url, owner):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        counting = services["counting"]
        assert (await services["summing"].call(Count(counter="lost", times=5))).ok
        await counting.publisher.room(1)
        await counting.sweeper.write_marks()
        await forget_the_end_of(owner, "lost")
        recovered = MendedMeanwhile(owner, client_of(counting.broker))
        guard = Guard(
            COUNTING, counting.pool, lambda: client_of(counting.broker), recovered=recovered,
            write_marks=counting.sweeper.write_marks,
        )  # fmt: skip
        if not await guard.may_start():
            await guard.until_mended()
        assert recovered.any
