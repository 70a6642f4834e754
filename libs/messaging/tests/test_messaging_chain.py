import asyncio

from deskstream.testkit.desk import desk
from deskstream.testkit.eventually import eventually
from deskstream.testkit.sample.services import COUNTING, SUMMING, Count


async def test_a_command_is_answered_after_commit_and_heard_once_in_order(database, nats_url):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        answers = await asyncio.gather(
            *(services["summing"].call(Count(counter=f"c{n % 5}")) for n in range(100)),
        )
        assert all(answer.ok for answer in answers)

        async def summed() -> bool:
            rows = await services["summing"].pool.fetch("SELECT total, last FROM counters")
            return [tuple(r) for r in rows] == [(20, 20)] * 5

        await eventually(summed)
