"""Who gets in, what every answer carries, and what the API says of itself."""

import asyncio
import re

import pytest
from pydantic import ValidationError
from starlette.requests import Request
from starlette.types import Message

from deskstream.contracts.catalogue import commands
from deskstream.gateway.api.documents import document
from deskstream.gateway.api.problems import HttpProblem
from deskstream.gateway.app import SERVICE, build
from deskstream.gateway.config import Settings
from deskstream.messaging import Project

TOKEN = "a token that only tests know"


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param(None, id="nothing"),
        pytest.param("", id="an empty header"),
        pytest.param("Bearer", id="no token"),
        pytest.param("Bearer ", id="an empty token"),
        pytest.param(f"Bearer {TOKEN[:-1]}", id="all but the last letter"),
        pytest.param(f"Bearer {TOKEN} ", id="more than the token"),
        pytest.param(f"Basic {TOKEN}", id="another scheme"),
        pytest.param(TOKEN, id="no scheme"),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/conversations"),
        ("GET", "/api/conversations/CONV-1"),
        ("GET", "/api/conversations/CONV-1/clocks"),
        ("POST", "/api/conversations/CONV-1/replies"),
        ("POST", "/api/conversations"),
        ("POST", "/api/next-up"),
        ("GET", "/api/events"),
    ],
)
async def test_without_the_token_nothing_is_answered(door, unread, method, path, shown):
    del door.headers["authorization"]
    answer = await door.request(method, path, headers={} if shown is None else {"Authorization": shown})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert unread.calls == []


async def test_a_stranger_learns_nothing_from_a_bad_body(door):
    answer = await door.post("/api/next-up", content=b"{", headers={"Authorization": "Bearer no"})
    assert answer.status_code == 401


@pytest.mark.parametrize("agent", ["Anna", "a" * 65, "anna;drop", "../anna", "anna\tb", "änna".encode()])
async def test_an_agent_nobody_can_be_is_400(door, agent):
    answer = await door.post("/api/next-up", headers={"X-Agent": agent})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_agent")


async def test_a_command_needs_an_author_and_reading_none(api):
    del api.headers["x-agent"]
    assert (await api.post("/api/next-up")).json()["code"] == "agent_missing"
    assert (await api.get("/api/conversations")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/docs", 404),
        ("GET", "/redoc", 404),
        ("DELETE", "/api/conversations", 405),
        ("POST", "/api/conversations/CONV-1/explode", 404),
        ("GET", "/api/conversations/", 404),
    ],
)
async def test_what_is_not_offered_is_a_problem_too(door, method, path, status):
    answer = await door.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["status"] == status


async def test_a_failure_of_ours_says_so_and_no_more(door):
    answer = await door.get("/api/conversations")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "NoneType" not in answer.text


async def test_answers_are_for_nobody_elses_eyes(api):
    headers = (await api.get("/api/conversations")).headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in headers["content-security-policy"]


async def test_health_is_asked_without_a_token_and_answers_for_the_database(api, pool):
    del api.headers["authorization"]
    assert (await api.get("/api/health")).json() == {"status": "pass"}
    await pool.close()
    assert (await api.get("/api/health")).status_code == 503


async def test_the_openapi_document_describes_everything_and_loads_nothing(door):
    document = (await door.get("/api/openapi.json")).json()
    paths = document["paths"]
    assert {"/api/conversations", "/api/conversations/{conversation}", "/api/events", "/api/health"} <= paths.keys()
    reply = paths["/api/conversations/{conversation}/replies"]["post"]["requestBody"]["content"]["application/json"]
    named = reply["schema"]["$ref"].rpartition("/")[2]
    schema = document["components"]["schemas"][named]
    assert {"text", "last_seen", "confirm", "signal", "asks_solved"} <= schema["properties"].keys()
    assert "conversation_id" not in schema["properties"]
    assert schema["additionalProperties"] is False
    references = set(re.findall(r'"#/components/schemas/(\w+)"', (await door.get("/api/openapi.json")).text))
    assert references <= document["components"]["schemas"].keys()


@pytest.mark.parametrize(
    "told",
    [
        pytest.param({}, id="no token: it has no default"),
        pytest.param({"token": "short"}, id="a token that can be guessed"),
        pytest.param({"token": TOKEN, "listen": "8080"}, id="no host"),
        pytest.param({"token": TOKEN, "listen": "0.0.0.0:99999"}, id="no port"),
        pytest.param({"token": TOKEN, "feed_every": 0}, id="a feed read without a pause"),
    ],
)
def test_settings_that_cannot_be(told, monkeypatch):
    monkeypatch.delenv("DESKSTREAM_GATEWAY_TOKEN", raising=False)
    with pytest.raises(ValidationError):
        Settings(**told)


def test_the_token_is_not_printed():
    assert TOKEN not in repr(Settings(token=TOKEN))


def test_the_declaration_holds_what_build_returns():
    service = build(Settings(token=TOKEN))
    kinds = [kind for heard in service.hears if isinstance(heard, Project) for kind in heard.kinds]
    assert {kind.LANE for kind in kinds} == set(SERVICE.hears)
    assert set(SERVICE.calls) <= set(commands().values())
    assert SERVICE.exclusive


async def test_every_route_but_health_asks_who_calls(door):
    document = (await door.get("/api/openapi.json")).json()
    open_to_all = {
        path
        for path, operations in document["paths"].items()
        for operation in operations.values()
        if not operation.get("security")
    }
    assert open_to_all == {"/api/health"}


async def test_p10_a_body_that_trickles_takes_nobody_s_place_for_long():
    async def never() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(HttpProblem) as refused:
        await document(Request({"type": "http", "method": "POST", "headers": []}, never), within=0.01)
    assert (refused.value.status, refused.value.code) == (408, "too_slow")
