"""Traps of the libraries below us: each cost somebody an evening, so each has its test."""

import asyncio
import sys
import time
from dataclasses import replace
from uuid import uuid4

import asyncpg
import pytest

from deskstream.contracts import Command
from deskstream.messaging import Query, Service, commands
from deskstream.messaging.connection import EXIT_CLOSED, client_of
from deskstream.messaging.ending import end
from deskstream.messaging.failpoints import FailPoints
from deskstream.messaging.item import Said
from deskstream.messaging.publishing import DEADLINE_S, Publisher
from deskstream.messaging.turn import Turn
from deskstream.runtime.embedded.home import Home
from deskstream.runtime.embedded.nats import EmbeddedNats
from deskstream.runtime.launch import running
from deskstream.runtime.settings import RuntimeSettings
from deskstream.testkit.desk import desk, prepare
from deskstream.testkit.eventually import eventually
from deskstream.testkit.sample.services import COUNTING, SUMMING, Count


class AskTheImpossible(Command, service="asking"):
    counter: str = "a"


WAITS_FOR_A_LOCK = """
SELECT count(*) > 0
FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


CLOSED_FOR_GOOD = """
import asyncio, sys
from deskstream.messaging.connection import Reach, Wish, client_of, make_broker

async def nothing(): ...

async def main():
    broker = make_broker("lonely", Reach([sys.argv[1]]), nothing, Wish())
    await broker.start()
    await client_of(broker).close()
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def fail(tx, asked):
    raise ZeroDivisionError(asked.counter)


ASKING = replace(
    COUNTING,
    name="asking",
    says=("events.asking",),
    build=lambda settings: Service(hears=(), answers=[Query(AskTheImpossible, fail)]),
)


@pytest.fixture
def server(tmp_path):
    """A broker of this test's own, stopped whatever happens."""
    found = EmbeddedNats(Home(tmp_path, user=None))
    yield found
    found.stop()


async def total(pool, key):
    return await pool.fetchval("SELECT total FROM counters WHERE id = $1", key)


async def test_an_unhandled_error_in_a_request_s_handler_is_answered_and_no_mere_timeout(database, nats_url, broker):
    async with desk([COUNTING, SUMMING, ASKING], database, nats_url):
        started = time.monotonic()
        answer = await commands.call(broker, AskTheImpossible())
        assert answer.error is not None
        assert answer.error.code == "internal_error"
        assert "logged" in answer.error.sentence
        assert time.monotonic() - started < 3


async def test_answers_come_to_an_inbox_that_bears_the_service_s_name(database, nats_url):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        client = client_of(services["summing"].broker)
        assert client.new_inbox().startswith("_INBOX_summing.")
        assert (await services["summing"].call(Count(counter="a"))).ok
        inboxes = [found.subject for found in client._subs.values() if found.subject.startswith("_INBOX")]
        assert inboxes
        assert all(subject.startswith("_INBOX_summing.") for subject in inboxes)


async def test_a_dead_broker_is_looked_for_every_few_seconds_and_never_given_up(database, nats_url):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        options = client_of(services["summing"].broker).options
        assert options["ping_interval"] * options["max_outstanding_pings"] <= 10
        assert options["max_reconnect_attempts"] == -1


async def test_a_process_whose_connection_is_closed_for_good_ends_instead_of_standing_still(nats_url):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CLOSED_FOR_GOOD, nats_url, stdout=asyncio.subprocess.DEVNULL
    )
    async with asyncio.timeout(30):
        assert await process.wait() == EXIT_CLOSED


