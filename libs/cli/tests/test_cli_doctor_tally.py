"""P7: received = applied + duplicate + rejected + dead + waiting, by channel and by reader, and what if not."""

import json

import asyncpg
import nats
import pytest

from deskstream.cli.doctor.examining import examine
from deskstream.cli.doctor.finding import Level
from deskstream.cli.doctor.tally import Tally
from deskstream.cli.place import Place
from deskstream.runtime.schemas import installed_services
from deskstream.runtime.settings import RuntimeSettings
from deskstream.testkit.desk import desk, prepare
from deskstream.testkit.eventually import eventually
from deskstream.testkit.sample.services import COUNTING, POISON, SUMMING, Count

SERVICES = [COUNTING, SUMMING]
LANE = "events.counting"


@pytest.fixture(autouse=True)
def _no_poison():
    POISON.clear()
    yield
    POISON.clear()


@pytest.fixture
def place(database, nats_url):
    return Place(settings=RuntimeSettings(nats_url=nats_url, postgres_url=database))


def adds_up(tally: Tally) -> bool:
    parts = tally.applied, tally.duplicate, tally.rejected, tally.dead, tally.waiting, tally.underway
    return tally.received == sum(parts)


async def tallied(place, services=SERVICES):
    report = await examine(place, services)
    told = {finding.sentence for finding in report.findings if finding.check == "tally"}
    wrong = any(f.level is Level.WRONG for f in report.findings if f.check == "tally")
    return report.tallies, "; ".join(told), wrong


@pytest.mark.slow
async def test_p7_every_event_of_a_lane_is_accounted_for_at_its_reader(place, database, nats_url):
    POISON.add("poison")
    async with desk(SERVICES, database, nats_url) as services:
        await services["counting"].call(Count(counter="a", times=20))
        for note in ("poison", "", ""):
            await services["counting"].call(Count(counter="sick", note=note))
        pool = services["summing"].pool
        await eventually(lambda: pool.fetchval("SELECT count(*) = 3 FROM waiting"))
        [tally], _, wrong = await tallied(place)
        assert tally == Tally("summing", LANE, 23, applied=20, duplicate=0, rejected=0, dead=0, waiting=3,
                                  underway=0, repeated=0)  # fmt: skip
        await pool.execute("UPDATE waiting SET state = 'dead' WHERE state = 'failed'")
        [tally], told, wrong = await tallied(place)
    assert (tally.dead, tally.waiting) == (1, 2)
    assert adds_up(tally)
    assert not wrong
    assert "Every message is accounted for" in told


async def test_p7_what_was_dropped_is_no_longer_waited_for_and_still_in_the_account(place, database, nats_url):
    POISON.add("poison")
    async with desk(SERVICES, database, nats_url) as services:
        await services["counting"].call(Count(counter="sick", note="poison"))
        pool = services["summing"].pool
        await eventually(lambda: pool.fetchval("SELECT count(*) = 1 FROM waiting"))
        await pool.execute("DELETE FROM waiting")
        await pool.execute("INSERT INTO progress VALUES ($1, 'sick', 1)", LANE)
        await pool.execute(
            "INSERT INTO dropped VALUES ($1, 'sick', 1, gen_random_uuid(), '', 'anna', 'because', now())", LANE
        )
        [tally], _, _ = await tallied(place)
    assert (tally.received, tally.applied, tally.rejected) == (1, 0, 1)
    assert adds_up(tally)


@pytest.mark.slow
async def test_p7_events_that_are_lost_at_the_end_of_a_key_are_missed(place, database, nats_url):
    await prepare(SERVICES, database, nats_url)
    async with desk([COUNTING], database, nats_url) as services:
        await services["counting"].call(Count(counter="a", times=5))
        await eventually(lambda: services["counting"].pool.fetchval("SELECT count(*) = 0 FROM unpublished"))
    # No later event of its key will ever show the gap, and nobody runs who would mend it.
    client = await nats.connect(nats_url)
    await client.jsm().purge_stream("EVENTS_COUNTING", seq=6)
    await client.close()
    [tally], told, wrong = await tallied(place)
    assert wrong
    assert tally.underway == 5
    assert f"summing lacks 5 of 5 events of {LANE}, and nothing is on its way." in told


