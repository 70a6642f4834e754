"""What events of tickets, issues and parts lead to in the views and in the feed, in any batches."""

import json
from random import Random
from typing import Any

from deskstream.contracts import issues as of_issues
from deskstream.contracts import ticketing
from deskstream.contracts.catalogue import events
from deskstream.gateway.handlers import OF_WORK, project
from services.gateway.tests.work import Issue, Part, Ticket, answered, id_of, issue_ref, opened, solved

VIEWS = (
    "SELECT * FROM tickets ORDER BY ticket_id",
    "SELECT * FROM parts ORDER BY part_id",
    "SELECT conversation_id, service, sequence, at, event, number, actor, summary, body FROM feed ORDER BY 1, 2, 3",
)


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
        issue.say(of_issues.AnswerLeftOut, ticket_id=ticket.id, ticket_number=1, why="archived"),
        issue.say(of_issues.IssueDeleted, now={"deleted": {"at": issue.at, "reason": "zephyr"}}),
        ticket.begun(),
        ticket.say(ticketing.IssueLinked, now={"issues": (ref,)}, issue=ref),
        ticket.say(ticketing.LinkedIssueChanged, now={"issues": ()}, issue=ref),
    ]
    await hear(*told)
    kept = await pool.fetch("SELECT * FROM feed")
    assert len(kept) == len(told)
    assert "zephyr" not in json.dumps([dict(row) for row in kept], default=str).casefold()
