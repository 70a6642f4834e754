"""W9, W11, C8: who waits for a duplicate waits for its original, and for the duplicate again if it was none."""

import pytest

from deskstream.contracts import issues as of_issues
from deskstream.contracts import ticket_commands as asked
from deskstream.contracts.way_back import IssueEnded
from deskstream.ticketing.domain.issue.deciding import Awaited as IssueAwaited
from services.ticketing.tests.given import Desk, conversation
from services.ticketing.tests.test_ticketing_way_back import reported


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
    assert [wait.name for wait in desk.ticket(one).facts.waits] == ["ISS-32", "ISS-31"]
    assert [wait.name for wait in desk.ticket(other).facts.waits] == ["carla"]
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
