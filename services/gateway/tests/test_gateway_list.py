"""GET /api/conversations: what it shows, narrows down to, refuses; page after page; and what it costs."""

import json
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from deskstream.contracts.conversation import ConversationSnoozed, CustomerReplied, SnoozeEnded, TagsChanged
from deskstream.contracts.facts import Kind, Priority, SnoozeFacts, Stage
from deskstream.gateway.store.lists import STATEMENTS, Filters, Sort
from deskstream.gateway.store.reading import moment


@pytest.fixture
def names(api):
    async def names(**query):
        answer = await api.get("/api/conversations", params=query)
        assert answer.status_code == 200, answer.text
        return {row["name"] for row in answer.json()["conversations"]}

    return names


@pytest.fixture
def desk(hear, story, account):
    """Six conversations, each different in what the list can be narrowed to."""

    async def desk():
        acme = account("Acme")
        one, two, three = story(1), story(2, channel="chat", account=acme), story(3, inbox="feedback")
        four, five, six = story(4, kind=Kind.AGENT), story(5), story(6)
        await hear(
            one.opened(),
            one.owned("anna"),
            two.opened(stage=Stage.NEEDS_RESPONSE),
            two.owned("bruno"),
            three.opened(stage=Stage.RESOLVED, oldest_unanswered_at=None),
            three.owned(None),
            four.opened(stage=Stage.WAITING_ON_USER),
            four.owned("anna", Priority.URGENT),
            five.opened(stage=Stage.SUSPENDED),
            six.opened(),
            six.say(
                ConversationSnoozed,
                now={"snooze": SnoozeFacts(until=six.at + timedelta(days=3650), reason="next year")},
                snooze=SnoozeFacts(reason="next year"),
            ),
        )
        return acme

    return desk


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param({}, {1, 2, 3, 4}, id="C8, C13: all but suspended and snoozed"),
        pytest.param({"stage": "suspended"}, {5}, id="C8: suspended when asked for"),
        pytest.param({"snoozed": "true"}, {6}, id="C13: the snoozed when asked for"),
        pytest.param({"stage": "new"}, {1}, id="one stage"),
        pytest.param({"stage": ["new", "needs_response", "suspended"]}, {1, 2, 5}, id="several stages"),
        pytest.param({"owner": "anna"}, {1, 4}, id="an owner"),
        pytest.param({"owner": "nobody-there"}, set(), id="an owner of nothing"),
        pytest.param({"unowned": "true"}, {3}, id="nobody's"),
        pytest.param({"channel": "chat"}, {2}, id="C1: a channel"),
        pytest.param({"inbox": "feedback"}, {3}, id="R13: an inbox"),
        pytest.param({"kind": "agent"}, {4}, id="C2: who started it"),
        pytest.param({"priority": "urgent"}, {4}, id="R2: a priority"),
        pytest.param({"owner": "anna", "priority": "urgent", "stage": "waiting_on_user"}, {4}, id="all at once"),
    ],
)
async def test_filters(desk, names, query, expected):
    await desk()
    assert await names(**query) == {f"CONV-{number}" for number in expected}


async def test_an_account(desk, names):
    acme = await desk()
    assert await names(account=str(acme.id)) == {"CONV-2"}
    assert await names(account=str(uuid4())) == set()


