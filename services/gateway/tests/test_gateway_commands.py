"""POST: commands reach the service that owns the rule, and every answer of it has its status."""

import json
from uuid import uuid4

import pytest

from deskstream.contracts import Answered, Problem
from deskstream.contracts.conversation import ConversationCommand, SendReply, StartConversation
from deskstream.contracts.routing import Claim, NextUp
from deskstream.contracts.sla import ExplainClocks
from deskstream.gateway.api.commands import OFFERS

ID = uuid4()
PATH = f"/api/conversations/{ID}"
REPLY = {"text": "On its way.", "last_seen": 3}


async def test_a_reply_goes_to_the_conversation_as_its_author(door, unread):
    answer = await door.post(
        f"{PATH}/replies", json=REPLY | {"confirm": True, "signal": True}, headers={"Idempotency-Key": "k-1"}
    )
    assert (answer.status_code, answer.json()) == (202, {"state": "queued"})
    wanted = SendReply(conversation_id=ID, text="On its way.", last_seen=3, confirm=True, signal=True)
    assert unread.calls == [(wanted, "anna:k-1", "anna")]


async def test_a_conversation_can_be_named_by_its_number(api, service, hear, story):
    one = story(12)
    await hear(one.opened())
    assert (await api.post("/api/conversations/conv-12/archive")).status_code == 200
    assert service.calls[0][0].conversation_id == one.id
    assert (await api.post("/api/conversations/CONV-13/archive")).status_code == 404


async def test_p12_the_same_key_is_passed_on_and_another_agents_is_another(door, unread):
    for agent in ("anna", "anna", "bruno"):
        await door.post(f"{PATH}/replies", json=REPLY, headers={"Idempotency-Key": "k-1", "X-Agent": agent})
    assert [key for _, key, _ in unread.calls] == ["anna:k-1", "anna:k-1", "bruno:k-1"]


async def test_p12_without_a_key_every_request_is_its_own(door, unread):
    for _ in range(2):
        await door.post(f"{PATH}/replies", json=REPLY)
    assert len({key for _, key, _ in unread.calls}) == 2


@pytest.mark.parametrize("key", ["", "a b", "a" * 129, "schlüssel".encode()])
async def test_a_key_that_cannot_be_one_is_400(door, unread, key):
    answer = await door.post(f"{PATH}/replies", json=REPLY, headers={"Idempotency-Key": key})
    assert (answer.status_code, unread.calls) == (400, [])


BODIES = {
    "start_conversation": {"contact": {"email": "c@customer.example"}, "title": "Hello", "text": "Hi"},
    "next_up": {},
    "send_reply": REPLY,
    "undo_reply": {"reply_id": str(ID)},
    "retry_reply": {"reply_id": str(ID)},
    "add_note": {"text": "VIP"},
    "set_title": {"title": "Where is it"},
    "add_participant": {"identity": {"email": "d@customer.example"}, "side": "customer"},
    "change_tags": {"add": {"vip": ""}, "remove": ["old"]},
    "set_priority": {"priority": "high"},
    "share": {"agent": "paula"},
    "snooze": {"until": "2030-01-01T09:00:00Z", "reason": "holidays"},
    "end_snooze": {},
    "hold": {"waits": [{"kind": "ticket", "name": "TKT-7"}]},
    "end_wait": {"name": "TKT-7", "how": "dropped", "reason": "not needed"},
    "resolve": {"category": "answered"},
    "archive": {},
    "review": {"verdict": "valid"},
    "claim": {},
    "hand_over": {"to": "bruno", "reason": "knows it"},
    "prefill_ticket": {"messages": [str(ID)]},
    "dismiss_ticket_suggestion": {},
}


@pytest.mark.parametrize("offer", OFFERS, ids=lambda offer: offer.path)
async def test_every_command_is_offered(door, unread, offer):
    answer = await door.post(offer.path.replace("{conversation}", str(ID)), json=BODIES[offer.kind.NAME])
    assert answer.status_code == offer.status, answer.text
    [(command, _, actor)] = unread.calls
    assert (type(command), actor) == (offer.kind, "anna")


def test_every_command_of_a_conversation_is_in_the_table():
    offered = {offer.kind for offer in OFFERS}
    assert {*ConversationCommand.__subclasses__(), StartConversation} <= offered


@pytest.mark.parametrize(
    ("path", "command"),
    [
        pytest.param("/api/next-up", NextUp(agent="anna"), id="R9: next up is for oneself"),
        pytest.param(f"{PATH}/claim", Claim(conversation_id=ID, agent="anna"), id="R5: one claims for oneself"),
    ],
)
async def test_who_asks_is_the_agent(door, unread, path, command):
    await door.post(path)
    assert unread.calls[0][0] == command
    assert (await door.post(path, json={"agent": "bruno"})).status_code == 422


async def test_s8_why_is_this_due_then(door, unread):
    unread.answer = lambda command: Answered(ok=True, result={"clocks": []})
    answer = await door.get(f"{PATH}/clocks")
    assert (answer.status_code, answer.json()) == (200, {"clocks": []})
    assert unread.calls == [(ExplainClocks(conversation_id=ID), None, "anna")]


def refusing(code, **details):
    return lambda command: Answered(ok=False, error=Problem(code=code, sentence="No.", details=details))


