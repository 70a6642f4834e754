"""GET /api/conversations/{conversation}: everything about one conversation."""

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from deskstream.contracts.conversation import (
    AgentReplied,
    ConversationArchived,
    ConversationResolved,
    CustomerReplied,
    DeliveryChanged,
    NoteAdded,
    ParticipantAdded,
    PriorityChanged,
    PutOnHold,
    ReplyQueued,
    TitleChanged,
)
from deskstream.contracts.conversation_tickets import TicketSuggestionDismissed
from deskstream.contracts.facts import Note, Participant, Priority, Reply, Stage, Wait
from deskstream.contracts.inbound import Identity
from deskstream.contracts.routing import Candidate, Cause, DecisionRecord, StepTried
from deskstream.contracts.sla import Metric


def a_reply(one):
    return Reply(
        id=uuid4(), author="anna", text="On its way.", written_at=one.at, release_at=one.at + timedelta(seconds=10)
    )


RECORD = DecisionRecord(
    inputs={"channel": "email"},
    steps=(StepTried(name="keyword_rule:Billing", matched=True, why="the title has “invoice”"),),
    candidates=(Candidate(agent="bruno", chosen=False, why="the rule names anna"),),
)


async def test_everything_about_it(hear, story, api):
    one = story(12)
    reply = a_reply(one)
    await hear(
        one.opened(),
        one.owned("anna", record=RECORD),
        one.started(),
        one.later(minutes=3).say(NoteAdded, actor="bruno", note=Note(id=uuid4(), author="bruno", text="VIP")),
        one.later(minutes=2).say(ReplyQueued, actor="anna", reply=reply),
        one.later(seconds=10).say(AgentReplied, now={"stage": Stage.WAITING_ON_USER}, reply=reply),
        one.say(DeliveryChanged, reply_id=reply.id, state="delivered"),
        one.stopped(),
        one.later(minutes=9).say(CustomerReplied, now={"stage": Stage.NEEDS_RESPONSE}, message=one.message("Thanks!")),
        one.started(Metric.NEXT_RESPONSE, 60),
    )
    answer = await api.get("/api/conversations/CONV-12")
    shown = answer.json()
    assert answer.headers["etag"] == f'"{shown["version"]}"' == '"6"'
    assert (shown["name"], shown["button"], shown["can_reply"]) == ("CONV-12", "Reply", True)
    assert [entry["kind"] for entry in shown["timeline"]] == [
        "message", "decision", "clock", "note", "reply", "clock", "message", "clock",
    ]  # fmt: skip
    assert shown["timeline"][0]["message"]["text"] == "Where is my order?"
    assert shown["timeline"][3]["note"]["text"] == "VIP"
    assert shown["timeline"][4]["delivery"] | {"at": ""} == {
        "state": "delivered", "at": "", "undo_until": None, "reason": None, "permanent": False, "can_retry": False,
    }  # fmt: skip
    assert [(clock["metric"], clock["outcome"]) for clock in shown["clocks"]] == [
        ("first_response", "met"),
        ("next_response", None),
    ]
    assert shown["due_at"] == shown["clocks"][1]["due_at"]
    assert shown["earlier"] is None


async def test_why_this_owner(hear, story, api):
    one = story(1)
    await hear(one.opened(), one.owned("anna", record=RECORD))
    await hear(one.later(minutes=1).owned("bruno", previous="anna", cause=Cause.HANDED_OVER, handoff=True, handoffs=1))
    shown = (await api.get("/api/conversations/CONV-1")).json()
    assert [(decision["owner"], decision["cause"]) for decision in shown["decisions"]] == [
        ("bruno", "handed_over"),
        ("anna", "keyword_rule"),
    ]
    assert shown["decisions"][1]["record"]["candidates"] == [
        {"agent": "bruno", "chosen": False, "why": "the rule names anna"}
    ]
    assert shown["assignment"]["handoffs"] == 1


async def test_who_takes_part(hear, story, api):
    one = story(1)
    dora, eve = Identity(email="dora@customer.example"), Identity(email="eve@evil.example")
    await hear(
        one.opened(),
        one.say(ParticipantAdded, participant=Participant(identity=dora, side="customer", added_by="anna")),
        one.say(CustomerReplied, message=one.message(sender=eve), by="stranger"),
    )
    shown = (await api.get("/api/conversations/CONV-1")).json()
    found = [(person["identity"]["email"], person["verified"]) for person in shown["participants"]]
    assert found == [("carla1@customer.example", True), ("dora@customer.example", True), ("eve@evil.example", False)]
    assert shown["timeline"][-1]["details"] == {"by": "stranger"}


