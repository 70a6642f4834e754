"""Spans as a collector gets them: one trace from the first message to the last effect, nothing where nobody asked."""

import json
import os
import subprocess
import sys

import nats
import pytest

from deskstream.messaging.trace_context import context_in
from deskstream.runtime.settings import RuntimeSettings, SettingsError, read_settings
from deskstream.testkit.desk import desk
from deskstream.testkit.eventually import eventually
from deskstream.testkit.otlp_collector import Collector
from deskstream.testkit.sample.events import counted
from deskstream.testkit.sample.services import COUNTING, POISON, SUMMING, Count

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
FOLLOWED = f"00-{TRACE}-{SPAN}-01"


@pytest.fixture
def collector(monkeypatch):
    collector = Collector()
    collector.start()
    monkeypatch.setenv("DESKSTREAM_OTLP_URL", collector.url)
    monkeypatch.setenv("DESKSTREAM_TRACE_RATIO", "0")
    yield collector
    collector.stop()


@pytest.fixture(autouse=True)
def _no_poison():
    POISON.clear()
    yield
    POISON.clear()


async def ask(nats_url, *, headers=None, **fields):
    client = await nats.connect(nats_url)
    body = Count(**fields).model_dump_json().encode()
    await client.request("commands.counting.count", body, headers=headers, timeout=5)
    await client.close()


async def test_o5_a_trace_goes_from_a_caller_through_every_service(collector, database, nats_url):
    async with desk([COUNTING, SUMMING], database, nats_url):
        await ask(nats_url, counter="a", headers={"traceparent": FOLLOWED})
        await eventually(lambda: len(collector.spans) == 2, within=10)
    (asked,), (heard,) = collector.of("counting"), collector.of("summing")
    assert (asked.trace, asked.parent) == (TRACE, SPAN)
    assert (heard.trace, heard.parent) == (TRACE, asked.id)
    assert heard.name == "process deskstream.counting.counted"
    assert heard.about["deskstream.service"] == "summing"
    assert heard.about["deskstream.event"] == "deskstream.counting.counted"
    assert heard.about["deskstream.key"] == "a"
    assert heard.about["deskstream.outcome"] == "applied"
    assert heard.about["deskstream.lag_ms"] >= 0
    assert heard.about["messaging.message.conversation_id"] == asked.about["messaging.message.conversation_id"]


async def test_o5_the_event_itself_says_to_which_trace_it_belongs(collector, database, nats_url):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        await ask(nats_url, counter="a", headers={"traceparent": FOLLOWED})
        await eventually(lambda: len(collector.spans) == 2, within=10)
        body = json.loads(await services["counting"].pool.fetchval("SELECT body FROM journal"))
    assert body["traceparent"] == f"00-{TRACE}-{collector.of('counting')[0].id}-01"


async def test_o5_what_goes_wrong_is_marked(collector, database, nats_url):
    POISON.add("poison")
    async with desk([COUNTING, SUMMING], database, nats_url):
        await ask(nats_url, counter="a", note="poison", headers={"traceparent": FOLLOWED})
        await eventually(lambda: collector.of("summing"), within=10)
    # It may have been tried again by now.
    heard, *_ = collector.of("summing")
    assert (heard.about["deskstream.outcome"], heard.wrong) == ("failed", True)


@pytest.mark.parametrize(
    ("given", "carried"),
    [
        pytest.param(None, None, id="nothing is followed of itself"),
        pytest.param(f"00-{TRACE}-{SPAN}-00", f"00-{TRACE}-{SPAN}-00", id="a sender that does not follow is obeyed"),
        pytest.param("00-tomato", None, id="what is no context is not passed on"),
        pytest.param(f"00-{'0' * 32}-{SPAN}-01", None, id="an id of zeros is none"),
        pytest.param(f"ff-{TRACE}-{SPAN}-01", None, id="a version that cannot be"),
        pytest.param(f"{FOLLOWED}-{'a' * 9000}", None, id="a very long one"),
    ],
)
async def test_o5_what_is_not_followed_makes_no_span(collector, database, nats_url, given, carried):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        await ask(nats_url, counter="a", headers={"traceparent": given} if given else None)
        pool = services["summing"].pool
        await eventually(lambda: pool.fetchval("SELECT count(*) = 1 FROM journal"), within=10)
        body = json.loads(await pool.fetchval("SELECT body FROM journal"))
    assert collector.spans == []
    assert body.get("traceparent") == carried


async def test_o5_without_an_exporter_a_trace_still_passes_through(database, nats_url):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        await ask(nats_url, counter="a", headers={"traceparent": FOLLOWED})
        pool = services["summing"].pool
        await eventually(lambda: pool.fetchval("SELECT count(*) = 1 FROM journal"), within=10)
        assert json.loads(await pool.fetchval("SELECT body FROM journal"))["traceparent"] == FOLLOWED


@pytest.mark.slow
async def test_o5_a_share_of_what_arrives_is_followed(collector, database, nats_url, monkeypatch):
    monkeypatch.setenv("DESKSTREAM_TRACE_RATIO", "1")
    async with desk([COUNTING, SUMMING], database, nats_url):
        for counter in "abc":
            await ask(nats_url, counter=counter)
        await eventually(lambda: len(collector.spans) == 6, within=10)
    assert len({span.trace for span in collector.spans}) == 3
    assert {span.parent for span in collector.of("counting")} == {""}


async def test_o5_an_event_that_nobody_followed_begins_no_trace_in_the_middle(
    collector, database, nats_url, monkeypatch
):
    monkeypatch.setenv("DESKSTREAM_TRACE_RATIO", "1")
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        client = await nats.connect(nats_url)
        subject, body, headers = counted("a", 1)
        await client.jetstream().publish(subject, body, headers=headers)
        await client.close()
        await eventually(lambda: services["summing"].runner.applied == 1, within=10)
    assert collector.spans == []


async def test_o5_a_collector_that_is_away_holds_up_nobody(database, nats_url, monkeypatch):
    monkeypatch.setenv("DESKSTREAM_OTLP_URL", "http://127.0.0.1:1/v1/traces")
    monkeypatch.setenv("DESKSTREAM_TRACE_RATIO", "1")
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        await ask(nats_url, counter="a", times=50)
        await eventually(lambda: services["summing"].runner.applied == 50, within=10)


@pytest.mark.parametrize(
    ("name", "given"), [("DESKSTREAM_OTLP_URL", "collector:4318"), ("DESKSTREAM_TRACE_RATIO", "1.5")]
)
def test_settings_that_cannot_work_are_refused(name, given, monkeypatch):
    monkeypatch.setenv(name, given)
    with pytest.raises(SettingsError, match=name):
        read_settings(RuntimeSettings)


def test_nobody_carries_the_libraries_who_sends_no_spans():
    code = "import sys, deskstream.runtime.launch; print([m for m in sys.modules if m.startswith('opentelemetry.sdk')])"
    said = subprocess.run([sys.executable, "-c", code], env=os.environ, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["traceparent", "Traceparent"])
def test_either_spelling_of_the_header_is_read(name):
    assert context_in({name: FOLLOWED}) == FOLLOWED
