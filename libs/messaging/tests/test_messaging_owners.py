"""P4: a lane's owner that cannot or will not be read is told to a person, and asked again."""

import asyncio

from nats.errors import ConnectionClosedError
from structlog.testing import capture_logs

from deskstream.contracts import Answered, Problem
from deskstream.messaging.guarding import Guard
from deskstream.messaging.recovered import Recovered
from deskstream.messaging.topology import stream_of
from deskstream.runtime.launch import running
from deskstream.runtime.settings import RuntimeSettings
from deskstream.testkit.desk import desk, prepare
from deskstream.testkit.eventually import eventually
from deskstream.testkit.sample.services import COUNTING, SUMMING, Count

LANE = "events.counting"
REFUSAL = Answered(ok=False, error=Problem(code="wrong_lane", sentence="This is not read here."))


async def totals(pool):
    return {row["id"]: row["total"] for row in await pool.fetch("SELECT id, total FROM counters")}


def of(logged, event):
    return [line for line in logged if line["event"] == event]


async def test_an_owner_that_refuses_is_told_with_its_words_and_asked_again(database, nats_url, broker):
    await prepare([COUNTING, SUMMING], database, nats_url)
    async with desk([COUNTING], database, nats_url) as services:
        await services["counting"].call(Count(counter="a", times=5))
        await eventually(lambda: services["counting"].publisher.unacknowledged == 0)
    await broker.jetstream().purge_stream(stream_of(LANE))

    async def refuse(message):
        await message.respond(REFUSAL.model_dump_json().encode())

    refusing = await broker.subscribe("commands.counting.>", cb=refuse)
    with capture_logs() as logged:
        async with running([SUMMING], RuntimeSettings(nats_url=nats_url, postgres_url=database)) as readers:
            (told, *_) = await eventually(lambda: of(logged, "lane_not_taken_up_yet"))
            assert told["log_level"] == "warning"
            assert told["reason"] == f"counting refuses to read {LANE}: wrong_lane: This is not read here."
            await refusing.unsubscribe()
            async with desk([COUNTING], database, nats_url):
                await eventually(lambda: taken_up(readers["summing"].pool), within=15)


async def taken_up(pool):
    return await totals(pool) == {"a": 5}


class Reached:
    """The way to the broker, cut while `away`; counts who goes it."""

    def __init__(self, client):
        self._client = client
        self.away = True
        self.asked = 0

    def __call__(self):
        self.asked += 1
        if self.away:
            raise ConnectionClosedError
        return self._client


async def test_a_comparison_that_is_not_possible_is_told_once_until_it_is(database, nats_url, broker, pool_for):
    await prepare([COUNTING, SUMMING], database, nats_url)
    pool, reached = await pool_for("counting"), Reached(broker)
    guard = Guard(COUNTING, pool, reached, recovered=Recovered(), write_marks=nothing_to_write)
    looking = asyncio.create_task(guard.run())
    with capture_logs() as logged:
        await looks(guard, reached, 3)
        assert [line["log_level"] for line in of(logged, "comparison_postponed")] == ["warning"]
        reached.away = False
        await looks(guard, reached, 1)
        reached.away = True
        await looks(guard, reached, 2)
    looking.cancel()
    assert [line["lane"] for line in of(logged, "comparison_postponed")] == [LANE, LANE]


async def looks(guard, reached, times):
    """So often it looks anew, each time to the end."""
    for _ in range(times):
        before = reached.asked
        guard.reconnected()
        await eventually(lambda: reached.asked > before)  # noqa: B023 - awaited within its turn


async def nothing_to_write():
    pass
