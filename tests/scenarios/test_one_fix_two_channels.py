"""W11, W12 over HTTP: one approval answers each customer on its own channel, once, though a service dies over it."""

import contextlib
import json

import httpx
import pytest

from deskstream.contracts.inbound import Identity, InboundMessage
from deskstream.runtime.schemas import installed_services
from deskstream.testkit.eventually import eventually
from deskstream.testkit.processes import supervised
from tests.scenarios.conftest import TOKEN, quiet

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

RUNTIME = "deskstream.runtime"
OTHERS = [name for name in installed_services() if name != "ticketing"]
SENDERS = {"email": Identity(email="ada@acme.example"), "pager": Identity(external_id="probe-3", name="Probe")}
LEFT = "SELECT lane, body::json -> 'data' AS said FROM conversation.journal WHERE lane LIKE 'outbound.%' ORDER BY id"
LANES = [(channel, f"outbound.{channel}") for channel in SENDERS]
LINK = "https://issues.example/31"


@pytest.fixture(autouse=True)
def declared(monkeypatch):
    monkeypatch.setenv("DESKSTREAM_EXTRA_CHANNELS", "pager")


class Console:
    """What an agent does by HTTP."""

    def __init__(self, client):
        self.client = client

    async def post(self, path, *, key=None, agent="anna", **body):
        headers = {"X-Agent": agent} | ({"Idempotency-Key": key} if key else {})
        return await self.client.post(path, json=body, headers=headers)

    async def done(self, path, **more):
        """What is asked until somebody answers it, as a console that comes back after an outage does."""

        async def tried():
            answer = await self.post(path, **more)
            assert answer.is_success, answer.text
            return answer.json()

        return await eventually(tried, within=60, what=path)

    async def conversation(self, channel, holds=bool):
        async def found():
            answer = await self.client.get("/api/conversations", params={"channel": channel})
            rows = answer.json().get("conversations", [])
            assert len(rows) == 1
            assert holds(rows[0]), rows[0]["stage"]
            return rows[0]

        return await eventually(found, within=60, what=f"a conversation on {channel}")


@contextlib.asynccontextmanager
async def console(ports):
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{ports['http']}", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10
    ) as client:

        async def open_door():
            with contextlib.suppress(httpx.TransportError):
                return (await client.get("/api/health")).is_success

        await eventually(open_door, within=60, what="the gateway's door")
        yield Console(client)


async def write(broker):
    for channel, sender in SENDERS.items():
        message = InboundMessage(external_id=f"{channel}-1", sender=sender, title="It crashes", text="Again.")
        body = message.model_dump_json(exclude_defaults=True).encode()
        await broker.jetstream().publish(f"inbound.{channel}.support", body)


async def left(records, count):
    async def found():
        sent = [(row["lane"], json.loads(row["said"])) for row in await records.fetch(LEFT)]
        sent = [(lane, said) for lane, said in sent if "text" in said]
        assert len(sent) >= count
        return sent

    return await eventually(found, within=60, what=f"{count} answers")


async def test_w11_one_fix_is_answered_once_on_each_channel_though_ticketing_dies(furnished, broker, records):
    async with (
        supervised(RUNTIME, *OTHERS),
        supervised(RUNTIME, "ticketing") as ticketing,
        console(furnished) as agent,
    ):
        await write(broker)
        both = {}
        for channel in SENDERS:
            name = (await agent.conversation(channel))["name"]
            opened = await agent.done(f"/api/conversations/{name}/tickets", key=f"open-{channel}", title=channel)
            both[channel] = opened["ticket"]
        linked = [one["id"] for one in both.values()]
        issue = await agent.done("/api/issues", key="file", title="Null pointer", tickets=linked, wait=True)
        path = f"/api/issues/ISS-{issue['issue']['number']}"
        await agent.done(f"{path}/accept", key="accept", agent="carla")
        await agent.done(f"{path}/move", key="move", agent="carla", stage="completed")
        for channel in SENDERS:
            await agent.conversation(channel, lambda row: row["tickets"] and row["tickets"][0]["stage"] == "open")
        text = "Good news: {ticket} is fixed."
        await agent.done(f"{path}/approve-answer", key="approve", text=text)
        ticketing.kill()
        assert await agent.done(f"{path}/approve-answer", key="approve", text=text)
        again = await agent.post(f"{path}/approve-answer", key="approve-again", text=text)
        assert (again.status_code, again.json()["code"]) == (409, "nobody_to_answer")
        sent = await left(records, 2)
        for channel in SENDERS:
            await agent.conversation(channel, lambda row: row["stage"] == "waiting_on_user")
        said = {lane: f"Good news: TKT-{both[channel]['number']} “{channel}” is fixed." for channel, lane in LANES}
        assert sorted((lane, one["text"]) for lane, one in sent) == sorted(said.items())
        await quiet(records)
        assert len(await left(records, 2)) == 2
        assert ticketing.deaths[0] == -9


async def test_w12_no_door_lets_the_name_of_a_confidential_issue_out(open_desk, broker, records):
    async with open_desk() as desk:
        agent = Console(desk.api)
        await write(broker)
        name = (await agent.conversation("email"))["name"]
        filed = await agent.done("/api/issues", title="Zephyr overflow")
        path = f"/api/issues/ISS-{filed['issue']['number']}"
        await agent.done(f"{path}/publish", link=LINK, reveals="no")
        before = await desk.reply(name, "anna", f"See {LINK} meanwhile")
        assert before.status_code == 202
        await agent.done(f"{path}/security", security="yes", reason="it is exploitable")
        note = await desk.when(name, lambda it: [e for e in it["timeline"] if e["kind"] == "note"], "a note")
        (kept,) = [entry["note"] for entry in note["timeline"] if entry["kind"] == "note"]
        assert (kept["mentions"], "was not sent" in kept["text"]) == (["anna"], True)
        number = filed["issue"]["number"]
        for text in (f"It is iss {number}.", f"https://desk.example/api/issues/ISS%2D{number}", f"Read {LINK}#c1"):
            refused = await desk.reply(name, "anna", text)
            assert (refused.status_code, refused.json()["code"]) == (409, "names_confidential_issue")
            assert "filed" in refused.json()["detail"]
        retitled = await agent.post(f"/api/conversations/{name}/title", title=f"ISS-{number}")
        assert retitled.status_code == 409
        told = await desk.reply(name, "anna", "The problem was filed.")
        assert told.status_code == 202
        assert [said["text"] for _, said in await left(records, 1)] == ["The problem was filed."]
        await agent.done(f"{path}/security", security="no", reason="it is not")

        async def forgotten():
            assert not await records.fetchval("SELECT count(*) FROM conversation.confidential_names")
            return True

        await eventually(forgotten, within=20, what="an issue that is confidential no longer")
        assert (await desk.reply(name, "anna", f"It is ISS-{number}.", confirm=True)).status_code == 202
