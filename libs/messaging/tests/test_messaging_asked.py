"""P12: a command that is asked again under its key is answered, not done again."""

import asyncio

from deskstream.messaging import RequestKey
from deskstream.testkit.desk import desk
from deskstream.testkit.sample.services import COUNTING, SUMMING, Count


async def test_p12_the_same_key_gets_the_same_answer_and_another_body_is_refused(database, nats_url):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        call = services["summing"].call
        ask = Count(counter="a", times=2)
        answers = await asyncio.gather(*(call(ask, idempotency_key="once") for _ in range(20)))
        assert {answer.result["total"] for answer in answers} == {2}
        other = await call(Count(counter="a", times=3), idempotency_key="once")
        assert other.error is not None
        assert other.error.code == "idempotency_key_reused"
        assert await services["counting"].pool.fetchval("SELECT total FROM counters") == 2


async def test_p12_a_repeated_request_is_known_by_its_digest_whatever_became_of_it(database, nats_url):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        call = services["summing"].call
        first = await call(Count(counter="a", times=2), idempotency_key=RequestKey("once", "add two"))
        again = await call(
            Count(counter="a", times=2, note="looked up anew"), idempotency_key=RequestKey("once", "add two")
        )
        assert again == first
        other = await call(Count(counter="a", times=2, note="else"), idempotency_key=RequestKey("once", "add three"))
        assert other.error is not None
        assert other.error.code == "idempotency_key_reused"
        assert await call(Count(counter="a", times=2), idempotency_key="once") != first
        assert await services["counting"].pool.fetchval("SELECT total FROM counters") == 2


async def test_p12_what_was_answered_by_its_body_is_known_by_it_when_a_digest_comes_along(database, nats_url):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        call = services["summing"].call
        first = await call(Count(counter="a", times=2), idempotency_key="once")
        assert await call(Count(counter="a", times=2), idempotency_key=RequestKey("once", "add two")) == first
