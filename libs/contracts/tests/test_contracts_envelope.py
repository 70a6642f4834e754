"""Events as they travel: CloudEvents that any reader can read, and bytes that none can."""

import json
import re
from datetime import UTC, datetime
from uuid import UUID

import pytest

from deskstream.contracts.crm import ContactSaved
from deskstream.contracts.definitions import ENVELOPE, definitions
from deskstream.contracts.envelope import CloudEvent, Stamp, Unreadable, decode, encode, event_type
from deskstream.contracts.facts import ContactFacts
from deskstream.contracts.inbound import (
    DeliveryReported,
    DeliveryState,
    Identity,
    InboundMessage,
    read_inbound,
)
from deskstream.contracts.journal import CommandRefused
from deskstream.contracts.outbound import OutboundMessage

ID = UUID(int=7)
NOW = datetime(2026, 5, 4, 9, 0, 0, 250_000, tzinfo=UTC)
ADA = ContactSaved(at=NOW, contact_id=ID, contact=ContactFacts(id=ID, name="Ada", email="ada@example.org"))
STAMP = Stamp(id=UUID(int=1), sequence=3, correlation=UUID(int=2), causation=UUID(int=4), actor="anna", at=NOW)

# CloudEvents 1.0.2: what every event has, and how an attribute may be called (§3.1).
REQUIRED = {"id", "source", "specversion", "type"}
ATTRIBUTE = re.compile(r"[a-z0-9]{1,20}")


def on_the_wire(event=ADA, stamp=STAMP):
    return json.loads(encode(event, stamp))


def changed(**attributes):
    return json.dumps({k: v for k, v in {**on_the_wire(), **attributes}.items() if v is not ...})


def test_an_event_is_a_cloudevent():
    event = on_the_wire()
    assert event.keys() >= REQUIRED
    assert all(ATTRIBUTE.fullmatch(name) for name in event)
    assert (event["specversion"], event["datacontenttype"]) == ("1.0", "application/json")
    assert all(isinstance(value, str) for name, value in event.items() if name != "data")


def test_the_attributes_say_what_it_is_about_and_where_it_stands():
    event = on_the_wire()
    assert (event["type"], event["subject"], event["source"]) == (
        "deskstream.crm.contact_saved",
        str(ID),
        "/events/crm",
    )
    assert (event["sequence"], event["correlationid"], event["causationid"]) == (
        "3",
        str(UUID(int=2)),
        str(UUID(int=4)),
    )
    assert datetime.fromisoformat(event["time"]) == NOW


def test_the_envelope_s_schema_names_every_attribute():
    properties = definitions()[ENVELOPE]["properties"]
    assert set(on_the_wire()) <= properties.keys()
    assert set(CloudEvent.model_fields) <= properties.keys()
    assert set(definitions()[ENVELOPE]["required"]) <= on_the_wire().keys()


def test_what_nobody_did_has_no_actor():
    event = on_the_wire(stamp=Stamp(ID, 1, ID, ID, None, NOW))
    assert "actor" not in event
    assert "traceparent" not in event


def test_what_equals_its_default_is_not_sent():
    data = on_the_wire()["data"]
    assert data.keys() == {"at", "contact_id", "contact"}
    assert data["contact"].keys() == {"id", "name", "email"}


@pytest.mark.parametrize("text", ['"', "\\", "a\nb", "a\x00b", "\u2028", "</script>", "ünïcödé", "👩🏽‍💻", "\x1b[31m"])
def test_hostile_text_comes_back_as_it_was(text):
    stamp = Stamp(ID, 1, ID, ID, text, NOW, traceparent=text)
    body = encode(ADA.model_copy(update={"linked": (text,)}), stamp)
    read = decode(ContactSaved, body)
    assert (read.actor, read.traceparent, read.data.linked) == (text, text, (text,))
    assert not any(ord(c) < 32 for c in body)


def test_what_every_service_may_say_has_no_service_in_its_type():
    assert event_type(CommandRefused) == "deskstream.command_refused"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"hello", id="not JSON"),
        pytest.param(b"\xff\xfe{}", id="not UTF-8"),
        pytest.param(changed()[:-20], id="cut off"),
        pytest.param("[]", id="a list"),
        pytest.param("null", id="null"),
        pytest.param("[" * 100_000, id="nested without end"),
        pytest.param(changed(id=...), id="no id"),
        pytest.param(changed(id="7"), id="an id that is none"),
        pytest.param(changed(source=...), id="no source"),
        pytest.param(changed(time="yesterday"), id="a time that is none"),
        pytest.param(changed(sequence="first"), id="a sequence that is none"),
        pytest.param(changed(sequence="1.5"), id="half a sequence"),
        pytest.param(changed(data=...), id="no data"),
        pytest.param(changed(data=None), id="data is null"),
        pytest.param(changed(data={"at": "2026-05-04T09:00:00Z"}), id="data of another event"),
        pytest.param(changed(data="{}"), id="data as text"),
    ],
)
def test_what_is_no_such_event_is_unreadable(body):
    with pytest.raises(Unreadable, match="contact_saved: "):
        decode(ContactSaved, body)


def test_the_reason_names_the_field():
    broken = changed(data={**on_the_wire()["data"], "contact": {"id": "x", "name": "Ada"}})
    with pytest.raises(Unreadable, match=r"data\.contact\.id: "):
        decode(ContactSaved, broken)


@pytest.mark.parametrize(
    "said",
    [
        InboundMessage(channel="email", inbox="support", external_id="<1@x>", sender=Identity(email="ada@example.org")),
        DeliveryReported(
            channel="email", inbox="support", at=NOW, conversation_id=ID, reply_id=ID, state=DeliveryState.SENT
        ),
    ],
    ids=["N1: a message", "N1: a delivery report"],
)
def test_what_adapters_publish_travels_bare_and_says_what_it_is(said):
    body = encode(said, STAMP)
    assert json.loads(body)["type"] == said.type
    assert read_inbound(body) == said


def test_what_leaves_travels_enveloped():
    reply = OutboundMessage(
        at=NOW, conversation_id=ID, number=12, reply_id=ID, channel="email", inbox="support", author="anna",
        to=Identity(email="ada@example.org"), title="Re: Hello", text="Hello Ada",
    )  # fmt: skip
    assert decode(OutboundMessage, encode(reply, STAMP)).data == reply
    assert reply.subject() == f"outbound.email.{ID}"
