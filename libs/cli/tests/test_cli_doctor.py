import asyncio
from datetime import timedelta
from urllib.parse import urlsplit, urlunsplit

import nats
import pytest

from deskstream.cli.doctor.broker import Lag, judged
from deskstream.cli.doctor.examining import examine
from deskstream.cli.doctor.finding import Level
from deskstream.cli.doctor.probing import skew_found
from deskstream.cli.place import Place
from deskstream.cli.state import State
from deskstream.messaging.topology import provision, topology
from deskstream.runtime.settings import RuntimeSettings
from deskstream.testkit.desk import desk, prepare
from deskstream.testkit.eventually import eventually
from deskstream.testkit.sample.services import COUNTING, POISON, SUMMING, Count, Wake

SERVICES = [COUNTING, SUMMING]


@pytest.fixture(autouse=True)
def _no_poison():
    POISON.clear()
    yield
    POISON.clear()


@pytest.fixture
def place(database, nats_url):
    return Place(settings=RuntimeSettings(nats_url=nats_url, postgres_url=database))


async def ills(place, services=SERVICES):
    """What is not fine, by check."""
    report = await examine(place, services)
    return {finding.check: finding for finding in report.findings if finding.level is not Level.FINE}


async def test_o5_a_desk_that_is_well(place, database, nats_url):
    async with desk(SERVICES, database, nats_url) as services:
        await services["summing"].call(Count(counter="a", times=20))
        found = (await examine(place, SERVICES)).findings
        assert {f.check: f.level for f in found if f.level is not Level.FINE} == {}
        checked = {f.check for f in found}
        assert checked >= {
            "NATS", "publishing", "NATS storage", "streams", "lag", "services", "PostgreSQL", "clock", "migrations",
            "connections", "tally",
        }  # fmt: skip


async def test_p8_a_timer_that_fails_is_told(place, database, nats_url):
    POISON.add("a")
    async with desk(SERVICES, database, nats_url) as services:
        await services["summing"].call(Wake(counter="a", after_ms=1))

        async def told():
            found = (await ills(place)).get("timers")
            return found and "summing failed 1 times since its start when a timer was due" in found.sentence

        assert await eventually(told)


async def test_o5_nothing_was_prepared(place):
    async with asyncio.timeout(30):
        found = await ills(place)
    assert "durable summing on EVENTS_COUNTING" in found["streams"].sentence
    assert "deskstream provision" in found["streams"].mend
    assert "counting: messaging/0001_messaging.sql" in found["migrations"].sentence
    assert "deskstream migrate" in found["migrations"].mend
    assert "does not answer" in found["services"].sentence


@pytest.mark.slow
async def test_o5_a_service_that_was_stopped_falls_behind(place, database, nats_url):
    await prepare(SERVICES, database, nats_url)
    async with desk([COUNTING], database, nats_url) as services:
        client = await nats.connect(nats_url)
        await provision(client, topology(SERVICES))
        await services["counting"].call(Count(counter="a", times=30))
        await eventually(lambda: pending(client))
        found = await ills(place)
        await client.close()
    assert found["lag"].level is Level.WRONG
    assert "summing is 30 messages behind in EVENTS_COUNTING, and nobody reads for it" in found["lag"].sentence
    assert found["services"].sentence == "summing does not answer."
    assert "deskstream run summing" in found["services"].mend


@pytest.mark.parametrize(
    ("reader", "mend"),
    [
        pytest.param("sla", "Start it: `deskstream run sla`", id="a service of ours"),
        pytest.param("channel_pager", "Start it where it runs", id="an adapter of elsewhere"),
    ],
)
def test_n1_whoever_does_not_run_is_started_where_it_is(reader, mend):
    found = judged((reader, "OUTBOUND_PAGER"), Lag(1, heard=False), Lag(1, heard=False))
    assert found is not None
    assert found.sentence == f"{reader} is 1 message behind in OUTBOUND_PAGER, and nobody reads for it."
    assert found.mend.startswith(mend)


async def pending(client):
    return (await client.jsm().consumer_info("EVENTS_COUNTING", "summing")).num_pending == 30


@pytest.mark.parametrize(
    ("before", "now", "level"),
    [
        pytest.param(5000, 900, None, id="under a thousand is nothing to tell"),
        pytest.param(5000, 4000, Level.WARNING, id="catching up"),
        pytest.param(5000, 5000, Level.WRONG, id="not catching up"),
        pytest.param(5000, 6000, Level.WRONG, id="falling further behind"),
    ],
)
def test_lag_is_judged_by_where_it_goes(before, now, level):
    found = judged(("sla", "EVENTS_CONVERSATION"), Lag(now, heard=True), Lag(before, heard=True))
    assert (found and found.level) is level