@pytest.mark.parametrize(
    ("kind", "now", "said", "details"),
    [
        pytest.param(TitleChanged, {"title": "New"}, {}, {"after": {"title": "New"}}, id="C4: the new title"),
        pytest.param(
            PriorityChanged,
            {"priority": Priority.HIGH},
            {"before": Priority.LOW},
            {"before": "low", "after": {"priority": "high"}},
            id="R2: the priority before and after",
        ),
        pytest.param(
            PutOnHold,
            {"stage": Stage.HOLD, "waits": (Wait(kind="ticket", name="TKT-7"),)},
            {"reason": "engineering"},
            {"reason": "engineering", "after": {"waits": [{"kind": "ticket", "name": "TKT-7"}]}},
            id="C8: what it waits for",
        ),
        pytest.param(
            ConversationResolved, {"stage": Stage.RESOLVED}, {"category": "answered"}, {"category": "answered"},
            id="C8: the category",
        ),
    ],
)  # fmt: skip
async def test_a_change_says_what_it_changed(hear, story, api, kind, now, said, details):
    one = story(1)
    await hear(one.opened(), one.say(kind, actor="anna", now=now, **said))
    entry = (await api.get("/api/conversations/CONV-1")).json()["timeline"][-1]
    assert entry["details"] == details
    assert (entry["kind"], entry["actor"]) == ("change", "anna")
    assert (entry["stage_before"], entry["stage"]) == ("new", now.get("stage", "new"))


async def test_a_long_one_is_read_page_by_page_and_each_reply_knows_what_became_of_it(hear, story, api):
    one = story(1)
    replies = [a_reply(one) for _ in range(3)]
    told = [one.opened()]
    for reply in replies:
        told += [
            one.later(minutes=1).say(ReplyQueued, reply=reply),
            one.say(AgentReplied, reply=reply),
            one.say(CustomerReplied, message=one.message("And?")),
        ]
    told += [one.later(minutes=1).say(DeliveryChanged, reply_id=reply.id, state="sent") for reply in replies]
    await hear(*told)
    entries: list[dict[str, Any]] = []
    before = None
    while True:
        query = {"limit": 4} | ({"before": before} if before else {})
        page = (await api.get(f"/api/conversations/{one.id}", params=query)).json()
        entries = page["timeline"] + entries
        before = page["earlier"]
        if before is None:
            break
    messages = [entry for entry in entries if entry["kind"] == "message"]
    # A reply stands where it was queued; on a page that begins between the two, also where it was released.
    delivered = {entry["reply"]["id"]: entry["delivery"]["state"] for entry in entries if entry["kind"] == "reply"}
    assert len(messages) == 4
    assert delivered == {str(reply.id): "sent" for reply in replies}


@pytest.mark.parametrize(
    "named",
    [
        pytest.param("CONV-99999999999999999999999", id="a number that nothing can have"),
        pytest.param("CONV-0x1", id="no number"),
        pytest.param("nonsense", id="nothing"),
        pytest.param("%00", id="a NUL"),
        pytest.param("..%2f..%2fetc%2fpasswd", id="a path"),
    ],
)
async def test_what_cannot_be_is_404(door, named):
    answer = await door.get(f"/api/conversations/{named}")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_what_is_not_there_is_404_the_same(hear, story, api):
    await hear(story(1).opened())
    answers = [await api.get(f"/api/conversations/{named}") for named in ("CONV-2", uuid4())]
    assert [answer.json()["code"] for answer in answers] == ["unknown_conversation"] * 2


async def test_what_only_routing_knows_is_not_there_yet(hear, story, api):
    one = story(1)
    await hear(one.owned())
    assert (await api.get(f"/api/conversations/{one.id}")).status_code == 404


@pytest.mark.parametrize("query", ["before=0", "before=x", "limit=1001", "limit=0", "page=2"])
async def test_a_wrong_question_is_400(door, query):
    assert (await door.get(f"/api/conversations/CONV-1?{query}")).status_code == 400


@pytest.mark.parametrize(
    ("at", "gone", "suggests"),
    [
        pytest.param(timedelta(minutes=5), None, True, id="C7: its time has come"),
        pytest.param(timedelta(days=36500), None, False, id="C7: not before its time"),
        pytest.param(timedelta(minutes=5), TicketSuggestionDismissed, False, id="C7: gone once somebody dismissed it"),
        pytest.param(timedelta(minutes=5), ConversationArchived, False, id="C7: gone when it closes"),
    ],
)
async def test_a_suggested_ticket_on_row_page_and_stream(api, hear, story, pool, at, gone, suggests):
    one = story(1)
    moment_of = one.at + at
    await hear(one.opened(suggests_ticket_at=moment_of))
    if gone:
        await hear(one.say(gone, now={"suggests_ticket_at": None}))
    (row,) = (await api.get("/api/conversations")).json()["conversations"]
    page = (await api.get("/api/conversations/CONV-1")).json()
    assert (row["suggests_ticket"], page["suggests_ticket"]) == (suggests, suggests)
    told = [json.loads(line["summary"]) for line in await pool.fetch("SELECT summary FROM feed ORDER BY id")]
    expected = [moment_of.isoformat(), None] if gone else [moment_of.isoformat()]
    assert [summary.get("suggests_ticket_at") for summary in told] == expected
