import asyncio
import os
import signal
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from itertools import count

import asyncpg
import nats
import pytest
from nats.aio.client import Client

from deskstream.contracts.journal import ReadHeads
from deskstream.messaging import commands
from deskstream.messaging.failpoints import POINTS
from deskstream.runtime.embedded.home import Home
from deskstream.runtime.embedded.nats import EmbeddedNats
from deskstream.testkit.desk import desk, prepare
from deskstream.testkit.eventually import eventually
from deskstream.testkit.forking import forking
from deskstream.testkit.processes import supervised
from deskstream.testkit.sample.events import counted, publish
from deskstream.testkit.sample.services import COUNTING, SUMMING, Count

KEYS = 5
EACH = 12
SAMPLE = "deskstream.testkit.sample.run"
BOTH = ("counting", "summing")
KILLS = int(os.environ.get("DESKSTREAM_TEST_KILLS", "1"))
"""At each point of a batch; `make kill-points` makes it 200."""

pytestmark = pytest.mark.long


async def ask_until_answered(client, key, number):
    """As a careful caller does: the same idempotency key again until there is an answer."""
    for _ in range(200):
        try:
            answer = await commands.call(client, Count(counter=key), idempotency_key=f"{key}/{number}", within=1.0)
        except (TimeoutError, nats.errors.Error):
            continue
        if answer.ok:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{key}/{number} was never answered")


async def count_everything(client):
    async def one_key(key):
        for number in range(EACH):
            await ask_until_answered(client, key, number)

    await asyncio.gather(*(one_key(f"k{n}") for n in range(KEYS)))


@dataclass
class Asked:
    """Counts on, a key after the other, and asks again what was not answered."""

    client: Client
    numbers: Counter[str] = field(default_factory=Counter)
    unanswered: list[tuple[str, int]] = field(default_factory=list)

    async def once_more(self):
        key = f"k{self.numbers.total() % KEYS}"
        self.unanswered.append((key, self.numbers[key]))
        self.numbers[key] += 1
        await self._ask(*self.unanswered[0])

    async def until_everything_is_answered(self):
        while self.unanswered:
            await self._ask(*self.unanswered[0])

    async def _ask(self, key, number):
        # One that nobody can answer just now is asked again, with the same key, before any other.
        try:
            asked = Count(counter=key)
            answer = await commands.call(self.client, asked, idempotency_key=f"{key}/{number}", within=0.3)
        except (TimeoutError, nats.errors.Error):
            return
        if answer.ok:
            self.unanswered.pop(0)


def has_begun(database):
    """Whether something was counted, and not everything."""

    async def check():
        connection = await asyncpg.connect(database)
        try:
            return 0 < await connection.fetchval("SELECT coalesce(sum(total), 0) FROM summing.counters") < KEYS * EACH
        finally:
            await connection.close()

    return check


async def nothing_lost_nothing_twice(database, numbers=None, *, within):
    wanted = dict(numbers or {f"k{n}": EACH for n in range(KEYS)})
    connection = await asyncpg.connect(database)

    async def check():
        rows = await connection.fetch("SELECT id, total, last FROM summing.counters")
        assert {tuple(row) for row in rows} == {(key, number, number) for key, number in wanted.items()}
        assert await connection.fetchval("SELECT count(*) FROM summing.waiting") == 0
        assert await connection.fetchval("SELECT count(*) FROM counting.unpublished") == 0
        return True

    await eventually(check, within=within)
    orders = await connection.fetch(
        "SELECT key, array_agg((body::json -> 'data' ->> 'number')::int ORDER BY seq) AS numbers "
        "FROM summing.journal WHERE type LIKE '%added' GROUP BY key"
    )
    assert {row["key"]: row["numbers"] for row in orders} == {
        key: list(range(1, number + 1)) for key, number in wanted.items()
    }
    await connection.close()


@pytest.mark.timeout(120 + 60 * KILLS)
async def test_p1_p2_p3_killed_at_any_point_of_a_batch(database, nats_url):
    await prepare([COUNTING, SUMMING], database, nats_url)
    client = await nats.connect(nats_url)
    cases = [(service, point) for service in ("counting", "summing") for point in POINTS] * KILLS
    async with forking(SAMPLE) as process:
        asked = Asked(client)
        for service, point in cases:
            await process.start(SAMPLE, database, nats_url, *BOTH, failpoint=f"{service}:{point}:3")
            async with asyncio.timeout(30):
                while process.running:
                    await asked.once_more()
        assert process.deaths == [-signal.SIGKILL] * len(cases)
        await process.start(SAMPLE, database, nats_url, *BOTH)
        await asked.until_everything_is_answered()
        await nothing_lost_nothing_twice(database, asked.numbers, within=30)
    await client.close()


