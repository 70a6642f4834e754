import json

import asyncpg
import nats
import pytest

from deskstream.contracts import schemas


async def test_migrating_is_checked_done_and_done_no_further(deskstream, database):
    assert (await deskstream("migrate", "--check")).code == 0
    connection = await asyncpg.connect(database)
    await connection.execute("DROP SCHEMA sla CASCADE")
    check = await deskstream("migrate", "--check", "--json")
    assert check.code == 1
    assert {step["schema"] for step in check.json["missing"]} == {"sla"}
    assert await connection.fetchval("SELECT to_regnamespace('sla')") is None
    assert (await deskstream("migrate", "--json")).json["applied"] == check.json["missing"]
    again = await deskstream("migrate")
    assert (again.code, again.out.strip()) == (0, "The database is up to date.")
    await connection.close()


async def test_a_migration_that_was_changed_is_told(deskstream, database):
    connection = await asyncpg.connect(database)
    await connection.execute("UPDATE crm.migrations SET sha256 = 'other'")
    await connection.close()
    said = await deskstream("migrate")
    assert said.code == 1
    assert "has changed since it was applied to schema crm" in said.err


async def test_provisioning_is_checked_done_and_done_no_further(deskstream, nats_url):
    check = await deskstream("provision", "--check", "--json")
    assert check.code == 1
    assert {change["how"] for change in check.json["checked"]} == {"created"}
    client = await nats.connect(nats_url)
    assert await client.jsm().streams_info() == []
    assert (await deskstream("provision")).code == 0
    again = await deskstream("provision", "--check")
    assert again.code == 0
    assert "as they should be" in again.out
    await client.jsm().update_stream(name="EVENTS_CRM", subjects=["events.crm.>"], max_age=60, deny_delete=True)
    differing = await deskstream("provision", "--check")
    assert differing.code == 1
    assert "stream EVENTS_CRM  would be updated" in differing.out
    await client.close()


@pytest.mark.parametrize("command", ["migrate", "provision"])
def test_servers_that_do_not_answer_are_named(nowhere, command):
    nowhere.environment |= {
        "DESKSTREAM_NATS_URL": "nats://127.0.0.1:1",
        "DESKSTREAM_POSTGRES_URL": "postgresql://desk:secret@127.0.0.1:1/desk",
    }
    said = nowhere.now(command)
    assert said.code == 1
    assert "127.0.0.1" in said.err
    assert "secret" not in said.err
    assert "Traceback" not in said.err


def test_running_an_unknown_service_names_those_there_are(nowhere):
    said = nowhere.now("run", "crm", "nobody")
    assert said.code == 2
    assert "There is no service nobody" in said.err
    assert "channel_email, conversation, crm" in said.err


def test_asyncapi_is_one_document(nowhere, tmp_path):
    document = nowhere.now("asyncapi").json
    assert document["asyncapi"] == "3.0.0"
    assert "events.conversation" in document["channels"]
    assert nowhere.now("asyncapi", "--output", tmp_path / "all.json").out == ""
    assert json.loads((tmp_path / "all.json").read_text()) == document


def test_asyncapi_into_a_folder_that_is_not_there(nowhere, tmp_path):
    said = nowhere.now("asyncapi", "-o", tmp_path / "no" / "all.json")
    assert said.code == 2
    assert "cannot be written" in said.err


def test_schemas_are_checked_and_written(nowhere, tmp_path):
    folder = tmp_path / "schemas"
    assert nowhere.now("schemas", "--folder", folder, "--check").code == 1
    assert not folder.exists()
    written = nowhere.now("schemas", "--folder", folder, "--json").json["written"]
    assert set(written) == set(schemas.schemas())
    assert nowhere.now("schemas", "--folder", folder, "--check").code == 0


def test_a_breaking_change_is_refused(nowhere, tmp_path):
    nowhere.now("schemas", "--folder", tmp_path)
    (tmp_path / "events" / "gone.json").write_text("{}")
    said = nowhere.now("schemas", "--folder", tmp_path)
    assert said.code == 1
    assert "events/gone: it is gone" in said.err
