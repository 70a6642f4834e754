"""W9: what is restored finds itself in a desk that went on without it."""

import pytest

from deskstream.contracts import issues as of_issues
from deskstream.contracts import ticket_commands as asked
from deskstream.contracts.linked import UNSOLVED
from deskstream.contracts.links import PartTicketJoined
from deskstream.ticketing.domain import Known, TimeCame
from services.ticketing.tests.given import DARK_MODE, PRODUCT, Desk, berlin, names


@pytest.mark.parametrize(
    ("before", "then"),
    [
        pytest.param(0, (berlin(13, "11:00"), "follow_up_sent"), id="nobody was reminded"),
        pytest.param(1, (berlin(15, "14:00"), "follow_up_sent"), id="reminded once"),
        pytest.param(2, (berlin(19, "16:00"), "ticket_solved"), id="reminded twice"),
    ],
)
def test_w4_silence_is_counted_anew_from_the_moment_of_restoring(before, then):
    desk = Desk()
    one = desk.in_stage("pending")
    for _ in range(before):
        desk.wake(one)
    desk.ask(one, asked.DeleteTicket, reason="a slip")
    desk.now = berlin(11, "09:00")
    desk.ask(one, asked.RestoreTicket)
    said = [name for name in names(desk.wake(one)) if name not in ("follow_up_wanted", "reply_wanted")]
    assert (desk.now, said[0]) == then


def test_w4_a_follow_up_that_left_while_its_ticket_was_deleted_is_not_waited_for():
    desk = Desk()
    one = desk.in_stage("pending")
    desk.now = desk.due(one)
    assert "follow_up_wanted" in names(desk.tell_ticket(one, TimeCame()))
    desk.ask(one, asked.DeleteTicket, reason="a slip")
    assert desk.deliver() == []
    desk.ask(one, asked.RestoreTicket)
    assert names(desk.wake(one))[-1] == "follow_up_sent"


@pytest.mark.parametrize(
    ("stage", "part"),
    [*((stage, PRODUCT) for stage in UNSOLVED), *((stage, DARK_MODE) for stage in ("solved", "closed", "canceled"))],
)
def test_w14_a_ticket_whose_part_is_deleted_goes_on_at_the_default_one_unless_it_is_over(stage, part):
    desk = Desk()
    one = desk.in_stage(stage, at=DARK_MODE)
    desk.ask(one, asked.DeleteTicket, reason="a slip")
    desk.said.clear()
    desk.ask(one, asked.RestoreTicket, known=Known(part=PRODUCT))
    assert desk.ticket(one).facts.part == part
    assert [event.part_id for event in desk.told(PartTicketJoined)] == [DARK_MODE.id] * (part == DARK_MODE)


@pytest.mark.parametrize(("end", "part"), [(None, DARK_MODE), ("wont_fix", PRODUCT)], ids=["worked on", "over"])
def test_w14_an_issue_whose_part_is_deleted_goes_on_at_the_default_one_unless_it_is_over(end, part):
    desk = Desk()
    issue = desk.file()
    if end:
        desk.end(issue, end)
    desk.ask(issue, of_issues.DeleteIssue, reason="a slip")
    desk.ask(issue, of_issues.RestoreIssue, known=Known(part=DARK_MODE))
    assert desk.issue(issue).facts.part == part
