"""P8: a timer that came due while nobody ran fires once, soon after somebody runs again."""

from time import monotonic

import pytest

from deskstream.testkit.desk import desk
from deskstream.testkit.eventually import eventually
from deskstream.testkit.sample.services import COUNTING, SUMMING, Wake

pytestmark = pytest.mark.slow

FIRED = "SELECT key, body::json -> 'data' ->> 'late_ms' AS late FROM journal WHERE type LIKE '%.woken'"


async def test_p8_what_came_due_meanwhile_fires_soon_and_once(database, nats_url):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        for counter, after_ms in (("soon", 300), ("cancelled", 300), ("later", 3_600_000)):
            await services["summing"].call(Wake(counter=counter, after_ms=after_ms))
        await services["summing"].call(Wake(counter="cancelled", after_ms=0))
        fired_before = await services["summing"].pool.fetch(FIRED)
    started = monotonic()
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        pool = services["summing"].pool
        await eventually(lambda: pool.fetchval("SELECT count(*) FROM journal WHERE type LIKE '%.woken'"), within=10)
        fired = await pool.fetch(FIRED)
        assert monotonic() - started < 15
        assert [row["key"] for row in fired] == ["soon"]
        assert float(fired[0]["late"]) >= 0
        await services["summing"].call(Wake(counter="again", after_ms=1))
        await eventually(lambda: pool.fetchval("SELECT count(*) = 2 FROM journal WHERE type LIKE '%.woken'"))
    assert fired_before in ([], fired)