@pytest.mark.parametrize(
    ("snooze", "ended", "hidden"),
    [
        pytest.param({"until": timedelta(days=3650)}, None, True, id="C13: hidden until then"),
        pytest.param({"until": timedelta(days=-3650)}, None, False, id="C13: back when the time has come, told or not"),
        pytest.param({"until_reply": True}, None, True, id="C13: hidden until a reply"),
        pytest.param({"until_reply": True}, "reply", False, id="C13: back with the reply"),
    ],
)
async def test_snoozed(hear, story, names, snooze, ended, hidden):
    one = story(1)
    until = one.at + snooze["until"] if "until" in snooze else None
    facts = SnoozeFacts(until=until, until_reply=snooze.get("until_reply", False), reason="later")
    await hear(one.opened(), one.say(ConversationSnoozed, now={"snooze": facts}, snooze=facts))
    if ended:
        await hear(one.say(SnoozeEnded, now={"snooze": None}, why=ended))
    assert await names() == (set() if hidden else {"CONV-1"})


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("stage=open", id="a stage that is none"),
        pytest.param("colour=red", id="an unknown filter"),
        pytest.param("sort=title;drop table inbox", id="an unknown order"),
        pytest.param("limit=201", id="a page over the limit"),
        pytest.param("limit=1000000", id="a page of a million"),
        pytest.param("limit=0", id="an empty page"),
        pytest.param("limit=many", id="no number"),
        pytest.param("owner=anna' OR 1=1 --", id="an owner nobody can be"),
        pytest.param("owner=%00", id="a NUL"),
        pytest.param("owner=anna&unowned=true", id="somebody's and nobody's"),
        pytest.param("channel=E-Mail", id="a channel that cannot be"),
        pytest.param("account=acme", id="an account without id"),
        pytest.param("cursor=", id="an empty cursor"),
        pytest.param("cursor=AAAA", id="a made-up cursor"),
        pytest.param("cursor=%F0%9F%98%80", id="a cursor that is no base64"),
        pytest.param("cursor=" + "A" * 501, id="an endless cursor"),
    ],
)
async def test_what_is_not_on_the_list_is_400(door, query):
    answer = await door.get(f"/api/conversations?{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 400


async def test_a_cursor_fits_its_own_list_only(hear, story, api):
    await hear(*(story(n).opened() for n in range(3)))
    first = (await api.get("/api/conversations", params={"limit": 1})).json()
    cursor = first["next"]
    tampered = cursor[:-1] + ("A" if cursor[-1] != "A" else "B")
    for query in (
        {"cursor": tampered},
        {"cursor": cursor, "sort": "received"},
        {"cursor": cursor, "owner": "anna"},
        {"cursor": cursor, "snoozed": "true"},
    ):
        answer = await api.get("/api/conversations", params=query)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_cursor")
    assert (await api.get("/api/conversations", params={"cursor": cursor, "limit": 2})).json()["next"] is None


@pytest.fixture
def paged(api):
    async def paged(between=None, **query):
        """All names page by page, with something done between two pages."""
        found, cursor = [], None
        while True:
            page = (await api.get("/api/conversations", params=query | ({"cursor": cursor} if cursor else {}))).json()
            found += [row["name"] for row in page["conversations"]]
            cursor = page["next"]
            if cursor is None:
                return found
            if between:
                await between(page)

    return paged


@pytest.mark.slow
async def test_5000_rows_are_paged_without_gap_or_double_while_they_change(hear, story, paged):
    # Ten at a time share a moment, so that ids decide between them.
    stories = [story(n).later(seconds=n // 10) for n in range(1, 5001)]
    for start in range(0, 5000, 500):
        await hear(*(one.opened(created_at=one.at) for one in stories[start : start + 500]))
    touched = iter(range(0, 5000, 37))

    async def change(page):
        moving = [stories[next(touched)] for _ in range(5)]
        await hear(*(one.later(hours=1).say(TagsChanged, now={"priority": Priority.URGENT}) for one in moving))
        await hear(*(one.owned("anna") for one in moving), *(one.started(minutes=5) for one in moving))

    found = await paged(between=change, sort="received", limit=200)
    assert len(found) == 5000
    assert set(found) == {f"CONV-{n}" for n in range(1, 5001)}


@pytest.mark.parametrize("sort", list(Sort))
async def test_every_order_is_paged_whole(hear, story, paged, sort):
    stories = [story(n).later(seconds=n % 7) for n in range(40)]
    await hear(*(heard for one in stories for heard in (one.opened(created_at=one.at), one.started())))
    whole = await paged(sort=sort, limit=200)
    assert len(set(whole)) == 40
    assert await paged(sort=sort, limit=7) == whole


async def test_what_moves_between_pages_is_on_the_live_stream(hear, story, pool, paged, api):
    stories = [story(n).later(seconds=n) for n in range(30)]
    await hear(*(one.opened() for one in stories))
    as_of = (await api.get("/api/conversations", params={"sort": "updated"})).json()["as_of"]

    async def touch_the_oldest(page):
        await hear(stories[0].later(hours=1).say(CustomerReplied, message=stories[0].message()))

    found = await paged(between=touch_the_oldest, sort="updated", limit=10)
    told = {row["number"] for row in await pool.fetch("SELECT number FROM feed WHERE id > $1", as_of)}
    assert len(found) == len(set(found))
    assert {int(name[5:]) for name in found} | told == set(range(30))


async def test_received_is_latest_first_and_urgency_earliest_first(hear, story, api):
    early, late = story(1), story(2).later(minutes=1)
    await hear(early.opened(), early.started(minutes=100), late.opened(created_at=late.at), late.started(minutes=10))

    async def order(sort):
        rows = (await api.get("/api/conversations", params={"sort": sort})).json()["conversations"]
        return [row["number"] for row in rows]

    assert await order("urgency") == [2, 1]
    assert await order("received") == [2, 1]
    await hear(early.later(minutes=5).say(TagsChanged))
    assert await order("updated") == [1, 2]


FILL = """
    INSERT INTO inbox (
        conversation_id, updated_at, conversation_seq, number, stage, kind, channel, inbox, account_id, created_at,
        unanswered, priority_said, facts, choice_seq, routing_seq, owner, first_seq, next_seq
    )
    SELECT
        gen_random_uuid(), now() - n * interval '1 second', 1, n,
        CASE WHEN n % 1000 = 7 THEN 'hold' ELSE (ARRAY['new', 'waiting_on_user', 'resolved'])[n % 3 + 1] END,
        'customer', 'email', 'support', md5((n % 2000)::text)::uuid, now() - n * interval '1 minute',
        n, 2, '{}', 0, 1, CASE WHEN n % 100 = 3 THEN '' ELSE (ARRAY['anna', 'bruno', 'carl'])[n % 3 + 1] END, 0, 0
    FROM generate_series(1, 5000) AS n
"""


@pytest.fixture
def plan(pool):
    async def plan(filters, sort):
        """How PostgreSQL reads the first page of a list of 5,000."""
        await pool.execute(FILL)
        await pool.execute("ANALYZE inbox")
        async with moment(pool) as at:
            query = f"EXPLAIN (FORMAT JSON) {STATEMENTS[sort]}"
            return json.loads(await at.tx.fetchval(query, *filters.arguments(), None, None, 50))[0]["Plan"]

    return plan


def nodes(plan):
    yield plan["Node Type"], plan.get("Index Name")
    for below in plan.get("Plans", ()):
        yield from nodes(below)


@pytest.mark.parametrize(
    ("filters", "sort", "index"),
    [
        pytest.param(Filters(), Sort.URGENCY, "inbox_by_urgency", id="the inbox"),
        pytest.param(Filters(), Sort.RECEIVED, "inbox_by_receipt", id="the latest"),
        pytest.param(Filters(), Sort.UPDATED, "inbox_by_update", id="the last touched"),
        pytest.param(Filters(owner="anna"), Sort.URGENCY, "inbox_by_owner", id="one's own"),
        pytest.param(Filters(owner=""), Sort.URGENCY, "inbox_by_owner", id="nobody's"),
        pytest.param(Filters(stages=(Stage.HOLD,)), Sort.URGENCY, "inbox_by_stage", id="a rare stage"),
        pytest.param(
            Filters(channel="email", kind=Kind.CUSTOMER), Sort.URGENCY, "inbox_by_urgency", id="what most are"
        ),
    ],
)
async def test_the_first_page_is_read_from_an_index_in_order(plan, filters, sort, index):
    found = list(nodes(await plan(filters, sort)))
    assert [node for node, _ in found] == ["Limit", "Index Scan"]
    assert found[-1][1] == index


async def test_an_accounts_conversations_are_found_by_its_index(plan):
    account = UUID("c4ca4238-a0b9-2382-0dcc-509a6f75849b")
    found = await plan(Filters(account=account), Sort.URGENCY)
    assert "inbox_by_account" in {index for _, index in nodes(found)}
