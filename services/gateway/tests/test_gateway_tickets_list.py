"""Vistas, trackers and the board: how tickets are listed, filtered, ordered and paged."""

import json

import pytest

from deskstream.contracts import ticketing
from deskstream.contracts.facts import AccountFacts
from deskstream.contracts.linked import TicketStage
from deskstream.gateway.store.tickets import BOARD, PAGE, TicketFilters, TicketSort, arguments
from services.gateway.tests.generated_tickets import PARTS, fill
from services.gateway.tests.work import Part, Ticket, answered, handed, id_of, issue_ref, opened, part_ref, solved


async def listed(api, **query):
    answer = await api.get("/api/tickets", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["tickets"]


UNTRIAGED, TRIAGED, CLOSED = ({"triage": name} for name in ("untriaged", "triaged", "closed"))


@pytest.mark.parametrize(
    ("life", "lists"),
    [
        pytest.param([], [UNTRIAGED, {"tracker": "active"}, {"stage": "new"}], id="R11: new is untriaged"),
        pytest.param([opened], [TRIAGED, {"tracker": "active"}], id="R11: open is triaged"),
        pytest.param([opened, solved], [CLOSED, {"told": "false"}], id="R11: solved is closed, its customer untold"),
        pytest.param([opened, answered, solved], [CLOSED, {"told": "false"}], id="R11: told before does not count"),
        pytest.param([opened, solved, answered], [CLOSED, {"told": "true"}], id="R11: told since it was solved"),
        pytest.param([opened, solved, handed], [CLOSED, {"told": "false"}], id="R11: handed over is not told"),
        pytest.param([opened, solved, handed, answered], [CLOSED, {"told": "true"}], id="R11: told once it left"),
        pytest.param(
            [lambda one: opened(one, needs_code_change="yes")],
            [TRIAGED, {"tracker": "product_assist"}],
            id="R12: what needs a code change is for product assist",
        ),
        pytest.param(
            [lambda one: opened(one, issues=(issue_ref(),))],
            [TRIAGED, {"tracker": "product_assist"}],
            id="R12: … and what has an issue",
        ),
        pytest.param(
            [lambda one: opened(one, issues=(issue_ref(),)), solved], [CLOSED], id="R12: a solved one is in no tracker"
        ),
    ],
)
async def test_vistas_and_trackers(hear, api, life, lists):
    one = Ticket(7)
    await hear(one.begun(), *(step(one) for step in life))
    asked = [UNTRIAGED, TRIAGED, CLOSED, {"tracker": "active"}, {"tracker": "product_assist"}]
    for query in lists:
        assert [row["name"] for row in await listed(api, **query)] == ["TKT-7"], query
    for query in [query for query in asked if query not in lists and query.keys() & {k for q in lists for k in q}]:
        if query.keys() & {"triage"} or "tracker" in query:
            assert await listed(api, **query) == [], query


@pytest.mark.parametrize(
    ("life", "turn"),
    [
        pytest.param([], "us", id="W3: new is ours"),
        pytest.param([lambda one: opened(one, stage="pending", asks="information")], "customer", id="W3: pending"),
        pytest.param([lambda one: opened(one, stage="on_hold")], "others", id="W3: on hold"),
        pytest.param([solved], "no_one", id="W3: solved"),
    ],
)
async def test_w3_each_row_says_whose_turn_it_is(hear, api, life, turn):
    one = Ticket(7)
    await hear(one.begun(), *(step(one) for step in life))
    assert [row["turn"] for row in await listed(api)] == [turn]


async def test_r11_closed_by_date_is_by_the_date_of_closing(hear, api):
    lives = []
    for number, hours in ((1, 9), (2, 3), (3, 6)):
        one = Ticket(number)
        lives += [one.begun(), solved(one.later(hours=hours))]
    await hear(*lives, Ticket(4).begun())
    found = await listed(api, triage="closed", sort="closed")
    assert [row["number"] for row in found] == [1, 3, 2]
    assert [row["number"] for row in await listed(api, sort="closed")] == [1, 3, 2]
    assert found[0]["closed_at"] == found[0]["solved_at"]


async def test_by_part_grouped_by_stage_and_named_as_parts_are_called_now(hear, api):
    product, below = Part(1), Part(2, parent=id_of("part 1"), kind="capability")
    one, two, three = Ticket(1), Ticket(2), Ticket(3, part=part_ref(2, "Old name"))
    await hear(product.begun(), below.begun(), one.begun(), two.begun(), three.begun(), opened(two), solved(one))
    await hear(below.say(ticketing.PartSaved, now={"name": "New name"}))
    board = (await api.get("/api/tickets/board")).json()["parts"]
    assert [(part["name"], part["stages"]) for part in board] == [("Part 1", {"open": 1}), ("New name", {"new": 1})]
    whole = (await api.get("/api/tickets/board", params={"closed": True})).json()["parts"]
    assert whole[0]["stages"] == {"open": 1, "solved": 1}
    assert [row["number"] for row in await listed(api, part=str(id_of("part 1")))] == [3, 2, 1]
    assert [row["part"]["name"] for row in await listed(api, part=str(id_of("part 2")))] == ["New name"]
    await hear(below.say(ticketing.PartMoved, now={"parent": None}))
    assert [row["number"] for row in await listed(api, part=str(id_of("part 1")))] == [2, 1]


async def test_a_part_nobody_told_of_is_called_as_its_tickets_say(hear, api):
    await hear(Ticket(1).begun())
    [row] = await listed(api)
    [part] = (await api.get("/api/tickets/board")).json()["parts"]
    assert (row["part"]["name"], part["name"], part["number"]) == ("Product", "Product", 1)


@pytest.mark.parametrize(
    "query",
    [
        {"owner": "anna"}, {"account": str(id_of("beta"))}, {"contact": str(id_of("bob"))}, {"type": "bug"},
        {"severity": "blocker"}, {"stage": ["open", "pending"]}, {"part": str(id_of("part 9"))},
    ],
    ids=str,
)  # fmt: skip
async def test_filters(hear, api, query):
    beta = AccountFacts(id=id_of("beta"), name="Beta")
    wanted = Ticket(
        1, owner="anna", account=beta, requester={"id": id_of("bob"), "name": "Bob"}, type="bug", severity="blocker",
        part=part_ref(9),
    )  # fmt: skip
    await hear(wanted.begun(), Ticket(2, owner="bruno").begun(), opened(wanted), Ticket(3).begun())
    assert [row["number"] for row in await listed(api, **query)] == [1]
    assert [row["number"] for row in await listed(api, unowned=True)] == [3]


async def test_w9_lists_are_narrowed_down_by_what_is_linked(hear, api, story):
    talk, wish = story(12), issue_ref(31)
    ref = {"id": talk.id, "number": 12, "channel": "email"}
    both, one = Ticket(1, conversations=[ref], issues=[wish, issue_ref(32)]), Ticket(2, conversations=[ref])
    await hear(talk.opened(), both.begun(), one.begun(), Ticket(3, issues=[issue_ref(33)]).begun(), Ticket(4).begun())
    asked = ({"conversation": "CONV-12"}, {"conversation": str(talk.id)}, {"issue": str(wish.id)})
    found = [[row["number"] for row in await listed(api, **query)] for query in asked]
    assert found == [[2, 1], [2, 1], [1]]
    assert [row["number"] for row in await listed(api, conversation="CONV-12", issue=str(wish.id))] == [1]
    assert await listed(api, issue=str(id_of("issue 99"))) == []
    await hear(both.say(ticketing.IssueUnlinked, now={"issues": ()}, issue=wish, reason="no"))
    assert await listed(api, issue=str(wish.id)) == []


@pytest.mark.parametrize("query", [{"conversation": "CONV-99"}, {"conversation": "conv-0"}], ids=str)
async def test_what_nobody_heard_of_is_404_in_a_filter_too(api, query):
    assert (await api.get("/api/tickets", params=query)).status_code == 404


async def test_what_is_deleted_is_hidden_until_it_is_asked_for_or_restored(hear, api):
    one = Ticket(1)
    gone = {"deleted": {"by": "anna", "at": one.at, "reason": "filed twice"}}
    await hear(one.begun(), one.say(ticketing.TicketDeleted, now=gone))
    assert await listed(api) == []
    [row] = await listed(api, deleted=True)
    assert row["deleted"]["reason"] == "filed twice"
    await hear(one.say(ticketing.TicketRestored, now={"deleted": None}))
    assert [row["number"] for row in await listed(api)] == [1]


@pytest.mark.parametrize("sort", list(TicketSort))
async def test_pages_follow_each_other_by_place(hear, api, sort):
    lives = []
    for number in range(1, 12):
        one = Ticket(number, severity=("low", "blocker", "high")[number % 3]).later(minutes=number % 4)
        lives += [one.begun(), solved(one)]
    await hear(*lives)
    seen: list[int] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await api.get("/api/tickets", params={"sort": sort.value, "limit": 4} | cursor)).json()
        seen += [row["number"] for row in page["tickets"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert sorted(seen) == list(range(1, 12))
    assert seen == [row["number"] for row in await listed(api, sort=sort.value)]
    other = {"sort": "newest" if sort is not TicketSort.NEWEST else "updated"}
    assert (await api.get("/api/tickets", params=other | cursor)).json()["code"] == "bad_cursor"


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 10**6}, {"limit": 0}, {"sort": "title; DROP TABLE tickets"}, {"strange": 1}, {"stage": "opened"},
        {"cursor": "AAAA"}, {"owner": "' OR 1=1"}, {"owner": "anna", "unowned": True}, {"account": "acme"},
        {"triage": "all"}, {"part": "x" * 65},
        {"conversation": "x" * 65}, {"conversation": "TKT-7"}, {"conversation": ""}, {"issue": "CONV-12"},
        {"issue": "ISS-" + "9" * 40}, {"issue": "' OR 1=1"}, {"issue": str(id_of("x")) + "0"}, {"linked": "ISS-31"},
    ],
    ids=str,
)  # fmt: skip
async def test_a_list_that_cannot_be_is_400(api, query):
    assert (await api.get("/api/tickets", params=query)).status_code == 400