@pytest.mark.parametrize(
    ("code", "status"),
    [
        pytest.param("newer_messages", 409, id="C16: somebody else wrote"),
        pytest.param("conversation_is_archived", 409, id="C8: not in this stage"),
        pytest.param("conversation_not_found", 404, id="no such conversation"),
        pytest.param("text_is_empty", 422, id="what can never be"),
        pytest.param("idempotency_key_reused", 422, id="P12: the same key with another body"),
        pytest.param("too_many_replies_queued", 429, id="P10: too many at once"),
        pytest.param("unavailable", 503, id="the service is unwell"),
        pytest.param("internal_error", 500, id="the service failed"),
        pytest.param("a_rule_that_is_new_to_us", 409, id="a rule that nobody listed"),
    ],
)
async def test_every_refusal_has_its_status(door, unread, code, status):
    unread.answer = refusing(code, newer=[{"version": 4, "text": "Wait!"}])
    answer = await door.post(f"{PATH}/replies", json=REPLY)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": f"urn:deskstream:problem:{code}",
        "title": answer.json()["title"],
        "status": status,
        "code": code,
        "detail": "No.",
        "details": {"newer": [{"version": 4, "text": "Wait!"}]},
    }
    assert ("retry-after" in answer.headers) == (status in (429, 503))


async def test_nobody_answers_in_time(door, unread):
    def late(command):
        raise TimeoutError("commands.conversation.send_reply was not answered within 5 s")

    unread.answer = late
    answer = await door.post(f"{PATH}/replies", json=REPLY)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) >= 1


async def test_a_database_that_is_away_is_503(api, pool):
    await pool.close()
    answer = await api.get("/api/conversations")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


def deep(levels):
    return b'{"a":' * levels + b"1" + b"}" * levels


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"text=hi", 400, id="no JSON"),
        pytest.param(b"", 422, id="nothing"),
        pytest.param(b"[]", 400, id="no object"),
        pytest.param(b"null", 400, id="null"),
        pytest.param(b'{"text": "a", "text": "b", "last_seen": 1}', 400, id="a key twice"),
        pytest.param(b'{"text": "a", "last_seen": NaN}', 400, id="NaN"),
        pytest.param(b'{"text": "a", "last_seen": -Infinity}', 400, id="infinity"),
        pytest.param(b'{"text": "a", "last_seen": 1e999}', 400, id="a float beyond floats"),
        pytest.param(b'{"text": "a", "last_seen": ' + b"9" * 5000 + b"}", 400, id="5,000 digits"),
        pytest.param(b'{"text": "a", "last_seen": 9223372036854775808}', 400, id="over 64 bits"),
        pytest.param(deep(33), 400, id="33 levels"),
        pytest.param(deep(10_000), 400, id="10,000 levels"),
        pytest.param(b'{"text": ' + b"[" * 500_000 + b"}", 400, id="half a million brackets"),
        pytest.param(b'{"text": "a\\u0000b", "last_seen": 1}', 400, id="a NUL"),
        pytest.param(b'{"text": "\\ud800", "last_seen": 1}', 400, id="half a surrogate pair"),
        pytest.param(b'{"text": "a", "last_seen": 1, "\\u0000": 1}', 400, id="a NUL in a key"),
        pytest.param(b'{"text": "\xff", "last_seen": 1}', 400, id="no UTF-8"),
        pytest.param(b'\xef\xbb\xbf{"text": "a", "last_seen": 1}', 400, id="a byte order mark"),
        pytest.param(b'{"text": "a"}', 422, id="a field missing"),
        pytest.param(b'{"text": "", "last_seen": 1}', 422, id="an empty text"),
        pytest.param(b'{"text": "a", "last_seen": -1}', 422, id="a version before the first"),
        pytest.param(b'{"text": 7, "last_seen": 1}', 422, id="a number for a text"),
        pytest.param(b'{"text": "a", "last_seen": 1, "bcc": "e@evil.example"}', 422, id="an unknown field"),
        pytest.param(b'{"text": "a", "last_seen": 1, "conversation_id": "%s"}' % str(ID).encode(), 422, id="its id"),
        pytest.param(
            b'{"text": "a", "last_seen": 1, "attachments": [{"name": "a", "size": 1, "path": "/etc"}]}',
            422,
            id="an unknown field further in",
        ),
        pytest.param(json.dumps({"text": "a" * 32769, "last_seen": 1}).encode(), 422, id="a text over its limit"),
        pytest.param(json.dumps({"text": "\x01" * 32768, "last_seen": 1}).encode(), 413, id="over 64 KiB as a message"),
        pytest.param(b'{"text": "' + b"a" * 1024 * 1024 + b'"}', 413, id="over 1 MiB"),
    ],
)
async def test_hostile_bodies(door, unread, body, status):
    answer = await door.post(f"{PATH}/replies", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert unread.calls == []


async def test_an_endless_body_is_cut_off(door):
    async def endless():
        while True:
            yield b"a" * 65536

    answer = await door.post(f"{PATH}/notes", content=endless(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


async def test_only_json_is_read(door):
    for media_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        answer = await door.post(f"{PATH}/notes", content=b'{"text": "a"}', headers={"Content-Type": media_type})
        assert answer.status_code == 415


async def test_32_levels_are_fine_and_refused_for_what_they_say(door):
    answer = await door.post(f"{PATH}/notes", content=deep(32), headers={"Content-Type": "application/json"})
    assert answer.status_code == 422


async def test_what_was_sent_is_not_sent_back(door):
    answer = await door.post(f"{PATH}/replies", json={"text": {"card": "4111 1111"}, "last_seen": 1})
    assert answer.status_code == 422
    assert "4111" not in answer.text
