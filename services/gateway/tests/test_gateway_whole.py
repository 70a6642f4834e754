"""The gateway as it runs: between services that say what it hears and answer what it calls."""

import asyncio
import socket
from uuid import uuid4

import httpx
import pytest

from deskstream.contracts import Refused, conversation, issues, routing, sla, ticketing
from deskstream.contracts.conversation import SendReply
from deskstream.gateway.app import SERVICE
from deskstream.messaging import Query
from deskstream.testkit.desk import desk
from deskstream.testkit.eventually import eventually
from services.gateway.tests.parrots import Say, parrot

TOKEN = "a token that only tests know"


async def reply(tx, asked: SendReply):
    if not asked.last_seen:
        raise Refused("newer_messages", "Somebody else wrote.", newer=[{"version": 1, "text": "Wait!"}])
    return {"state": "queued", "text": asked.text}


@pytest.fixture
def address(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("DESKSTREAM_GATEWAY_LISTEN", address)
    monkeypatch.setenv("DESKSTREAM_GATEWAY_TOKEN", TOKEN)
    return address


async def test_what_services_say_is_seen_and_what_is_asked_reaches_them(database, nats_url, address, story):
    others = [
        parrot("conversation", conversation.LANE, answers=[Query(SendReply, reply)]),
        parrot("routing", routing.LANE),
        parrot("sla", sla.LANE),
        parrot("ticketing", ticketing.LANE, issues.LANE),
    ]
    headers = {"Authorization": f"Bearer {TOKEN}", "X-Agent": "anna"}
    async with (
        desk([*others, SERVICE], database, nats_url) as services,
        httpx.AsyncClient(base_url=f"http://{address}", headers=headers) as client,
    ):
        stories = [story(n) for n in range(1, 21)]
        told = [heard.data for one in stories for heard in (one.owned(), one.opened(), one.started())]
        asks = [services[event.LANE[7:]].ask(Say(event), idempotency_key=str(uuid4())) for event in told]
        assert all(answer.ok for answer in await asyncio.gather(*asks))

        async def all_are_seen():
            rows = (await client.get("/api/conversations")).json()["conversations"]
            seen = {row["number"] for row in rows if row["owner"] == "anna" and row["due_at"]}
            return seen == set(range(1, 21))

        await eventually(all_are_seen)
        sent = await client.post("/api/conversations/CONV-7/replies", json={"text": "Hi", "last_seen": 1})
        assert (sent.status_code, sent.json()) == (202, {"state": "queued", "text": "Hi"})
        refused = await client.post("/api/conversations/CONV-7/replies", json={"text": "Hi", "last_seen": 0})
        assert (refused.status_code, refused.json()["details"]) == (409, {"newer": [{"version": 1, "text": "Wait!"}]})
        assert await services["gateway"].problem() is None
