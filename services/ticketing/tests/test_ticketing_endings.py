"""W11: how the waiting for several things is told to have ended, in whatever order they do."""

import pytest

from deskstream.contracts import ticket_commands as asked
from services.ticketing.tests.given import Desk
from services.ticketing.tests.test_ticketing_way_back import reported

CARLA = [{"kind": "person", "name": "carla"}]


def waiting(*, issues=1):
    """A ticket on hold for so many issues."""
    desk = Desk()
    one = desk.open()
    filed = [desk.file(one, wait=True) for _ in range(issues)]
    desk.settle()
    return desk, one, filed


def back(desk, one):
    desk.ask(one, asked.EndTicketWait, name="carla", reason="she is back")


@pytest.mark.parametrize("how", ["ticked off", "unlinked"])
def test_what_was_given_up_first_is_not_told_as_done_in_the_end(how):
    desk, one, (issue,) = waiting()
    desk.ask(one, asked.HoldTicket, waits=CARLA)
    if how == "ticked off":
        desk.ask(one, asked.EndTicketWait, name="ISS-31", reason="not needed")
    else:
        desk.ask(one, asked.UnlinkIssue, issue_id=issue, reason="the wrong one")
    back(desk, one)
    assert reported(desk) == [(1, "dropped")]


def test_one_that_is_given_up_and_one_that_is_done_after_it():
    desk, one, (_, second) = waiting(issues=2)
    desk.ask(one, asked.EndTicketWait, name="ISS-31", reason="not needed")
    desk.end(second)
    desk.settle()
    assert reported(desk) == [(1, "dropped")]


def test_what_the_customer_chased_is_not_told_as_done_before_it_is():
    desk, one, (issue,) = waiting()
    desk.customer(one)
    desk.ask(one, asked.HoldTicket, waits=CARLA)
    back(desk, one)
    assert reported(desk) == [(1, "dropped")]
    desk.end(issue)
    desk.settle()
    assert reported(desk) == [(1, "dropped"), (1, "completed")]


def test_an_end_is_told_though_the_rest_is_unlinked_after_the_customer_chased_it():
    desk, one, (first, second) = waiting(issues=2)
    desk.end(first, "wont_fix")
    desk.settle()
    desk.customer(one)
    assert reported(desk) == []
    desk.ask(one, asked.UnlinkIssue, issue_id=second, reason="the wrong one")
    assert reported(desk) == [(1, "wont_fix")]


def test_an_end_is_told_though_the_customer_chases_what_is_left():
    desk, one, (issue,) = waiting()
    desk.ask(one, asked.HoldTicket, waits=CARLA)
    desk.end(issue)
    desk.settle()
    assert reported(desk) == []
    desk.customer(one)
    assert reported(desk) == [(1, "dropped")]


def test_chasing_a_ticket_of_which_nothing_ended_tells_no_end():
    desk, one, _ = waiting()
    desk.customer(one)
    assert reported(desk) == []
