"""Subjects, catalogue and ids: one name for everything, and none that a broker would misread."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from deskstream.contracts import subjects
from deskstream.contracts.catalogue import commands, events
from deskstream.contracts.ids import effect_id, object_id
from deskstream.contracts.message import Event, snake_case
from deskstream.contracts.routing import AgentSaved, Availability, TeamSaved

NOW = datetime(2026, 5, 4, tzinfo=UTC)
A, B = UUID(int=1), UUID(int=2)


def agent(handle):
    return AgentSaved(
        at=NOW, agent_id=handle, name="Anna", team="support", availability=Availability.AVAILABLE, capacity=5, load=0
    )


@pytest.mark.parametrize("key", ["anna", "anna-2", "a_b", "A" * 64, str(A)])
def test_a_key_is_the_last_token(key):
    subject = agent(key).subject()
    assert subject == f"events.routing.agent_saved.{key}"
    assert (subjects.lane_of(subject), subjects.key_of(subject)) == ("events.routing", key)


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("", id="nothing"),
        pytest.param("anna.bruno", id="two tokens"),
        pytest.param("*", id="any token"),
        pytest.param(">", id="all tokens"),
        pytest.param("anna bruno", id="a blank, which ends a subject in the protocol"),
        pytest.param("anna\r\nPUB commands.crm.save_account 0\r\n", id="a line of the protocol"),
        pytest.param("anna\n", id="a newline at the end"),
        pytest.param("anna\x00", id="NUL"),
        pytest.param("ànna", id="not ASCII"),
        pytest.param("a" * 65, id="too long"),
    ],
)
def test_a_hostile_key_never_becomes_a_subject(key):
    with pytest.raises(ValueError, match="cannot be the key of agent_saved"):
        agent(key).subject()
    with pytest.raises(ValueError, match="cannot be the key of team_saved"):
        TeamSaved(at=NOW, team_id=key).subject()


def test_an_inbound_subject_is_read_as_it_was_made():
    assert subjects.inbound_address(subjects.inbound("email", "support")) == ("email", "support")


@pytest.mark.parametrize(
    "subject", ["", "inbound", "inbound.email", "inbound.email.a.b", "events.email.support", "a.b.c"]
)
def test_another_subject_names_no_inbox(subject):
    with pytest.raises(ValueError, match="is not inbound"):
        subjects.inbound_address(subject)


@pytest.mark.parametrize(
    ("lane", "stream", "owner"),
    [
        ("events.crm", "EVENTS_CRM", "crm"),
        ("events.delivery", "EVENTS_DELIVERY", "ingest"),
        ("events.follow_up", "EVENTS_FOLLOW_UP", "conversation"),
        ("outbound.email", "OUTBOUND_EMAIL", "conversation"),
        ("inbound.email", "INBOUND", "email"),
    ],
)
def test_a_lane_has_one_stream_and_one_owner(lane, stream, owner):
    assert (subjects.stream_of(lane), subjects.owner_of(lane)) == (stream, owner)


def test_commands_are_asked_under_their_service():
    assert subjects.command("crm", "save_account") == "commands.crm.save_account"
    assert subjects.commands_of("crm") == "commands.crm.>"


def test_the_catalogue_knows_every_message_by_one_name():
    assert {kind.NAME for kind in events().values()} >= {"message_received", "customer_replied", "command_refused"}
    assert all(subject == kind.command_subject() for subject, kind in commands().items())
    names = [kind.__name__ for kind in (*events().values(), *commands().values())]
    assert len(names) == len(set(names))


def test_every_event_is_keyed_by_a_field_of_its_own():
    for kind in events().values():
        assert kind.KEY in kind.model_fields, kind
        assert kind.model_fields[kind.KEY].is_required(), kind


def test_names_are_spelled_one_way():
    assert snake_case("CustomerReplied") == "customer_replied"
    assert Event.NAME == ""


def test_two_readers_of_one_cause_say_different_things():
    assert effect_id(A, "crm", 0) == effect_id(A, "crm", 0)
    made = [effect_id(A, "crm", 0), effect_id(A, "crm", 1), effect_id(A, "sla", 0), effect_id(B, "crm", 0)]
    assert len(set(made)) == 4


def test_a_cause_creates_the_same_object_again():
    assert object_id(A, "reply") == object_id(A, "reply", 0)
    assert len({object_id(A, "reply"), object_id(A, "reply", 1), object_id(A, "note"), object_id(B, "reply")}) == 4