@pytest.mark.slow
async def test_p7_a_reader_that_is_behind_is_underway_and_not_lost(place, database, nats_url):
    await prepare(SERVICES, database, nats_url)
    async with desk([COUNTING], database, nats_url) as services:
        await services["counting"].call(Count(counter="a", times=5))
        [tally], told, wrong = await tallied(place)
    assert (tally.underway, tally.repeated, wrong) == (5, None, False)
    assert "5 on their way" in told


@pytest.mark.parametrize(
    ("broken", "whose"),
    [
        pytest.param("ALTER SCHEMA counting RENAME TO elsewhere", "counting", id="the writer's tables are not there"),
        pytest.param("DROP TABLE summing.waiting", "summing", id="one of the reader's is not there"),
    ],
)
async def test_p7_what_cannot_be_read_is_told_and_not_counted_as_nothing(place, database, nats_url, broken, whose):
    async with desk(SERVICES, database, nats_url) as services:
        await services["counting"].call(Count(counter="a", times=5))
        await eventually(lambda: services["summing"].pool.fetchval("SELECT seq = 5 FROM progress"))
    connection = await asyncpg.connect(database)
    await connection.execute(broken)
    await connection.close()
    tallies, told, wrong = await tallied(place)
    assert tallies == []
    assert f"Nothing was counted of what {whose} said and read" in told
    assert "every message is accounted for" not in told.lower()
    assert not wrong


async def test_p7_every_message_of_a_channel_is_accounted_for(place, database, nats_url, monkeypatch):
    monkeypatch.setenv("DESKSTREAM_THREAD_SECRET", "thread-secret-of-the-doctor")
    ingest = installed_services()["ingest"]
    async with desk([ingest], database, nats_url):
        client = await nats.connect(nats_url)
        mail = json.dumps({"external_id": "1", "sender": {"email": "ada@example.org"}, "text": "Hello"})
        for body in (mail, mail, "hello"):
            await client.jetstream().publish("inbound.email.support", body.encode())
        await client.jetstream().publish("inbound.phone", b"ring")
        tallies, told, wrong = await tallied(place, [ingest])
        email, none = sorted(tallies, key=lambda tally: -tally.received)
        assert (email.received, email.applied, email.duplicate, email.rejected, email.underway) == (3, 1, 1, 1, 0)
        assert (none.source, none.received, none.rejected) == ("(no channel)", 1, 1)
        assert "4 received by channels" in told
        assert not wrong
        await client.jsm().delete_stream("INBOUND")
        tallies, told, _ = await tallied(place, [ingest])
        assert tallies == []
        assert "could not be drawn up" in told
        await client.close()


async def test_p7_while_ingest_is_silent_nothing_is_said_to_be_accounted_for(place, database, nats_url):
    ingest = installed_services()["ingest"]
    await prepare([ingest], database, nats_url)
    tallies, told, _ = await tallied(place, [ingest])
    assert tallies == []
    assert "Nothing was counted of what channels received: ingest does not answer" in told
    assert "accounted for" not in told


@pytest.mark.slow
async def test_p7_messages_that_ingest_forgot_with_its_database_are_missed(place, database, nats_url, monkeypatch):
    monkeypatch.setenv("DESKSTREAM_THREAD_SECRET", "thread-secret-of-the-doctor")
    ingest = installed_services()["ingest"]
    async with desk([ingest], database, nats_url) as services:
        client = await nats.connect(nats_url)
        await client.jetstream().publish("inbound.email.support", b"hello")
        pool = services["ingest"].pool
        await eventually(lambda: pool.fetchval("SELECT count(*) = 1 FROM archive"))
        await client.close()
        async with asyncpg.create_pool(database, min_size=1, max_size=1) as owner:
            await owner.execute("TRUNCATE ingest.archive, ingest.counts")
        [tally], told, wrong = await tallied(place, [ingest])
    assert (tally.source, tally.underway, wrong) == ("email", 1, True)
    assert "1 messages of email lie in the stream" in told


@pytest.mark.slow
async def test_p7_the_command_shows_the_accounts(deskstream, database, nats_url):
    await prepare(installed_services().values(), database, nats_url)
    report = (await deskstream("doctor", "--json")).json
    assert {"reader", "source", "received", "applied", "duplicate", "rejected", "dead", "waiting"} <= set(
        report["tallies"][0]
    )
    assert "sla            events.conversation" in (await deskstream("doctor")).out
