"""N1, O3, P7: plain NATS tools put messages in, read the events, and everything that came in is accounted for."""

import asyncio
import json
from urllib.parse import urlsplit

import pytest

from deskstream.contracts.ingest import CountInbound
from deskstream.contracts.routing import Availability, SaveAgent
from deskstream.testkit.eventually import eventually

pytestmark = pytest.mark.slow

FROM_SHOP = b"""
{"external_id": "one@shop.example", "sender": {"email": "pat@shop.example"}, "title": "Till is down", "text": "Help."}
"""
FROM_PAGER = b"""
{"external_id": "alarm-7", "sender": {"external_id": "probe-3", "name": "Probe"}, "title": "Disk full", "text": "97 %"}
"""
NOBODY = b'{"external_id": "two@shop.example", "sender": {"name": "Nobody"}, "text": "Hello?"}'
NO_JSON = b"Hello, is anybody there?"

ENVELOPE = {
    "specversion", "id", "source", "type", "subject", "time", "datacontenttype", "sequence", "correlationid",
    "causationid", "data",
}  # fmt: skip


async def put(nats_url, subject, body):
    """`nats pub`, spelt out: the text protocol of the broker on a bare socket."""
    reader, writer = await asyncio.open_connection(urlsplit(nats_url).hostname, urlsplit(nats_url).port)
    await reader.readline()
    writer.write(b'CONNECT {"verbose":false}\r\nPUB %s %d\r\n%s\r\nPING\r\n' % (subject.encode(), len(body), body))
    assert await reader.readline() == b"PONG\r\n"
    writer.close()
    await writer.wait_closed()


async def read_all(broker, stream):
    """Every message of a stream, by a plain ordered consumer."""
    subscription = await broker.jetstream().subscribe("", stream=stream, ordered_consumer=True)
    last = (await broker.jsm().stream_info(stream)).state.last_seq
    messages = [await subscription.next_msg(timeout=2) for _ in range(last)]
    await subscription.unsubscribe()
    return messages


async def said(records, event):
    """What ingest said: the data of every event of a name, in order."""
    rows = await records.fetch("SELECT body::json ->> 'data' AS said FROM ingest.journal WHERE type LIKE $1", event)
    return [json.loads(row["said"]) for row in rows]


async def counts(desk):
    return (await desk.ask(CountInbound()))["channels"]


async def test_n1_a_message_published_with_plain_tools_becomes_a_conversation(open_desk, nats_url):
    async with open_desk() as desk:
        await put(nats_url, "inbound.email.support", FROM_SHOP)
        first = await desk.when("CONV-1", lambda shown: shown["clocks"], "a clock")
        assert (first["title"], first["contact"]["email"]) == ("Till is down", "pat@shop.example")
        assert (first["channel"], first["inbox"], first["stage"]) == ("email", "support", "new")


async def test_n1_so_does_one_on_a_channel_nobody_here_knows(open_desk, nats_url):
    async with open_desk() as desk:
        await put(nats_url, "inbound.pager.main", FROM_PAGER)
        shown = await desk.when("CONV-1", lambda shown: shown["clocks"], "a clock")
        assert (shown["channel"], shown["inbox"], shown["title"]) == ("pager", "main", "Disk full")
        assert shown["contact"]["name"] == "Probe"


async def test_n1_what_breaks_the_contract_is_answered_with_field_and_reason_and_kept(
    open_desk, nats_url, broker, records
):
    async with open_desk() as desk:
        answers = await broker.subscribe("events.ingest.message_rejected.*")
        await broker.flush()
        await put(nats_url, "inbound.email.support", NOBODY)
        await put(nats_url, "inbound.pager.main", NO_JSON)
        rejected = [json.loads((await answers.next_msg(timeout=5)).data)["data"] for _ in range(2)]
        assert [(one["channel"], one["inbox"], one["field"]) for one in rejected] == [
            ("email", "support", "sender.email"),
            ("pager", "main", "body"),
        ]
        assert rejected[0]["external_id"] == "two@shop.example"
        assert "name one of email, phone, external_id" in rejected[0]["reason"]
        assert "JSON" in rejected[1]["reason"]
        kept = await records.fetch(
            "SELECT id::text, body FROM ingest.archive WHERE fate = 'rejected' ORDER BY received_at"
        )
        assert {row["id"]: row["body"] for row in kept} == {
            rejected[0]["archive_id"]: NOBODY,
            rejected[1]["archive_id"]: NO_JSON,
        }
        assert (await desk.api.get("/api/conversations")).json()["conversations"] == []


