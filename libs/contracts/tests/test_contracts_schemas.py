"""The checked-in JSON Schemas: what the code says, readable, complete, and only ever added to."""

import json

import pytest

from deskstream.contracts import schemas
from deskstream.contracts.catalogue import commands, events
from deskstream.contracts.definitions import event_name, references
from deskstream.contracts.schemas import DIALECT, FOLDER, BreakingChange

RUN = "the checked-in schemas differ from the code: run `make schemas` and commit what it writes"


@pytest.fixture(scope="module")
def made():
    return schemas.schemas()


def test_they_say_what_the_code_says(made):
    kept = schemas.read()
    differing = sorted(name for name in made.keys() | kept.keys() if made.get(name) != kept.get(name))
    assert not differing, f"{RUN}\n" + "\n".join([*differing, *schemas.broken(kept, made)])


def test_each_file_is_readable_and_names_its_dialect(made):
    for name in made:
        text = (FOLDER / f"{name}.json").read_text("utf-8")
        assert text == schemas.shown(json.loads(text)), name
        assert json.loads(text)["$schema"] == DIALECT


def test_every_event_and_command_has_its_file(made):
    assert {event_name(kind) for kind in events().values()} <= made.keys()
    assert {subject.replace(".", "/") for subject in commands()} <= made.keys()


def test_every_reference_leads_somewhere(made):
    for name, schema in made.items():
        for reference in references(schema):
            if reference.startswith("#/$defs/"):
                assert reference.removeprefix("#/$defs/") in schema["$defs"], (name, reference)
            else:
                assert (FOLDER / name).parent.joinpath(reference).resolve().is_file(), (name, reference)


@pytest.mark.parametrize("name", ["inbound", "outbound", "envelope", "answered"])
def test_n1_what_an_adapter_needs_is_complete_in_one_file(made, name):
    assert all(reference.startswith("#/$defs/") for reference in references(made[name]))


def test_fields_carry_what_the_code_says_about_them(made):
    properties = made["inbound"]["$defs"]["InboundMessage"]["properties"]
    assert properties["external_id"]["description"].startswith("The channel's id of this message")
    assert properties["at"]["description"].startswith("When the adapter took it")


def test_n1_a_report_must_name_its_type_and_a_sender_one_of_three(made):
    parts = made["inbound"]["$defs"]
    assert "type" in parts["DeliveryReported"]["required"]
    assert [one["required"] for one in parts["Identity"]["anyOf"]] == [["email"], ["phone"], ["external_id"]]


def test_writing_changes_only_what_differs(tmp_path, made):
    assert len(schemas.write(tmp_path)) == len(made)
    assert schemas.write(tmp_path) == []
    old = tmp_path / "values/facts/note.json"
    note = json.loads(old.read_text("utf-8"))
    del note["properties"]["mentions"]
    old.write_text(json.dumps(note))
    assert schemas.write(tmp_path) == [old]
    assert schemas.read(tmp_path) == made


def test_p18_a_breaking_change_is_not_written(tmp_path):
    schemas.write(tmp_path)
    old = tmp_path / "events/crm/account_saved.json"
    account = json.loads(old.read_text("utf-8"))
    account["properties"]["colour"] = {"type": "string"}
    old.write_text(json.dumps(account))
    with pytest.raises(BreakingChange, match="events/crm/account_saved: colour is gone") as refused:
        schemas.write(tmp_path)
    assert refused.value.changes == ["events/crm/account_saved: colour is gone"]
    assert "colour" in old.read_text("utf-8")


def test_p18_a_message_that_nobody_says_any_more_is_a_breaking_change(tmp_path):
    schemas.write(tmp_path)
    (tmp_path / "events/crm/account_sold.json").write_text("{}")
    with pytest.raises(BreakingChange, match="events/crm/account_sold: it is gone"):
        schemas.write(tmp_path)
