"""W11: an issue that ends opens its tickets, and these tell conversations."""

import pytest

from deskstream.contracts import Refused
from deskstream.contracts import issues as of_issues
from deskstream.contracts import ticket_commands as asked
from deskstream.contracts.way_back import IssueEnded, TicketReported
from deskstream.ticketing.domain import Known
from deskstream.ticketing.domain.issue.deciding import Awaited as IssueAwaited
from deskstream.ticketing.domain.ticket.deciding import Awaited
from services.ticketing.tests.given import Desk, conversation


def reported(desk):
    """What conversations were told of endings: (ticket's number, how)."""
    return [(report.ticket.number, report.ended) for report in desk.told(TicketReported) if report.ended]


@pytest.mark.parametrize(
    ("how", "ending", "words"),
    [
        pytest.param("completed", "completed", "is done", id="W11: completed"),
        pytest.param("wont_fix", "wont_fix", "leave it as it is", id="W11: won't fix, with its own answer"),
    ],
)
def test_the_last_issue_opens_the_ticket_and_tells_its_conversation(how, ending, words):
    desk = Desk()
    one = desk.open()
    issue = desk.file(one, wait=True)
    desk.settle()
    assert (desk.stage(one), desk.ticket(one).facts.waits[0].name) == ("on_hold", "ISS-31")
    desk.end(issue, how)
    desk.settle()
    assert (desk.stage(one), reported(desk)) == ("open", [(1, ending)])
    assert words in desk.told(TicketReported)[-1].prepared


@pytest.mark.parametrize(
    ("how", "words"),
    [
        pytest.param("cancel", "We are not pursuing your request any further.", id="N9: a customer knows of no TKT-1"),
        pytest.param("delete", "Look before you answer: TKT-1, or", id="N9: an agent does, but reads no title aloud"),
    ],
)
def test_what_is_prepared_about_an_internal_ticket(how, words):
    desk = Desk()
    one = desk.open(internal=True)
    desk.ask(one, asked.CancelTicket if how == "cancel" else asked.DeleteTicket, reason="a double")
    (prepared,) = [report.prepared for report in desk.told(TicketReported) if report.ended]
    assert prepared.startswith(words)
    assert "It crashes" not in prepared


def test_w11_deleting_an_issue_ends_the_waiting_with_a_warning():
    desk = Desk()
    one = desk.open()
    issue = desk.file(one, wait=True)
    desk.settle()
    desk.ask(issue, of_issues.DeleteIssue, reason="filed by mistake")
    desk.settle()
    assert (desk.stage(one), reported(desk)) == ("open", [(1, "deleted")])
    assert "nobody completed it" in desk.told(TicketReported)[-1].prepared


def test_w11_two_issues_and_the_first_changes_nothing():
    desk = Desk()
    one = desk.open()
    first, second = desk.file(one, wait=True), desk.file(one, wait=True)
    desk.settle()
    desk.end(second)
    desk.settle()
    assert (desk.stage(one), reported(desk)) == ("on_hold", [])
    desk.end(first)
    desk.settle()
    assert (desk.stage(one), reported(desk)) == ("open", [(1, "completed")])


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


def test_w11_an_original_that_is_over_already_lets_nobody_wait():
    desk = Desk()
    one = desk.open()
    double, original = desk.file(one, wait=True), desk.file()
    desk.settle()
    desk.end(original)
    desk.end(double, "duplicate", original=original)
    desk.settle()
    assert (desk.stage(one), reported(desk)) == ("open", [(1, "completed")])


def test_w9_an_issue_that_ends_while_somebody_links_it_is_not_missed():
    desk = Desk()
    one, issue = desk.open(), desk.file()
    known = desk.ref(issue)
    desk.end(issue)
    desk.ask(one, asked.LinkIssue, issue_id=issue, wait=True, known=Known(issue=known))
    assert desk.stage(one) == "on_hold"
    desk.settle()
    assert desk.stage(one) == "open"


def test_w9_nobody_can_wait_for_what_is_over_or_not_linked():
    desk = Desk()
    one, issue = desk.open(), desk.file()
    wait = [{"kind": "issue", "name": "ISS-31"}]
    with pytest.raises(Refused) as refused:
        desk.ask(one, asked.HoldTicket, waits=wait)
    assert refused.value.code == "issue_not_linked"
    desk.end(issue)
    desk.link(one, issue)
    with pytest.raises(Refused) as refused:
        desk.ask(one, asked.HoldTicket, waits=wait)
    assert refused.value.code == "issue_is_over"


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


@pytest.mark.parametrize(
    ("stage", "linked", "ended"),
    [
        ("open", True, None),
        ("on_hold", True, None),
        ("solved", True, "completed"),
        pytest.param("closed", False, "completed", id="W3: to what is closed nothing is linked"),
        pytest.param("canceled", False, "cancelled", id="W3: nor to what is canceled"),
    ],
)
def test_c8_holding_on_a_ticket_links_it_and_what_is_over_lets_nobody_wait(stage, linked, ended):
    desk = Desk()
    one = desk.in_stage(stage)
    desk.said.clear()
    desk.tell_ticket(one, Awaited(one, conversation(99)))
    (report,) = [r for r in desk.told(TicketReported) if r.conversation_id == conversation(99).id]
    assert (report.linked, report.ended) == (linked, ended)
    assert (conversation(99) in desk.ticket(one).facts.conversations) is linked


def test_c6_a_conversation_hears_of_every_stage_of_its_tickets():
    desk = Desk()
    one = desk.in_stage("closed")
    assert [report.ticket.stage for report in desk.told(TicketReported)] == ["new", "solved", "closed"]
    assert {report.conversation_id for report in desk.told(TicketReported)} == {conversation().id}
    assert desk.ticket(one).facts.conversations == (conversation(),)