@pytest.mark.slow
async def test_an_acknowledgement_that_never_comes_is_not_waited_for_for_ever(broker):
    publisher = Publisher(FailPoints("counting", "::"))
    publisher.turn = Turn(needed=True)
    await publisher.start(broker)
    publisher.caught_up(publisher.turn.moment(broker))
    assert publisher.behind() is None
    # Somebody hears it, so that nobody says that there is no stream.
    await broker.subscribe("events.silent.>")
    cause = uuid4()
    said = Said(cause, "events.silent", "a", 1, "events.silent.x.a", "x", cause, cause, None, body="{}", id=1)
    async with asyncio.timeout(DEADLINE_S + 5):
        assert await publisher.publish_and_wait([said]) == []
    publisher.drop_overdue()
    assert publisher.unacknowledged == 0
    assert publisher.behind() is not None


async def test_p3_what_the_broker_refused_is_overtaken_by_nothing_of_its_adapter(broker):
    publisher = Publisher(FailPoints("counting", "::"))
    publisher.turn = Turn(needed=True)
    await publisher.start(broker)
    publisher.caught_up(publisher.turn.moment(broker))
    before, cause = publisher.turn.moment(broker), uuid4()
    refused, later = [
        Said(cause, "inbound.nowhere", str(n), 0, f"nowhere.at.all.{n}", "x", cause, cause, None, body="{}", id=n)
        for n in (1, 2)
    ]
    await publisher.publish([refused])
    await eventually(lambda: publisher.refused == 1)
    await publisher.publish([later])
    assert publisher.refused + publisher.unacknowledged == 1
    publisher.caught_up(before)
    assert publisher.behind() is not None


@pytest.mark.slow
async def test_after_a_reconnect_pulling_begins_again_at_once(database, server):
    async with desk([COUNTING, SUMMING], database, server.start()) as services:
        client = client_of(services["summing"].broker)
        await services["summing"].call(Count(counter="a"))
        await asyncio.to_thread(server.stop)
        await eventually(lambda: not client.is_connected, within=10)
        await asyncio.to_thread(server.start)
        await eventually(lambda: client.is_connected, within=10)
        # A request from before the outage would be missed only by its heartbeats, after a quarter of a minute.
        assert (await services["summing"].call(Count(counter="b"))).ok
        await eventually(lambda: total(services["summing"].pool, "b"), within=5)


async def test_p11_a_command_that_runs_while_the_service_stops_gets_its_answer(database, nats_url):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        await services["summing"].call(Count(counter="a"))
        holding = await asyncpg.connect(database)
        async with holding.transaction():
            await holding.execute("SELECT 1 FROM counting.counters WHERE id = 'a' FOR UPDATE")
            asked = asyncio.create_task(services["summing"].call(Count(counter="a")))
            await eventually(lambda: holding.fetchval(WAITS_FOR_A_LOCK), within=5)
            stopped = asyncio.create_task(services["counting"].stop())
            await eventually(lambda: not services["counting"].runner.has_room())
        answer = await asked
        assert answer.ok
        assert answer.result == {"total": 2}
        await stopped
        await holding.close()


async def test_a_service_that_starts_changes_no_stream_and_no_durable(database, nats_url, broker):
    await prepare([COUNTING, SUMMING], database, nats_url)
    js = broker.jetstream()
    durable = (await js.consumer_info("EVENTS_COUNTING", "summing")).config
    stream = (await js.stream_info("EVENTS_COUNTING")).config
    await js.add_consumer("EVENTS_COUNTING", durable.evolve(ack_wait=77.0))
    await js.update_stream(stream.evolve(max_age=4321.0))
    async with running([COUNTING, SUMMING], RuntimeSettings(nats_url=nats_url, postgres_url=database)):
        assert (await js.consumer_info("EVENTS_COUNTING", "summing")).config.ack_wait == 77.0
        assert (await js.stream_info("EVENTS_COUNTING")).config.max_age == 4321.0


async def test_p11_a_loop_that_swallows_a_cancellation_is_ended_all_the_same():
    swallowed = []

    async def ask_again_and_again():
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                swallowed.append(1)
                if len(swallowed) == 3:
                    raise

    task = asyncio.create_task(ask_again_and_again())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await end([task])
    assert task.cancelled()
    assert len(swallowed) == 3
