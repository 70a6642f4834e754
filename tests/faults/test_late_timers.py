"""P8: timers that came due while nobody ran, or by a clock that jumped, fire once and never early."""

from datetime import timedelta

import pytest

from deskstream.testkit.desk import desk
from deskstream.testkit.eventually import eventually
from deskstream.testkit.sample.services import COUNTING, SUMMING, Count, Wake

pytestmark = pytest.mark.slow

SERVICES = [COUNTING, SUMMING]
HOUR = timedelta(hours=1)
HALF_AN_HOUR_MS = 1_800_000
FIRED = (
    "SELECT key, (body::json -> 'data' ->> 'late_ms')::float AS late FROM journal WHERE type LIKE '%.woken' ORDER BY id"
)
TWICE = "SELECT key, seq FROM journal GROUP BY lane, key, seq HAVING count(*) > 1 OR count(DISTINCT message_id) > 1"


def fired(service, *keys):
    """Once exactly these have fired, in this order; returns how many milliseconds late each was."""

    async def look():
        rows = await service.pool.fetch(FIRED)
        assert [row["key"] for row in rows] == list(keys)
        return [row["late"] for row in rows]

    return eventually(look, within=30)


async def test_p8_what_came_due_meanwhile_fires_once(database, nats_url):
    async with desk(SERVICES, database, nats_url) as services:
        for counter, after_ms in (("soon", 300), ("cancelled", 300), ("later", 3_600_000)):
            await services["summing"].call(Wake(counter=counter, after_ms=after_ms))
        await services["summing"].call(Wake(counter="cancelled", after_ms=0))
    async with desk(SERVICES, database, nats_url) as services:
        await fired(services["summing"], "soon")
        await services["summing"].call(Wake(counter="again", after_ms=1))
        assert min(await fired(services["summing"], "soon", "again")) >= 0


async def test_p8_p3_a_clock_an_hour_ahead_or_behind_fires_nothing_twice_and_keeps_every_order(database, nats_url):
    async with desk(SERVICES, database, nats_url) as services:
        await count_and_wake(services, "half", HALF_AN_HOUR_MS)
    async with desk(SERVICES, database, nats_url, clock_offset=HOUR) as services:
        await fired(services["summing"], "half")
        await count_and_wake(services, "ahead", 1)
        await fired(services["summing"], "half", "ahead")
    async with desk(SERVICES, database, nats_url, clock_offset=-HOUR) as services:
        await count_and_wake(services, "behind", HALF_AN_HOUR_MS)
        await count_and_wake(services, "at_once", 1)
        # It comes after whatever else this clock thought due.
        await fired(services["summing"], "half", "ahead", "at_once")
    async with desk(SERVICES, database, nats_url) as services:
        late = await fired(services["summing"], "half", "ahead", "at_once", "behind")
        assert min(late) >= 0
        summing = services["summing"].pool
        await eventually(lambda: summing.fetchval("SELECT total = 12 AND last = 12 FROM counters WHERE id = 'counted'"))
        for service in services.values():
            assert not await service.pool.fetch(TWICE)
            assert await service.pool.fetchval("SELECT count(*) FROM waiting") == 0


async def count_and_wake(services, counter, after_ms):
    """Three more of what is counted, and a timer."""
    assert (await services["summing"].call(Count(counter="counted", times=3))).ok
    assert (await services["summing"].call(Wake(counter=counter, after_ms=after_ms))).ok