async def test_p1_p2_p3_killed_at_random_again_and_again(database, nats_url):
    await prepare([COUNTING, SUMMING], database, nats_url)
    client = await nats.connect(nats_url)
    async with forking(SAMPLE) as counting, forking(SAMPLE) as summing:
        names = {counting: "counting", summing: "summing"}
        for process, name in names.items():
            await process.start(SAMPLE, database, nats_url, name)
        counted = asyncio.create_task(count_everything(client))
        for process in (counting, summing, counting, summing):
            await asyncio.sleep(0.5)
            process.kill()
            await process.ended()
            await process.start(SAMPLE, database, nats_url, names[process])
        await counted
        await nothing_lost_nothing_twice(database, within=40)
    await client.close()


def has_died(process, times):
    return len(process.deaths) == times


async def test_p11_a_graceful_stop_loses_nothing_and_ends_cleanly(database, nats_url):
    await prepare([COUNTING, SUMMING], database, nats_url)
    client = await nats.connect(nats_url)
    async with supervised(SAMPLE, database, nats_url, "counting", "summing") as process:
        counted = asyncio.create_task(count_everything(client))
        for stops in (1, 2):
            await commands.call(client, ReadHeads(lane="events.counting"), service="counting", within=20)
            process.kill(signal.SIGTERM)
            await eventually(partial(has_died, process, stops), within=20)
        await counted
        await nothing_lost_nothing_twice(database, within=30)
        assert set(process.deaths) == {0}
    await client.close()


async def acknowledged(client):
    """How many of the events summing needs never hear again."""
    stream = await client.jsm().stream_info("EVENTS_COUNTING")
    durable = await client.jsm().consumer_info("EVENTS_COUNTING", "summing")
    return stream.state.messages - durable.num_pending - durable.num_ack_pending


@pytest.mark.parametrize("point", POINTS)
async def test_p11_what_was_done_before_a_graceful_stop_is_never_delivered_again(database, nats_url, broker, point):
    await prepare([COUNTING, SUMMING], database, nats_url)
    records = await asyncpg.connect(database)
    async with forking(SAMPLE) as process:
        await process.start(SAMPLE, database, nats_url, *BOTH, failpoint=f"summing:{point}:5:term")
        numbers = count()
        async with asyncio.timeout(30):
            while process.running:
                # Each alone in its key: none is missed, so none is read from a journal.
                await publish(broker, [counted(f"c{next(numbers)}", 1) for _ in range(20)])
        assert process.deaths == [0]
        done = await records.fetchval("SELECT sum(total)::int FROM summing.counters")
        assert done > 0
        await eventually(lambda: acknowledged(broker), within=2)
        assert await acknowledged(broker) == done
    await records.close()


async def test_two_replicas_of_each_service_share_the_work_and_keep_the_order(database, nats_url):
    client = await nats.connect(nats_url)
    async with (
        desk([COUNTING, SUMMING], database, nats_url) as first,
        desk([COUNTING, SUMMING], database, nats_url) as second,
    ):
        await count_everything(client)
        await nothing_lost_nothing_twice(database, within=20)
        assert first["summing"].runner.applied + second["summing"].runner.applied == KEYS * EACH
    await client.close()


@pytest.fixture
def server(tmp_path):
    """A broker of this test's own, stopped whatever happens."""
    found = EmbeddedNats(Home(tmp_path, user=None))
    yield found
    found.stop()


async def test_a_broker_that_is_killed_and_comes_back_costs_nothing_but_time(database, server):
    url = server.start()
    async with desk([COUNTING, SUMMING], database, url):
        client = await nats.connect(url, max_reconnect_attempts=-1, reconnect_time_wait=0.1)
        counted = asyncio.create_task(count_everything(client))
        await eventually(has_begun(database), within=20)
        server.stop()
        await eventually(lambda: not client.is_connected)
        assert server.start() == url
        await counted
        await nothing_lost_nothing_twice(database, within=40)
        await client.close()


async def test_database_connections_that_are_cut_cost_nothing_but_time(database, nats_url):
    client = await nats.connect(nats_url)
    admin = await asyncpg.connect(database)
    async with desk([COUNTING, SUMMING], database, nats_url):
        counted = asyncio.create_task(count_everything(client))
        for _ in range(5):
            await asyncio.sleep(0.2)
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        await counted
        await nothing_lost_nothing_twice(database, within=40)
    await admin.close()
    await client.close()
