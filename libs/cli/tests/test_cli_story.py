import asyncio
import json
from functools import partial
from importlib.resources import files

import nats
import pytest

from deskstream.cli.services import installed
from deskstream.contracts import subjects
from deskstream.runtime.embedded.processes import free_port
from deskstream.testkit.desk import desk
from deskstream.testkit.eventually import eventually

ROUTING = files("deskstream.cli.demo") / "desk.toml"
TOKEN = "a token for this test"


@pytest.fixture
async def whole(deskstream, database, nats_url, tmp_path, monkeypatch):
    """All services of a desk, and the command that talks to it."""
    port = free_port()
    told = {
        "DESKSTREAM_THREAD_SECRET": "a secret for this test",
        "DESKSTREAM_GATEWAY_TOKEN": TOKEN,
        "DESKSTREAM_GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "DESKSTREAM_EMAIL_LISTEN": "127.0.0.1:0",
        "DESKSTREAM_EMAIL_MAILDIR": str(tmp_path / "mails"),
        "DESKSTREAM_CONVERSATION_UNDO_SECONDS": "0",
    }
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    deskstream.environment |= {"DESKSTREAM_API_URL": f"http://127.0.0.1:{port}", "DESKSTREAM_GATEWAY_TOKEN": TOKEN}
    async with desk(installed(), database, nats_url) as services:
        deskstream.services = services
        yield deskstream


async def arrive(nats_url, identity, title, text="Please help.", sender="ada@acme.example"):
    client = await nats.connect(nats_url)
    body = {"external_id": identity, "sender": {"email": sender, "name": "Ada"}, "title": title, "text": text}
    await client.jetstream().publish(subjects.inbound("email", "support"), json.dumps(body).encode())
    await client.close()


@pytest.mark.slow
async def test_a_desk_is_furnished_used_and_explained_by_commands(whole, nats_url):
    assert (await whole("routing", "apply", str(ROUTING))).code == 0
    agents = (await whole("routing", "agents", "--json")).json["agents"]
    assert "anna" in {agent["id"] for agent in agents}
    assert "Billing" in (await whole("routing", "rules")).out

    await arrive(nats_url, "1@acme.example", "Invoice 4711 \x1b[31m is wrong")
    await eventually(partial(with_owner, whole), within=20)
    shown = await whole("conversations")
    assert "CONV-1" in shown.out
    assert "\x1b" not in shown.out

    why = await whole("why", "conv-1", "--agent", "bruno")
    for part in ("anna", "keyword_rule:Billing", "✔", "First response: running", "bruno was"):
        assert part in why.out
    assert set((await whole("why", "1", "--json")).json) == {"conversation", "owner", "clocks"}

    sent = await whole("reply", "CONV-1", "We look into it.", "--as", "anna", "--json")
    assert sent.code == 0
    assert sent.json["reply"]["text"] == "We look into it."
    await eventually(partial(in_stage, whole, "waiting_on_user"), within=20)

    tail = await whole("tail", "--since", "beginning", "--key", "CONV-1", "--until-idle", "0.5")
    for event in ("message_received", "sender_identified", "conversation_opened", "owner_chosen", "agent_replied"):
        assert event in tail.out
    assert all("CONV-1" in line or line.split()[1].startswith(("ingest/", "crm/")) for line in tail.lines)

    doctor = await whole("doctor")
    assert doctor.code == 0, doctor.out


async def with_owner(whole):
    found = (await whole("conversations", "--json")).json["conversations"]
    return found and found[0]["owner"] == "anna" and found[0]["clocks"] and found[0]


async def in_stage(whole, stage):
    return (await whole("conversations", "--stage", stage, "--json")).json["conversations"]


@pytest.mark.slow
async def test_what_can_go_wrong_with_a_desk_is_told_in_sentences(whole, nats_url):
    await arrive(nats_url, "1@acme.example", "Hello")
    await eventually(partial(in_stage, whole, "new"), within=20)
    for arguments, code, told in (
        (["why", "CONV-99"], 1, "There is no conversation"),
        (["reply", "CONV-99", "x", "--as", "anna"], 1, "There is no such conversation"),
        (["reply", "CONV-1", "  ", "--as", "anna"], 2, "nothing to send"),
        (["reply", "CONV-1", "x", "--as", "Not A Handle"], 1, "X-Agent"),
        (["reply", "CONV-1", "x", "--as", "anna", "--last-seen", "99"], 1, ""),
        (["conversations", "--stage", "nonsense"], 1, "'new'"),
        (["conversations", "--sort", "shoe size"], 1, "urgency"),
        (["routing", "apply", "none.toml"], 2, "none.toml cannot be read"),
    ):
        said = await whole(*arguments)
        assert (said.code, told in said.err, said.out) == (code, True, ""), (arguments, said)


@pytest.mark.slow
async def test_c16_an_answer_to_what_is_no_longer_the_last_word_is_held_back(whole, nats_url):
    await arrive(nats_url, "1@acme.example", "Hello")
    await eventually(partial(in_stage, whole, "new"), within=20)
    (before,) = await in_stage(whole, "new")
    first = await whole("reply", "CONV-1", "I answer first.", "--as", "bruno")
    assert first.code == 0
    await eventually(partial(in_stage, whole, "waiting_on_user"), within=20)
    held = await whole("reply", "CONV-1", "Me too", "--as", "anna", "--last-seen", before["version"])
    assert held.code == 1
    assert "I answer first." in held.out
    confirmed = await whole("reply", "CONV-1", "Me too", "--as", "anna", "--last-seen", before["version"], "--confirm")
    assert confirmed.code == 0


def test_a_token_that_is_wrong(nowhere):
    nowhere.environment |= {"DESKSTREAM_API_URL": "http://127.0.0.1:1"}
    assert "DESKSTREAM_GATEWAY_TOKEN" in nowhere.now("conversations").err
    nowhere.environment |= {"DESKSTREAM_GATEWAY_TOKEN": "x"}
    assert "http://127.0.0.1:1 cannot be reached" in nowhere.now("conversations").err


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        pytest.param(200, b"<html>", "not as a desk does", id="somebody else's server"),
        pytest.param(200, b"[]", "not as a desk does", id="another shape"),
        pytest.param(401, b"{}", "does not know this token", id="a wrong token"),
        pytest.param(503, b'{"detail": "Try again."}', "Try again.", id="a problem in its own words"),
        pytest.param(500, b"{}", "Internal Server Error", id="a problem without words"),
    ],
)
async def test_answers_of_the_api(nowhere, status, body, told):
    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        reason = "Internal Server Error" if status == 500 else "X"
        writer.write(f"HTTP/1.1 {status} {reason}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    nowhere.environment |= {"DESKSTREAM_API_URL": f"http://127.0.0.1:{port}", "DESKSTREAM_GATEWAY_TOKEN": TOKEN}
    said = await nowhere("conversations")
    server.close()
    assert said.code == 1
    assert told in said.err