async def test_p7_received_is_applied_and_duplicate_and_rejected_and_nothing_waits(open_desk, nats_url, records):
    async with open_desk() as desk:
        for subject, body in (
            ("inbound.email.support", FROM_SHOP),
            ("inbound.email.support", NOBODY),
            ("inbound.email.support", FROM_SHOP),
            ("inbound.email.feedback", FROM_SHOP),
            ("inbound.pager.main", FROM_PAGER),
            ("inbound.pager.main", FROM_PAGER),
            ("inbound.pager.main", NO_JSON),
        ):
            await put(nats_url, subject, body)
        await eventually(lambda: everything_counted(desk, 7), within=10)
        assert await counts(desk) == {
            "email": {
                "received": 4,
                "applied": 1,
                "duplicate": 2,
                "rejected": 1,
                "dead": 0,
                "waiting": 0,
                "dropped": 0,
            },
            "pager": {
                "received": 3,
                "applied": 1,
                "duplicate": 1,
                "rejected": 1,
                "dead": 0,
                "waiting": 0,
                "dropped": 0,
            },
        }
        assert len(await said(records, "%.message_duplicate")) == 3
        shown = [await desk.when(name, lambda shown: shown["clocks"], "a clock") for name in ("CONV-1", "CONV-2")]
        assert [len([one for one in page["timeline"] if one["kind"] == "message"]) for page in shown] == [1, 1]
        assert len((await desk.api.get("/api/conversations")).json()["conversations"]) == 2
        assert await desk.waiting() == {}


async def everything_counted(desk, received):
    return sum(channel["received"] for channel in (await counts(desk)).values()) == received


async def test_o3_events_can_be_read_with_plain_tools_as_cloud_events(open_desk, nats_url, broker):
    async with open_desk() as desk:
        await desk.ask(SaveAgent(agent="anna", availability=Availability.AVAILABLE), actor="olga")
        await put(nats_url, "inbound.email.support", FROM_SHOP)
        shown = await desk.when("CONV-1", lambda shown: shown["clocks"] and shown["owner"], "clock and owner")
        messages = [
            message for service in ("INGEST", "CRM", "CONVERSATION", "ROUTING", "SLA")
            for message in await read_all(broker, f"EVENTS_{service}")
        ]  # fmt: skip
    found = [json.loads(message.data) for message in messages]
    for event, message in zip(found, messages, strict=True):
        assert set(event) >= ENVELOPE
        assert set(event) <= ENVELOPE | {"actor", "traceparent"}
        assert (event["specversion"], event["datacontenttype"]) == ("1.0", "application/json")
        assert event["subject"] == message.subject.rpartition(".")[2]
        assert event["type"].split(".")[1:] == message.subject.split(".")[1:3]
        assert event["source"] == "/" + "/".join(message.subject.split(".")[:2])
        repeated = {name: message.headers[name] for name in ("ce-id", "ce-type", "ce-sequence", "Nats-Msg-Id")}
        assert repeated == {
            "ce-id": event["id"],
            "ce-type": event["type"],
            "ce-sequence": event["sequence"],
            "Nats-Msg-Id": event["id"],
        }
    about_it = [event for event in found if event["subject"] == shown["id"]]
    assert len({event["correlationid"] for event in about_it}) == 1
    assert [event["actor"] for event in found if event["type"] == "deskstream.routing.agent_saved"] == ["olga"]
