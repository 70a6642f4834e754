"""Streams and durables become what the declarations say; what somebody changed is told, and durables are left alone."""

from dataclasses import replace

import nats
import pytest
import pytest_asyncio
from nats.js.api import AckPolicy, ConsumerConfig, DiscardPolicy, RetentionPolicy, StreamConfig

from deskstream.messaging.topology import durable_config, provision, topology
from deskstream.testkit.sample.services import COUNTING, SUMMING

WANTED = topology([COUNTING, SUMMING])
STREAM, DURABLE = "stream EVENTS_COUNTING", "durable summing on EVENTS_COUNTING"


@pytest_asyncio.fixture
async def client(nats_url):
    connected = await nats.connect(nats_url)
    yield connected
    await connected.close()


async def changed(client, **options):
    return {one.what: one for one in await provision(client, WANTED, **options) if one.how != "unchanged"}


async def test_provisioning_again_changes_nothing(client):
    assert {one.how for one in await provision(client, WANTED)} == {"created"}
    assert await changed(client) == {}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        pytest.param({"max_age": 3600}, "max_age is 3600.0 instead of 259200.0", id="kept for an hour"),
        pytest.param({"allow_direct": False}, "allow_direct is None instead of True", id="cannot be read directly"),
        pytest.param({"discard": "old"}, "discard is old instead of new", id="P1: what is old makes room"),
        pytest.param({"deny_delete": False}, "deny_delete is None instead of True", id="messages can be deleted"),
        pytest.param({"retention": "interest"}, "retention is interest instead of limits", id="kept until heard"),
    ],
)
async def test_o5_a_stream_that_differs_is_put_right_and_told(client, change, why):
    found = next(stream for stream in WANTED.streams if stream.name == "EVENTS_COUNTING")
    config = StreamConfig(
        name=found.name, subjects=list(found.subjects), retention=RetentionPolicy.LIMITS, discard=DiscardPolicy.NEW,
        max_age=259200, duplicate_window=120, deny_delete=True, allow_direct=True, max_bytes=10_000_000,
    )  # fmt: skip
    await client.jsm().add_stream(replace(config, **change))
    told = (await changed(client))[STREAM]
    assert (told.how, told.why) == ("updated", why)
    assert await changed(client) == {}
    assert (await client.jsm().stream_info(found.name)).config.max_bytes == 10_000_000


async def test_o5_what_the_broker_cannot_change_is_told_with_what_mends_it(client):
    await client.jsm().add_stream(
        name="EVENTS_COUNTING", subjects=["events.counting.>"], retention=RetentionPolicy.WORK_QUEUE
    )
    told = (await changed(client))[STREAM]
    assert told.how == "differs"
    assert "retention is workqueue instead of limits" in told.why
    assert "nats stream rm EVENTS_COUNTING" in told.mend


async def test_o5_a_durable_that_somebody_tuned_is_left_told_and_changed_on_request(client):
    await provision(client, WANTED)
    await client.jsm().add_consumer("EVENTS_COUNTING", replace(durable_config("summing"), ack_wait=30.0))
    told = (await changed(client))[DURABLE]
    assert (told.how, told.why) == ("differs", "ack_wait is 30.0 instead of 10.0")
    assert "deskstream provision --durables" in told.mend
    assert (await client.jsm().consumer_info("EVENTS_COUNTING", "summing")).config.ack_wait == 30
    assert (await changed(client, change_durables=True))[DURABLE].how == "updated"
    assert await changed(client) == {}


async def test_o5_a_durable_of_another_kind_is_never_replaced(client):
    await provision(client, WANTED)
    await client.jsm().delete_consumer("EVENTS_COUNTING", "summing")
    other = ConsumerConfig(durable_name="summing", ack_policy=AckPolicy.NONE, filter_subject="events.counting.x.y")
    await client.jsm().add_consumer("EVENTS_COUNTING", other)
    told = (await changed(client, change_durables=True))[DURABLE]
    assert told.how == "differs"
    assert "ack_policy is none instead of explicit" in told.why
    assert "filter_subject is events.counting.x.y instead of None" in told.why
    assert "nats consumer rm EVENTS_COUNTING summing" in told.mend
