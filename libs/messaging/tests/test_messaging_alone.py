"""Commands that run alone: whatever comes with them is decided before or after them."""

import asyncio
from dataclasses import replace
from itertools import count

from deskstream.contracts import Command
from deskstream.messaging import Answer, Service
from deskstream.testkit.desk import desk
from deskstream.testkit.sample.services import COUNTERS, COUNTING, Count


class CountAll(Command, service="counting"):
    """Counts in `all` what is counted anywhere else."""


async def everywhere(tx, heard, now):
    total = await tx.fetchval("SELECT coalesce(sum(total), 0)::integer FROM counters WHERE id <> 'all'")
    return [Count(counter="all", times=total) for _ in heard]


def answered(kind, **more):
    return Answer(
        kind, COUNTERS, key=lambda asked: asked.counter, result=lambda state, said: {"total": state.total}, **more
    )


ANSWERS = [answered(Count), answered(CountAll, resolve=everywhere, alone=True)]
COUNTING_ALL = replace(COUNTING, build=lambda settings: Service(hears=(), answers=ANSWERS))


async def asked_at_once(database, nats_url, *commands):
    """What was answered, and how many batches that took."""
    keys = count()
    async with desk([COUNTING_ALL], database, nats_url) as services:
        counting = services["counting"]
        answers = await asyncio.gather(*(counting.ask(one, idempotency_key=f"{next(keys)}") for one in commands))
        return [answer.result["total"] for answer in answers], counting.runner.batches


async def test_what_runs_alone_sees_what_came_before_it_in_its_batch_and_nothing_else(database, nats_url):
    a, b, c = (Count(counter=name) for name in "abc")
    answers, batches = await asked_at_once(database, nats_url, a, b, CountAll(), c, CountAll())
    assert (answers, batches) == ([1, 1, 2, 1, 5], 4)
