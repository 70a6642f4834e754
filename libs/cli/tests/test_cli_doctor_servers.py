"""What the doctor finds out about servers that are full, drifted, denying or in another time; each really made so."""

import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import nats
import pytest

from deskstream.cli.doctor.examining import MONITOR, examine
from deskstream.cli.doctor.finding import Level
from deskstream.cli.doctor.surroundings import examine_machine
from deskstream.cli.place import Place
from deskstream.runtime.embedded.home import Home
from deskstream.runtime.embedded.nats import EmbeddedNats
from deskstream.runtime.privileges.credentials import Credentials, role_of
from deskstream.runtime.privileges.guard import VARIABLE
from deskstream.runtime.settings import RuntimeSettings
from deskstream.testkit.desk import desk, prepare
from deskstream.testkit.sample.services import COUNTING, SUMMING

OPEN_BROKER = "DESKSTREAM_TEST_NATS_URL" in os.environ

SERVICES = [COUNTING, SUMMING]


@pytest.fixture
def settings(database, nats_url):
    return RuntimeSettings(nats_url=nats_url, postgres_url=database)


async def ills(settings, **how):
    report = await examine(Place(settings=settings), SERVICES, **how)
    return {finding.check: finding for finding in report.findings if finding.level is not Level.FINE}


@pytest.mark.slow
async def test_o5_a_store_that_fills_up_is_told_before_it_is_full(database, tmp_path, monkeypatch):
    server = EmbeddedNats(Home(tmp_path, user=None), max_file_store=2_000_000)
    settings = RuntimeSettings(nats_url=server.start(), postgres_url=database)
    monkeypatch.setenv(MONITOR, server.monitor_url)
    await prepare(SERVICES, database, server.url)
    client = await nats.connect(server.url)
    found = await ills(settings)
    assert not {"NATS storage", "publishing"} & found.keys()
    await publish(client, 16)
    found = await ills(settings)
    assert found["NATS storage"].level is Level.WARNING
    assert "2 MiB of 2 MiB used" in found["NATS storage"].sentence
    assert "max_file_store" in found["NATS storage"].mend
    await publish(client, 30)
    found = await ills(settings)
    assert found["NATS storage"].level is Level.WRONG
    assert "NATS takes nothing more" in found["publishing"].sentence
    assert "restart NATS" in found["publishing"].mend
    await client.close()
    server.stop()


async def publish(client, number):
    """As many messages of 100 kB as the store takes."""
    for _ in range(number):
        await client.request("inbound.email.support", bytes(100_000), timeout=5)


async def test_o5_without_its_monitoring_the_doctor_says_what_it_cannot_know(settings, monkeypatch):
    monkeypatch.setenv(MONITOR, "http://127.0.0.1:1")
    found = await ills(settings)
    assert found["NATS storage"].level is Level.WARNING
    assert MONITOR in found["NATS storage"].mend


@pytest.mark.parametrize(
    ("ahead", "level"),
    [
        pytest.param(timedelta(seconds=10), Level.WARNING, id="ten seconds ahead"),
        pytest.param(timedelta(hours=-1), Level.WRONG, id="an hour behind"),
    ],
)
async def test_o5_clocks_are_compared_with_both_servers(settings, database, ahead, level):
    await prepare(SERVICES, database, settings.nats_url)
    report = await examine(Place(settings=settings), SERVICES, clock=lambda: datetime.now(UTC) + ahead)
    clocks = [finding for finding in report.findings if finding.check == "clock"]
    assert [finding.level for finding in clocks] == [level, level]
    assert {finding.sentence.split()[0] for finding in clocks} == {"The", "NATS's"}
    assert all("NTP" in finding.mend for finding in clocks)


async def test_o5_streams_that_somebody_changed_are_named(settings, database):
    await prepare(SERVICES, database, settings.nats_url)
    client = await nats.connect(settings.nats_url)
    stream = await client.jsm().stream_info("EVENTS_COUNTING")
    await client.jsm().update_stream(stream.config.evolve(max_age=600.0))
    await client.jsm().delete_consumer("EVENTS_COUNTING", "summing")
    await client.close()
    found = await ills(settings)
    assert "stream EVENTS_COUNTING, durable summing on EVENTS_COUNTING" in found["streams"].sentence
    assert "deskstream provision" in found["streams"].mend


@pytest.mark.skipif(OPEN_BROKER, reason="a broker that is not the suite's lets everybody in")
async def test_o5_somebody_whom_nats_denies_is_told_what_and_whom_to_be(settings, database):
    await prepare(SERVICES, database, settings.nats_url)
    seed = Credentials(Path(os.environ[VARIABLE])).seed_file("summing")
    found = await ills(settings.model_copy(update={"nats_seed_file": seed}))
    assert "denies us what we ask for" in found["NATS permissions"].sentence
    assert "ermissions violation" in found["NATS permissions"].sentence.lower()
    assert "operator" in found["NATS permissions"].mend


async def test_o5_somebody_whom_postgresql_denies_is_told_whom_to_be(settings, database):
    await prepare(SERVICES, database, settings.nats_url)
    password = Credentials(Path(os.environ[VARIABLE])).password_file("summing").read_text().strip()
    parts = urlsplit(database)
    address = parts.netloc.rpartition("@")[2]
    limited = urlunsplit(parts._replace(netloc=f"{role_of('summing')}:{quote(password)}@{address}"))
    found = await ills(settings.model_copy(update={"postgres_url": limited}))
    assert "We may not look at" in found["PostgreSQL permissions"].sentence
    assert "owner of the tables" in found["PostgreSQL permissions"].mend


async def test_o5_a_service_that_is_not_ready_says_why(settings, database):
    async with desk(SERVICES, database, settings.nats_url) as services:
        await services["summing"].pool.execute("INSERT INTO unpublished VALUES (1, now() - interval '1 hour')")
        found = await ills(settings)
    assert found["services"].sentence.startswith("summing is not ready: database: what was said 3600 s ago")
    assert "log of summing" in found["services"].mend


@pytest.fixture
def small_disk(tmp_path):
    """A file system of two megabytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"nobody may mount here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_o5_a_disk_that_is_nearly_full_is_told(small_disk):
    (found,) = examine_machine(Place(folder=small_disk))
    assert found.level is Level.WRONG
    assert f"0.0 GiB are free where the data lie ({small_disk})" in found.sentence
    assert "Make room" in found.mend
