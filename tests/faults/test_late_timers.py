"""P8: timers that came due while nobody ran, or by a clock that jumped, fire once, never early, and soon."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from deskstream.testkit.desk import desk
from deskstream.testkit.eventually import eventually
from deskstream.testkit.sample.services import COUNTING, SUMMING, Count, Wake

pytestmark = pytest.mark.slow

SERVICES = [COUNTING, SUMMING]
HOUR = timedelta(hours=1)
AFTER_RECOVERY = timedelta(seconds=5)
HALF_AN_HOUR_MS = 1_800_000
TWO_HOURS_MS = 7_200_000
FIRED = "SELECT key, at, (body::json -> 'data' ->> 'late_ms')::float FROM journal WHERE type LIKE '%.woken' ORDER BY id"
TWICE = "SELECT key, seq FROM journal GROUP BY lane, key, seq HAVING count(*) > 1 OR count(DISTINCT message_id) > 1"


@dataclass(frozen=True)
class Fired:
    """What a timer's own event says of it, by the clock of its service."""

    key: str
    at: datetime
    late_ms: float

    def after(self, recovered: datetime) -> timedelta:
        """How long after it was due, or after its service was well again if that was later."""
        return self.at - max(recovered, self.at - timedelta(milliseconds=self.late_ms))


def fired(service, *keys):
    """Once exactly these have fired, in this order."""

    async def look():
        found = [Fired(*row) for row in await service.pool.fetch(FIRED)]
        assert [one.key for one in found] == list(keys)
        return found

    return eventually(look, within=30)


async def well(service, offset):
    """The moment, by its own clock, at which a service that starts is well for the first time."""

    async def look():
        return await service.problem() is None

    await eventually(look, within=30, what="a service that is well")
    return await service.pool.fetchval("SELECT clock_timestamp()") + offset


async def test_p8_what_came_due_meanwhile_fires_once_within_five_seconds_of_the_recovery(database, nats_url):
    async with desk(SERVICES, database, nats_url) as services:
        for counter, after_ms in (("soon", HALF_AN_HOUR_MS), ("cancelled", HALF_AN_HOUR_MS), ("later", TWO_HOURS_MS)):
            await services["summing"].call(Wake(counter=counter, after_ms=after_ms))
        await services["summing"].call(Wake(counter="cancelled", after_ms=0))
    async with desk(SERVICES, database, nats_url, clock_offset=HOUR) as services:
        recovered = await well(services["summing"], HOUR)
        await fired(services["summing"], "soon")
        await services["summing"].call(Wake(counter="again", after_ms=1))
        soon, again = await fired(services["summing"], "soon", "again")
        assert min(soon.late_ms, again.late_ms) >= 0
        assert soon.late_ms >= HALF_AN_HOUR_MS / 2
        assert soon.after(recovered) <= AFTER_RECOVERY


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
        assert min(one.late_ms for one in late) >= 0
        summing = services["summing"].pool
        await eventually(lambda: summing.fetchval("SELECT total = 12 AND last = 12 FROM counters WHERE id = 'counted'"))
        for service in services.values():
            assert not await service.pool.fetch(TWICE)
            assert await service.pool.fetchval("SELECT count(*) FROM waiting") == 0


async def count_and_wake(services, counter, after_ms):
    """Three more of what is counted, and a timer."""
    assert (await services["summing"].call(Count(counter="counted", times=3))).ok
    assert (await services["summing"].call(Wake(counter=counter, after_ms=after_ms))).ok
