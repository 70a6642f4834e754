"""P4: a look at a stream in which nothing is wrong finds nothing, whatever is said meanwhile."""

import asyncio

from deskstream.messaging.comparing import Fit, look, mend_older_stream
from deskstream.messaging.connection import client_of
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
