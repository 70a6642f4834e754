"""P10: ten times what fits. Memory stays bounded, who asks is told to come back, and what was accepted is kept."""

import asyncio
import os

import nats
import psutil
import pytest

from deskstream.messaging.runner import INBOX_LIMIT
from deskstream.testkit.desk import desk
from deskstream.testkit.eventually import eventually
from deskstream.testkit.sample.events import counted
from deskstream.testkit.sample.services import COUNTING, SUMMING, Count

pytestmark = pytest.mark.long

TIMES = 10
KEYS = 50
MAY_GROW = 200 * 1024 * 1024


def memory():
    return psutil.Process(os.getpid()).memory_info().rss


async def test_p10_commands_beyond_the_limit_are_told_to_come_back_and_the_others_are_kept(database, nats_url):
    async with desk([COUNTING], database, nats_url) as services:
        counting, before = services["counting"], memory()
        async with counting.pool.acquire() as tx, tx.transaction():
            # Nothing gets done, so whatever comes is more than can be done.
            await tx.execute("LOCK TABLE counters")
            asks = [
                asyncio.create_task(counting.ask(Count(counter=f"k{number % KEYS}"), idempotency_key=str(number)))
                for number in range(TIMES * INBOX_LIMIT)
            ]
            _, waiting = await asyncio.wait(asks, timeout=2)
            assert counting.runner.backlog <= INBOX_LIMIT
            assert memory() - before < MAY_GROW
            assert len(waiting) < 2 * INBOX_LIMIT
        answers = await asyncio.gather(*asks)
        refused = [answer for answer in answers if not answer.ok]
        assert {answer.error and answer.error.code for answer in refused} == {"unavailable"}
        accepted = len(answers) - len(refused)
        assert accepted >= INBOX_LIMIT
        assert await counting.pool.fetchval("SELECT sum(total) FROM counters") == accepted


async def test_p10_events_beyond_the_limit_wait_in_the_stream_and_not_in_memory(database, nats_url):
    client = await nats.connect(nats_url)
    inbox = client.new_inbox()
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        summing = services["summing"]
        async with summing.pool.acquire() as tx, tx.transaction():
            await tx.execute("LOCK TABLE counters")
            for number in range(1, TIMES * INBOX_LIMIT // KEYS // 2 + 1):
                for key in range(KEYS):
                    subject, body, headers = counted(f"k{key}", number)
                    await client.publish(subject, body, reply=inbox, headers=headers)
            await client.flush()
            before = memory()
            await asyncio.sleep(1)
            assert summing.runner.backlog <= INBOX_LIMIT
            assert memory() - before < MAY_GROW
        each = TIMES * INBOX_LIMIT // KEYS // 2

        async def all_applied():
            totals = await summing.pool.fetch("SELECT total, last FROM counters")
            return [tuple(row) for row in totals] == [(each, each)] * KEYS

        await eventually(all_applied, within=60)
    await client.close()
