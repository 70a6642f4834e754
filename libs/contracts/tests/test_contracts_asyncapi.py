"""The AsyncAPI document: complete, and every reference in it leads somewhere."""

import json
import re

import pytest

from deskstream.contracts.asyncapi import ServiceDescription, document
from deskstream.contracts.catalogue import commands, events
from deskstream.contracts.conversation import SendReply
from deskstream.contracts.definitions import references

SERVICES = [
    ServiceDescription("channel_email", hears=("outbound.email",), says=("inbound.email",)),
    ServiceDescription("ingest", hears=("inbound",), says=("events.ingest", "events.delivery")),
    ServiceDescription("crm", hears=("events.ingest",), says=("events.crm",)),
    ServiceDescription(
        "conversation", hears=("events.crm", "events.delivery"), says=("events.conversation", "outbound.email")
    ),
    ServiceDescription("gateway", hears=("events.conversation",), calls=(SendReply,)),
]


@pytest.fixture(scope="module")
def api():
    return document(SERVICES, version="1.2.3")


def at(api, reference):
    place = api
    for step in reference.removeprefix("#/").split("/"):
        place = place[step]
    return place


def test_it_has_what_asyncapi_3_demands(api):
    assert api["asyncapi"] == "3.0.0"
    assert (api["info"]["title"], api["info"]["version"]) == ("Deskstream", "1.2.3")
    assert all({"host", "protocol"} <= server.keys() for server in api["servers"].values())
    assert all({"action", "channel"} <= operation.keys() for operation in api["operations"].values())
    assert {operation["action"] for operation in api["operations"].values()} == {"send", "receive"}
    assert all("payload" in message for message in api["components"]["messages"].values())
    json.dumps(api)


def test_every_reference_leads_somewhere(api):
    for reference in references(api):
        assert at(api, reference) is not None


def test_components_are_named_as_asyncapi_allows(api):
    for kind in api["components"].values():
        assert all(re.fullmatch(r"[A-Za-z0-9._-]+", name) for name in kind)


def test_every_parameter_of_an_address_is_described(api):
    for channel in api["channels"].values():
        parts = re.findall(r"\{(\w+)\}", channel["address"] or "")
        assert parts == list(channel.get("parameters", {}))


def test_an_operation_names_only_messages_of_its_channel(api):
    for name, operation in api["operations"].items():
        for message in operation["messages"]:
            assert message["$ref"].startswith(operation["channel"]["$ref"] + "/messages/"), name


def test_every_message_has_its_channel(api):
    said = {name for channel in api["channels"].values() for name in channel["messages"]}
    lanes = {lane for service in SERVICES for lane in service.says}
    assert {f"{kind.LANE}.{kind.NAME}" for kind in events().values() if kind.LANE in lanes} <= said
    assert commands().keys() <= said


def test_who_says_and_who_hears_stands_there(api):
    assert {name for name in api["operations"] if "answers" not in name} == {
        "channel_email.says.inbound.email", "channel_email.hears.outbound.email",
        "ingest.hears.inbound", "ingest.says.events.ingest", "ingest.says.events.delivery",
        "crm.hears.events.ingest", "crm.says.events.crm",
        "conversation.hears.events.crm", "conversation.hears.events.delivery",
        "conversation.says.events.conversation", "conversation.says.outbound.email",
        "gateway.hears.events.conversation", "gateway.calls.commands.conversation.send_reply",
    }  # fmt: skip


def test_commands_are_answered(api):
    for name, operation in api["operations"].items():
        assert ("reply" in operation) == (".answers." in name or ".calls." in name), name
    assert "conversation.answers.commands.conversation.send_reply" in api["operations"]


def test_an_event_is_told_with_its_envelope_and_headers(api):
    message = api["components"]["messages"]["events.crm.sender_identified"]
    envelope, data = message["payload"]["allOf"]
    assert at(api, envelope["$ref"])["title"] == "CloudEvent"
    assert at(api, data["properties"]["data"]["$ref"])["title"] == "SenderIdentified"
    assert {"ce-id", "ce-type", "ce-sequence"} == set(message["headers"]["required"])


def test_what_adapters_publish_has_none(api):
    assert set(api["channels"]["inbound"]["messages"]) == {"inbound.message", "inbound.delivery"}
    assert "headers" not in api["components"]["messages"]["inbound.message"]


def test_each_service_may_refuse_on_its_own_lane_only(api):
    refusing = {name for name, channel in api["channels"].items() if "events.command_refused" in channel["messages"]}
    assert refusing == {"events.ingest", "events.crm", "events.conversation"}