@pytest.mark.slow
async def test_a_list_reads_as_many_tickets_as_it_shows(pool):
    async with pool.acquire() as tx:
        await fill(tx, 20_000)
        await tx.execute("SET plan_cache_mode = 'force_custom_plan'")
        part = Part(2).id
        asked = [
            (TicketFilters(tracker="product_assist"), TicketSort.NEWEST),
            (TicketFilters(tracker="active"), TicketSort.NEWEST),
            (TicketFilters(triage="untriaged"), TicketSort.NEWEST),
            (TicketFilters(triage="closed"), TicketSort.CLOSED),
            (TicketFilters(), TicketSort.UPDATED),
            (TicketFilters(), TicketSort.SEVERITY),
            (TicketFilters(owner="agent7"), TicketSort.NEWEST),
            (TicketFilters(part=part), TicketSort.NEWEST),
            (TicketFilters(linked=(id_of("issue 31"),)), TicketSort.NEWEST),
            (TicketFilters(part=Part(1).id), TicketSort.NEWEST),
            (TicketFilters(part=part, stages=(TicketStage.OPEN,)), TicketSort.NEWEST),
        ]
        for filters, sort in asked:
            values = await arguments(tx, filters, sort, after=None, limit=51)
            plan = await tx.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {PAGE}", *values)
            assert _read(json.loads(plan)[0]["Plan"]) < 1_000, (filters, sort, plan)
        counts = await tx.fetch(BOARD, True, None)
        assert (len({row["part_id"] for row in counts}), sum(row["tickets"] for row in counts)) == (PARTS, 20_000)


def _read(plan):
    """How many rows of tickets a plan looked at."""
    own = 0
    if plan.get("Relation Name") == "tickets":
        own = plan["Actual Loops"] * (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0))
    return own + sum(_read(part) for part in plan.get("Plans", ()))
