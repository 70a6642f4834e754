"""P20: what a service that cannot do its work says of itself, each tried on servers that really cannot."""

import asyncio
import os
from dataclasses import replace

import asyncpg
import nats
import pytest
from nats.js.errors import APIError

from deskstream.contracts.health import HealthRead, ReadHealth
from deskstream.messaging import commands
from deskstream.messaging.accounts import ABOUT_ONESELF
from deskstream.messaging.connection import client_of
from deskstream.messaging.topology import provision, topology
from deskstream.runtime.embedded.home import Home
from deskstream.runtime.embedded.nats import EmbeddedNats
from deskstream.testkit.desk import desk, prepare
from deskstream.testkit.eventually import eventually
from deskstream.testkit.identities import admit
from deskstream.testkit.sample.events import counted
from deskstream.testkit.sample.services import COUNTING, SUMMING

OPEN_BROKER = "DESKSTREAM_TEST_NATS_URL" in os.environ

SAMPLE = [COUNTING, SUMMING]


async def problem(services, name="summing"):
    return await services[name].problem() or ""


async def says(services, told):
    found = await problem(services)
    return told in found and found


async def test_p20_a_full_store_is_noticed_while_nobody_says_anything(database, tmp_path):
    server = EmbeddedNats(Home(tmp_path, user=None), max_file_store=1_000_000)
    url = server.start()
    async with desk(SAMPLE, database, url) as services:
        assert await problem(services) == ""
        client = await nats.connect(url)
        await fill(client)
        await eventually(lambda: says(services, "broker: it takes nothing more"), within=5)
        await client.jsm().purge_stream("INBOUND")
        await eventually(lambda: is_fine(services), within=10)
        await client.close()
    server.stop()


async def fill(client):
    async def more():
        for _ in range(100):
            await client.jetstream().publish("inbound.email.support", bytes(100_000))

    with pytest.raises(APIError, match="resources"):
        await more()


async def is_fine(services):
    return not await problem(services)


async def test_p20_a_broker_that_nobody_provisioned_is_told_with_its_cure(database, nats_url, broker):
    async with desk(SAMPLE, database, nats_url) as services:
        await broker.jsm().delete_stream("PROBES")
        assert await problem(services) == "broker: no stream takes probes; run `deskstream provision`"
        await provision(broker, topology(SAMPLE))
        assert await problem(services) == ""
        await broker.jsm().delete_consumer("EVENTS_COUNTING", "summing")
        assert await problem(services) == "lag: a durable is missing; run `deskstream provision`"


async def test_p20_probes_leave_one_message_a_service(database, nats_url, broker):
    async with desk(SAMPLE, database, nats_url) as services:
        for _ in range(5):
            assert await problem(services) == await problem(services, "counting") == ""
    assert (await broker.jsm().stream_info("PROBES")).state.messages == 2


async def test_p20_who_starts_far_behind_is_not_ready_before_it_has_caught_up(database, nats_url, broker, pool_for):
    await prepare(SAMPLE, database, nats_url)
    for number in range(1, 1102):
        subject, body, headers = counted("a", number)
        await broker.publish(subject, body, headers=headers)
    await broker.flush()
    pool = await asyncpg.connect(database)
    held = pool.transaction()
    await held.start()
    await pool.execute("LOCK TABLE summing.counters IN ACCESS EXCLUSIVE MODE")
    async with desk(SAMPLE, database, nats_url) as services:
        assert await problem(services) == "lag: 1,101 messages behind in events.counting"
        await held.rollback()
        await eventually(lambda: is_fine(services), within=20)
    await pool.close()


async def test_p20_what_is_said_and_never_published_is_a_problem(database, nats_url):
    async with desk(SAMPLE, database, nats_url) as services:
        await services["summing"].pool.execute("INSERT INTO unpublished VALUES (1, now() - interval '40 s')")
        assert "database: what was said 40 s ago is still not published" in await problem(services)
        await services["summing"].pool.execute("DELETE FROM unpublished")
        assert await problem(services) == ""


async def test_p20_a_database_that_takes_no_write_is_noticed_although_it_answers(database, nats_url):
    async with desk(SAMPLE, database, nats_url) as services:
        admin = await asyncpg.connect(database)
        name = await admin.fetchval("SELECT current_database()")
        await admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        await end_others(admin)
        await eventually(lambda: says(services, "database: ReadOnlySQLTransactionError"), within=10)
        await admin.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        await end_others(admin)
        await eventually(lambda: is_fine(services), within=10)
        await admin.close()


async def end_others(admin):
    await admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


@pytest.mark.skipif(OPEN_BROKER, reason="a broker that is not the suite's lets everybody in")
async def test_p14_p20_what_the_broker_denies_is_told_where_one_would_only_see_a_timeout(database, nats_url):
    async with desk(SAMPLE, database, nats_url) as services:
        admit(nats_url, [replace(SUMMING, hears=())])
        told = str(await eventually(lambda: says(services, "permissions: "), within=15))
        assert "consumer." in told
        assert "`deskstream provision --permissions`" in told
        admit(nats_url, [SUMMING])


@pytest.mark.skipif(OPEN_BROKER, reason="a broker that is not the suite's lets everybody in")
async def test_p20_a_denied_publish_does_not_hide_that_a_subscription_was_denied_for_good(database, nats_url):
    async with desk(SAMPLE, database, nats_url) as services:
        client = client_of(services["summing"].broker)
        await client.subscribe("commands.counting.>")
        await client.publish("events.counting.counted.a")
        # What the broker has to say about both comes before this answer.
        await client.request(ABOUT_ONESELF, timeout=5)
        assert 'subscription to "commands.counting.>"' in await problem(services)


async def test_p20_however_many_ask_a_service_how_it_is_it_finds_out_once(database, nats_url, broker):
    async with desk(SAMPLE, database, nats_url):
        asked = (commands.call(broker, ReadHealth(), service="summing") for _ in range(50))
        answers = [HealthRead.model_validate(answer.result) for answer in await asyncio.gather(*asked)]
    assert {answer.problem for answer in answers} == {None}
    assert (await broker.jsm().stream_info("PROBES")).state.last_seq == 1
