"""Vistas, trackers and the board: what events of tickets and parts lead to, in any batches, and how it is listed."""

import json
from random import Random
from typing import Any

import pytest

from deskstream.contracts import issues as of_issues
from deskstream.contracts import ticketing
from deskstream.contracts.catalogue import events
from deskstream.contracts.facts import AccountFacts
from deskstream.contracts.linked import IssueRef, TicketStage
from deskstream.gateway.handlers import OF_WORK, project
from deskstream.gateway.store.tickets import BOARD, PAGE, TicketFilters, TicketSort, arguments
from services.gateway.tests.generated_tickets import PARTS, fill
from services.gateway.tests.work import Issue, Part, Ticket, id_of, part_ref

VIEWS = (
    "SELECT * FROM tickets ORDER BY ticket_id",
    "SELECT * FROM parts ORDER BY part_id",
    "SELECT conversation_id, service, sequence, at, event, number, actor, summary, body FROM feed ORDER BY 1, 2, 3",
)


def issue_ref(number=31, stage="triage", **more):
    return IssueRef(id=id_of(f"issue {number}"), number=number, stage=stage, **more)


def opened(ticket, **now):
    return ticket.say(ticketing.TicketChanged, now={"stage": "open"} | now, fields=("stage", *now), actor="anna")


def solved(ticket):
    ticket.later(hours=1)
    now = {"stage": "solved", "resolution": "workaround", "solved_at": ticket.at}
    return ticket.say(ticketing.TicketSolved, now=now, category="workaround", actor="anna")


def answered(ticket):
    return ticket.later(minutes=5).say(ticketing.AgentAnswered, by="anna", gives=("answer",))


def a_desk():
    """Everything that the views tell apart, in the order in which it happened."""
    one, two, part, issue = Ticket(1), Ticket(2), Part(1), Issue(31)
    return [
        part.begun(), one.begun(), two.begun(), issue.begun(), opened(one, severity="high"), answered(two),
        one.say(ticketing.IssueLinked, now={"issues": (issue_ref(),)}, issue=issue_ref()), solved(two), answered(two),
        part.say(ticketing.PartSaved, now={"name": "Renamed"}),
        one.later(days=1).say(ticketing.TicketDeleted, now={"deleted": {"at": one.at, "reason": "spam"}}),
        one.say(ticketing.TicketRestored, now={"deleted": None}), solved(one),
        issue.say(of_issues.IssueMoved, now={"stage": "completed"}),
    ]  # fmt: skip


async def views(pool):
    found = [[dict(row) for row in await pool.fetch(view)] for view in VIEWS]
    await pool.execute("TRUNCATE tickets, parts, feed")
    return found


async def listed(api, **query):
    answer = await api.get("/api/tickets", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["tickets"]


async def test_batches_repeats_and_order_between_objects_change_nothing(pool, hear):
    told = a_desk()
    for one in told:
        await hear(one)
    expected = await views(pool)
    for seed in range(12):
        dice = Random(seed)
        queues: dict[str, list[Any]] = {}
        for one in told:
            queues.setdefault(one.key, []).append(one)
        mixed = []
        while queues:
            key = dice.choice(sorted(queues))
            mixed.append(queues[key].pop(0))
            queues = {key: left for key, left in queues.items() if left}
        while mixed:
            size = dice.randint(1, 5)
            await hear(*mixed[:size], *dice.sample(mixed[:size], 1))
            mixed = mixed[size:]
        assert await views(pool) == expected, f"seed {seed}"


def test_everything_said_about_tickets_issues_and_parts_is_shown():
    lanes = {ticketing.LANE, of_issues.LANE}
    assert set(OF_WORK) == {kind for kind in events().values() if kind.LANE in lanes}


async def test_a_batch_of_work_costs_three_statements_and_one_of_talk_none_more(pool, story):
    statements = []
    tickets = [Ticket(number) for number in range(100)]
    async with pool.acquire() as tx, tx.transaction():
        await project(tx, [Ticket(1000).begun(), Part(1).begun(), story(1).opened()])
        with tx.query_logger(lambda query: statements.append(query.query)):
            await project(tx, [*(one.begun() for one in tickets), *(Part(n).begun() for n in range(2, 50))])
            await project(tx, [story(2).opened()])
    assert len(statements) == 3 + 2


UNTRIAGED, TRIAGED, CLOSED = ({"triage": name} for name in ("untriaged", "triaged", "closed"))


@pytest.mark.parametrize(
    ("life", "lists"),
    [
        pytest.param([], [UNTRIAGED, {"tracker": "active"}, {"stage": "new"}], id="R11: new is untriaged"),
        pytest.param([opened], [TRIAGED, {"tracker": "active"}], id="R11: open is triaged"),
        pytest.param([opened, solved], [CLOSED, {"told": "false"}], id="R11: solved is closed, its customer untold"),
        pytest.param([opened, answered, solved], [CLOSED, {"told": "false"}], id="R11: told before does not count"),
        pytest.param([opened, solved, answered], [CLOSED, {"told": "true"}], id="R11: told since it was solved"),
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
    ],
    ids=str,
)  # fmt: skip
async def test_a_list_that_cannot_be_is_400(api, query):
    assert (await api.get("/api/tickets", params=query)).status_code == 400


async def test_w12_the_feed_keeps_no_word_of_any_issue(pool, hear):
    issue = Issue(31, title="Zephyr overflow")
    task = {"id": id_of("task"), "number": 1, "title": "zephyr task"}
    link = "https://zephyr.example/31"
    ref = issue_ref(public_link=link)
    ticket = Ticket(1)
    told = [
        issue.say(of_issues.IssueFiled, text="zephyr in the parser"),
        issue.say(of_issues.IssueTextChanged, text="more zephyr"),
        issue.say(of_issues.IssueChanged, now={"title": "Zephyr again"}, fields=("title",)),
        issue.say(of_issues.IssueMoved, now={"stage": "backlog"}, reason="zephyr is bad"),
        issue.say(of_issues.IssueTaskChanged, task=task, how="added"),
        issue.say(of_issues.IssueSecurityMarked, now={"security": "yes"}, reason="zephyr"),
        issue.say(of_issues.IssuePublished, now={"public_link": link}),
        issue.say(of_issues.AnswerApproved, text="zephyr is gone", by="anna", tickets=(ticket.id,)),
        issue.say(of_issues.IssueDeleted, now={"deleted": {"at": issue.at, "reason": "zephyr"}}),
        ticket.begun(),
        ticket.say(ticketing.IssueLinked, now={"issues": (ref,)}, issue=ref),
        ticket.say(ticketing.LinkedIssueChanged, now={"issues": ()}, issue=ref),
    ]
    await hear(*told)
    kept = await pool.fetch("SELECT * FROM feed")
    assert len(kept) == len(told)
    assert "zephyr" not in json.dumps([dict(row) for row in kept], default=str).casefold()


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