async def test_o5_a_poison_message_is_a_warning_until_it_is_dead(place, database, nats_url):
    POISON.add("poison")
    async with desk(SERVICES, database, nats_url) as services:
        pool = services["summing"].pool
        for note in ("poison", "", ""):
            await services["summing"].call(Count(counter="sick", note=note))
        await eventually(lambda: pool.fetchval("SELECT count(*) = 3 FROM waiting"))
        found = await ills(place)
        assert found["dead letters"].level is Level.WARNING
        assert "block 1 objects; 2 messages wait" in found["dead letters"].sentence
        await pool.execute("UPDATE waiting SET state = 'dead' WHERE state = 'failed'")
        found = await ills(place)
        assert found["dead letters"].level is Level.WRONG
        assert "dead-letters list --service summing" in found["dead letters"].mend


@pytest.mark.parametrize(
    ("statement", "check", "told"),
    [
        pytest.param("INSERT INTO unpublished VALUES (1, now() - interval '1 hour')", "publishing",
                     "1 events are said, but not published", id="said, but not published"),
        pytest.param("INSERT INTO waiting VALUES ('events.ingest', 'k', 3, gen_random_uuid(), 's', 't', '', 'gap', '', "
                     "'', '', 0, now(), now() - interval '1 hour')", "gap", "for an event that never came", id="a gap"),
        pytest.param("INSERT INTO sends VALUES ('outbound.email', 'k', 1, gen_random_uuid(), 't', '', "
                     "gen_random_uuid(), 'unknown', 1, '', NULL, now(), now())", "sending", "nobody knows",
                     id="P9: sends of unknown fate"),
    ],
)  # fmt: skip
async def test_what_waits_in_a_service_s_tables(place, database, nats_url, pool_for, statement, check, told):
    await prepare(SERVICES, database, nats_url)
    pool = await pool_for("counting")
    await pool.execute(statement)
    assert told in (await ills(place))[check].sentence


async def test_servers_that_are_away_are_findings_and_not_the_end(database):
    away = Place(settings=RuntimeSettings(nats_url="nats://127.0.0.1:1", postgres_url=database))
    found = await ills(away)
    assert "NATS does not answer at nats://127.0.0.1:1" in found["NATS"].sentence
    assert "migrations" in found


async def test_a_database_that_is_away_keeps_its_password(nats_url):
    away = "postgresql://desk:secret@127.0.0.1:1/desk"
    found = await ills(Place(settings=RuntimeSettings(nats_url=nats_url, postgres_url=away)))
    assert "127.0.0.1:1" in found["PostgreSQL"].sentence
    assert "secret" not in str(found)


async def test_a_database_that_does_not_exist_is_told(nats_url, database):
    absent = urlunsplit(urlsplit(database)._replace(path="/nothing_of_this_name"))
    found = await ills(Place(settings=RuntimeSettings(nats_url=nats_url, postgres_url=absent)))
    assert '"nothing_of_this_name" does not exist' in found["PostgreSQL"].sentence


async def test_doors_and_the_process_that_was_killed(place, tmp_path):
    state = State(2**22 - 1, 1.0, "", "", "http://127.0.0.1:1", "t", "127.0.0.1:1", "", "")
    here = Place(
        settings=place.settings, api_url=state.api_url, token="t", smtp=state.smtp, folder=tmp_path, state=state
    )
    found = await ills(here)
    assert "does not answer" in found["HTTP API"].sentence
    assert "does not answer" in found["mail"].sentence
    assert "ended by force" in found["process"].sentence


async def test_a_mail_server_that_says_something_else(place, tmp_path):
    async def greet(reader, writer):
        writer.write(b"554 \x1b[31mgo away\r\n")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    found = await ills(Place(settings=place.settings, smtp=f"127.0.0.1:{port}"))
    server.close()
    assert found["mail"].level is Level.WARNING
    assert "\x1b" not in found["mail"].sentence


async def test_the_command_tells_what_to_mend_and_exits_with_1(deskstream):
    said = await deskstream("doctor")
    assert said.code == 1
    assert "→ `deskstream provision` puts them right." in said.out
    report = (await deskstream("doctor", "--json")).json
    assert report["ok"] is False
    assert {"check", "level", "sentence", "mend"} == set(report["findings"][0])


@pytest.mark.parametrize(
    ("seconds", "level"),
    [
        pytest.param(0.5, Level.FINE, id="half a second"),
        pytest.param(-5, Level.WARNING, id="some seconds behind"),
        pytest.param(3600, Level.WRONG, id="an hour ahead"),
    ],
)
def test_clocks_that_differ(seconds, level):
    assert skew_found(timedelta(seconds=seconds)).level is level
