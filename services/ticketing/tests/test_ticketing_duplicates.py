"""W9, W11, C8: who waits for a duplicate waits for its original, and for the duplicate again if it was none."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deskstream.contracts import Refused
from deskstream.contracts import issues as of_issues
from deskstream.contracts import ticket_commands as asked
from deskstream.contracts.way_back import IssueEnded
from deskstream.ticketing.domain.issue.deciding import Awaited as IssueAwaited
from services.ticketing.tests.given import Desk, conversation
from services.ticketing.tests.test_ticketing_way_back import reported


def hanging(desk, ticket):
    """What it is linked to, and what it waits for."""
    facts = desk.ticket(ticket).facts
    return {f"ISS-{issue.number}" for issue in facts.issues}, {wait.name for wait in facts.waits}


def take_up(desk, issue):
    desk.ask(issue, of_issues.MoveIssue, stage="in_development", reason="another problem")
    desk.settle()


def repeat(desk, issue, original):
    desk.end(issue, "duplicate", original=original)
    desk.settle()


def test_w11_a_duplicate_waits_for_its_original():
    desk = Desk()
    one = desk.open()
    double, original = desk.file(one, wait=True), desk.file()
    desk.settle()
    desk.end(double, "duplicate", original=original)
    desk.settle()
    assert (desk.stage(one), [wait.name for wait in desk.ticket(one).facts.waits]) == ("on_hold", ["ISS-32"])
    assert desk.issue(original).facts.weight.tickets == 1
    desk.end(original)
    desk.settle()
    assert desk.stage(one) == "open"


def test_w11_a_duplicate_that_was_none_is_waited_for_again():
    desk = Desk()
    one, other = desk.open(), desk.open()
    double, original = desk.file(one, wait=True), desk.file()
    desk.link(other, double)
    desk.ask(other, asked.HoldTicket, waits=[{"kind": "person", "name": "carla"}])
    desk.settle()
    desk.end(double, "duplicate", original=original)
    desk.settle()
    desk.ask(double, of_issues.MoveIssue, stage="in_development", reason="another problem")
    desk.settle()
    assert hanging(desk, one) == ({"ISS-31"}, {"ISS-31"})
    assert hanging(desk, other) == ({"ISS-31"}, {"carla"})
    assert desk.issue(original).facts.weight.tickets == 0
    desk.end(original)
    desk.settle()
    assert (desk.stage(one), reported(desk)) == ("on_hold", [])
    desk.end(double)
    desk.settle()
    assert (desk.stage(one), reported(desk)) == ("open", [(1, "completed")])


@pytest.mark.parametrize("since", ["chased", "original done"])
def test_w11_who_waits_no_longer_hears_of_a_duplicate_that_was_none(since):
    desk = Desk()
    one = desk.open()
    double, original = desk.file(one, wait=True), desk.file()
    desk.settle()
    desk.end(double, "duplicate", original=original)
    desk.settle()
    if since == "chased":
        desk.customer(one)
    else:
        desk.end(original)
    desk.settle()
    known = reported(desk)
    desk.ask(double, of_issues.MoveIssue, stage="in_development", reason="another problem")
    desk.settle()
    assert desk.stage(one) == "open"
    if since == "chased":
        desk.end(original)
        desk.settle()
    assert reported(desk) == known
    desk.end(double)
    desk.settle()
    assert reported(desk) == [*known, (1, "completed")]


def test_c8_a_conversation_waits_for_a_duplicate_that_was_none_again_by_whatever_way():
    desk = Desk()
    first, double, original, root = desk.file(), desk.file(), desk.file(), desk.file()
    desk.tell_issue(first, IssueAwaited(first, "ISS-31", conversation()))
    desk.tell_issue(double, IssueAwaited(double, "ISS-32", conversation(13)))
    desk.end(double, "duplicate", original=original)
    desk.end(first, "duplicate", original=double)
    desk.end(original, "duplicate", original=root)
    desk.settle()
    desk.ask(double, of_issues.MoveIssue, stage="in_development", reason="another problem")
    desk.settle()
    desk.end(root)
    desk.settle()
    assert desk.told(IssueEnded) == []
    desk.end(double)
    desk.settle()
    ended = [(event.name, event.conversation_id) for event in desk.told(IssueEnded)]
    assert sorted(ended) == [("ISS-31", conversation().id), ("ISS-32", conversation(13).id)]


def test_w11_an_original_that_is_over_already_lets_nobody_wait():
    desk = Desk()
    one = desk.open()
    double, original = desk.file(one, wait=True), desk.file()
    desk.settle()
    desk.end(original)
    desk.end(double, "duplicate", original=original)
    desk.settle()
    assert (desk.stage(one), reported(desk)) == ("open", [(1, "completed")])


def test_c8_a_conversation_waits_for_an_issue_without_a_ticket_and_by_way_of_a_duplicate():
    desk = Desk()
    double, original = desk.file(), desk.file()
    desk.tell_issue(double, IssueAwaited(double, "ISS-31", conversation()))
    desk.end(double, "duplicate", original=original)
    desk.settle()
    assert desk.told(IssueEnded) == []
    desk.end(original)
    (ended,) = desk.told(IssueEnded)
    assert (ended.conversation_id, ended.name, ended.ended) == (conversation().id, "ISS-31", "completed")
    desk.tell_issue(original, IssueAwaited(original, "ISS-32", conversation(13)))
    assert [event.name for event in desk.told(IssueEnded)] == ["ISS-31", "ISS-32"]


def test_w11_a_duplicate_that_is_deleted_ends_no_wait_for_its_original():
    desk = Desk()
    double, original = desk.file(), desk.file()
    desk.tell_issue(double, IssueAwaited(double, "ISS-31", conversation()))
    desk.end(double, "duplicate", original=original)
    desk.settle()
    desk.ask(double, of_issues.DeleteIssue, reason="tidied up")
    desk.settle()
    desk.tell_issue(double, IssueAwaited(double, "ISS-31", conversation(13)))
    desk.settle()
    assert desk.told(IssueEnded) == []
    desk.end(original)
    assert [event.conversation_id for event in desk.told(IssueEnded)] == [conversation().id, conversation(13).id]


def test_w11_whom_a_duplicate_led_astray_waits_for_its_second_original_alone():
    desk = Desk()
    one = desk.open()
    double, first, second = desk.file(one, wait=True), desk.file(), desk.file()
    desk.settle()
    repeat(desk, double, first)
    take_up(desk, double)
    repeat(desk, double, second)
    assert hanging(desk, one) == ({"ISS-31", "ISS-33"}, {"ISS-33"})
    assert [desk.issue(issue).facts.weight.tickets for issue in (first, second)] == [0, 1]
    desk.end(second)
    desk.settle()
    assert (desk.stage(one), reported(desk)) == ("open", [(1, "completed")])


@pytest.mark.parametrize("holds", ["link", "wait", "duplicate", "awaited duplicate"])
def test_w11_what_something_else_holds_stays_when_a_duplicate_was_none(holds):
    desk = Desk()
    one = desk.open()
    double, original, other = desk.file(one, wait=True), desk.file(), desk.file()
    if holds in ("link", "wait"):
        desk.link(one, original, wait=holds == "wait")
    else:
        desk.link(one, other, wait=holds == "awaited duplicate")
    desk.settle()
    repeat(desk, double, original)
    if "duplicate" in holds:
        repeat(desk, other, original)
    take_up(desk, double)
    linked, waits = hanging(desk, one)
    assert {"ISS-31", "ISS-32"} <= linked
    assert waits == ({"ISS-31", "ISS-32"} if holds in ("wait", "awaited duplicate") else {"ISS-31"})
    if "duplicate" in holds:
        take_up(desk, other)
        linked, waits = hanging(desk, one)
        assert (linked, waits) == ({"ISS-31", "ISS-33"}, {"ISS-31", "ISS-33"} if "awaited" in holds else {"ISS-31"})


def test_w11_a_chain_of_duplicates_is_undone_from_where_it_was_none():
    desk = Desk()
    one = desk.open()
    double, between, root = desk.file(one, wait=True), desk.file(), desk.file()
    desk.settle()
    repeat(desk, double, between)
    repeat(desk, between, root)
    assert hanging(desk, one) == ({"ISS-31", "ISS-32", "ISS-33"}, {"ISS-33"})
    take_up(desk, double)
    assert hanging(desk, one) == ({"ISS-31"}, {"ISS-31"})


def test_w11_what_its_agent_gave_up_is_not_waited_for_by_way_of_another_link():
    desk = Desk()
    one = desk.open()
    double, original = desk.file(one, wait=True), desk.file()
    desk.ask(one, asked.HoldTicket, waits=[{"kind": "person", "name": "carla"}])
    desk.settle()
    repeat(desk, double, original)
    desk.ask(one, asked.EndTicketWait, name="ISS-32", reason="not needed")
    desk.ask(one, asked.HoldTicket, waits=[{"kind": "issue", "name": "ISS-32"}])
    desk.settle()
    take_up(desk, double)
    assert "ISS-32" in hanging(desk, one)[1]


def root_of(desk, issue):
    """Where duplicates of an issue lead, as who marks one looks it up."""
    original = desk.issue(issue).original
    return issue if original is None else root_of(desk, original.id)


ISSUES = 5
MOVES = st.lists(st.tuples(st.integers(0, ISSUES - 1), st.integers(0, ISSUES - 1)), max_size=12)


@settings(deadline=None)
@given(
    linked=st.dictionaries(st.integers(0, ISSUES - 1), st.booleans(), min_size=1),
    moves=MOVES,
    order=st.permutations(range(ISSUES)),
)
def test_w11_when_no_duplicate_was_one_a_ticket_hangs_on_what_it_hung_on_before(linked, moves, order):
    desk = Desk()
    one = desk.open()
    issues = [desk.file() for _ in range(ISSUES)]
    for number, wait in linked.items():
        desk.link(one, issues[number], wait=wait)
    desk.settle()
    before = hanging(desk, one)
    for double, original in moves:
        root = root_of(desk, issues[original])
        with suppress(Refused):
            if root == issues[double]:
                take_up(desk, root)
            else:
                repeat(desk, issues[double], root)
    for number in order:
        with suppress(Refused):
            take_up(desk, issues[number])
    assert hanging(desk, one) == before
    weights = [desk.issue(issue).facts.weight.tickets for issue in issues]
    assert weights == [int(number in linked) for number in range(ISSUES)]
