"""W11: whatever order issues end in, and however often that is said, their tickets come to the same end."""

import random
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deskstream.contracts import Refused
from deskstream.contracts import issues as of_issues
from deskstream.contracts import ticket_commands as asked
from deskstream.contracts.way_back import TicketReported
from services.ticketing.tests.given import Desk, conversation, shuffled

ISSUES, TICKETS = 4, 3
GRAVITY = ("completed", "wont_fix", "deleted")
OTHERS = st.lists(st.sampled_from(["completed", "wont_fix", "deleted", "duplicate"]), min_size=3, max_size=3)
WAITS = st.lists(st.sets(st.integers(0, ISSUES - 1)), min_size=TICKETS, max_size=TICKETS)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["completed", "wont_fix"]), OTHERS, WAITS, st.integers(0, 2**16), st.integers(0, 2**16))
def test_w11_two_orders_of_endings_however_repeated_come_to_the_same_end(first, others, waits, one, other):
    fates = [first, *others]
    assert ends(fates, waits, one) == ends(fates, waits, other)
    stages, _ = ends(fates, waits, one)
    kept = {"deleted": "deleted", "wont_fix": "wont_fix", "completed": "completed", "duplicate": first}
    told = [max((kept[fates[number]] for number in wait), key=GRAVITY.index, default=None) for wait in waits]
    expected = [("open", (), [how]) if how else ("new", (), []) for how in told]
    assert [(stage, waited, endings) for stage, waited, endings, *_ in stages] == expected


def ends(fates, waits, seed):
    """How everything stands once each issue came to its fate: in an order of the dice, some of them said twice, while
    some customers chase their tickets."""
    dice = random.Random(seed)
    desk = Desk(choose=shuffled(seed))
    tickets = [desk.open(conversation=conversation(number)) for number in range(TICKETS)]
    issues = [desk.file(*tickets) for _ in range(ISSUES)]
    desk.settle()
    for ticket, awaited in zip(tickets, waits, strict=True):
        if awaited:
            desk.hold(ticket, *(issues[number] for number in sorted(awaited)))
    steps = [*range(ISSUES), *dice.choices(range(ISSUES), k=3)]
    dice.shuffle(steps)
    for number in steps:
        if dice.random() < 0.3:
            desk.customer(dice.choice(tickets))
        _come_to(desk, issues, number, fates[number])
        if dice.random() < 0.4:
            desk.settle()
    desk.settle()
    return [_end_of(desk, one) for one in tickets], [desk.issue(one).facts.weight.tickets for one in issues]


def _come_to(desk, issues, number, fate):
    with suppress(Refused):
        if fate == "deleted":
            desk.ask(issues[number], of_issues.DeleteIssue, reason="gone")
        else:
            desk.end(issues[number], fate, original=issues[0] if fate == "duplicate" else None)


def _end_of(desk, one):
    facts = desk.ticket(one).facts
    endings = [report for report in desk.told(TicketReported) if report.ticket.id == one and report.ended]
    linked = sorted((issue.number, issue.stage, issue.deleted) for issue in facts.issues)
    prepared = [report.prepared for report in endings]
    return facts.stage, facts.waits, [report.ended for report in endings], prepared, linked


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["complete", "wont_fix", "delete", "duplicate", "link", "unlink", "again", "settle", "answer"]),
        st.integers(0, 3),
        st.integers(0, 2),
    ),
    max_size=25,
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(STEPS, st.integers(0, 2**16))
def test_w11_whatever_happens_to_issues_nobody_waits_for_what_is_over(steps, seed):
    desk = Desk(choose=shuffled(seed))
    tickets = [desk.open(conversation=conversation(n)) for n in range(3)]
    issues = [desk.file(*tickets, wait=n == 0) for n in range(4)]
    for step, on, whose in steps:
        _step(desk, step, issues, on, tickets[whose])
    desk.settle()
    _nobody_waits_for_what_is_over(desk, tickets)
    for one in issues:
        if desk.issue(one).facts.deleted is None:
            _step(desk, "complete", issues, issues.index(one), tickets[0])
    desk.settle()
    assert {desk.stage(one) for one in tickets} <= {"new", "open", "pending"}
    for one in issues:
        joined = {t for t in tickets for issue in desk.ticket(t).facts.issues if issue.id == one}
        assert (set(desk.issue(one).tickets), desk.issue(one).facts.weight.tickets) == (joined, len(joined))


def _step(desk, step, issues, on, one):
    issue = issues[on]
    try:
        match step:
            case "complete" | "again":
                desk.end(issue)
            case "wont_fix":
                desk.end(issue, "wont_fix")
            case "delete":
                desk.ask(issue, of_issues.DeleteIssue, reason="gone")
            case "duplicate":
                original = issues[(on + 1) % len(issues)]
                if desk.issue(original).original is None and on + 1 < len(issues):
                    desk.end(issue, "duplicate", original=original)
            case "link":
                desk.link(one, issue, wait=True)
            case "unlink":
                desk.ask(one, asked.UnlinkIssue, issue_id=issue, reason="no")
            case "answer":
                desk.customer(one)
            case "settle":
                desk.settle()
    except Refused:
        return


def _nobody_waits_for_what_is_over(desk, tickets):
    over = {
        f"ISS-{desk.issue(one).facts.number}"
        for one in desk.issues
        if desk.issue(one).facts.deleted or desk.issue(one).facts.stage in ("completed", "wont_fix")
    }
    for one in tickets:
        facts = desk.ticket(one).facts
        assert not over & {wait.name for wait in facts.waits}
        assert (facts.stage == "on_hold") == bool(facts.waits)
