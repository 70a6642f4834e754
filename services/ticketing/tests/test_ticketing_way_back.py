"""W11: an issue that ends opens its tickets, and these tell conversations."""

from datetime import timedelta

import pytest

from deskstream.contracts import Refused
from deskstream.contracts import issues as of_issues
from deskstream.contracts import ticket_commands as asked
from deskstream.contracts.ticketing import AnswerSent
from deskstream.contracts.way_back import TicketReported
from deskstream.ticketing.domain import Known
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


@pytest.mark.parametrize(
    ("first", "how"),
    [
        pytest.param(None, "unlinked", id="W11: an issue that was linked by mistake"),
        pytest.param(None, "ticked off", id="W11: one that nobody waits for any more"),
        pytest.param("completed", "unlinked", id="W11: though another one is done"),
    ],
)
def test_w11_what_nobody_completed_is_not_told_as_done(first, how):
    desk = Desk()
    one = desk.open()
    issue, other = desk.file(one, wait=True), desk.file(one, wait=first is not None)
    desk.settle()
    if first:
        desk.end(other, first)
        desk.settle()
    if how == "unlinked":
        desk.ask(one, asked.UnlinkIssue, issue_id=issue, reason="the wrong one")
    else:
        desk.ask(one, asked.EndTicketWait, name="ISS-31", reason="not needed")
    desk.settle()
    assert (desk.stage(one), reported(desk)) == ("open", [(1, "dropped")])
    prepared = desk.told(TicketReported)[-1].prepared
    assert prepared == "We are going on with TKT-1 “It crashes”, and write to you again as soon as there is news."


def test_w11_a_person_who_is_back_has_done_what_was_waited_for():
    desk = Desk()
    one = desk.in_stage("on_hold")
    desk.ask(one, asked.EndTicketWait, name="carla", reason="she is back")
    assert reported(desk) == [(1, "completed")]


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


def approved(desk, issue):
    """The numbers of the tickets that an approval was handed to."""
    desk.ask(issue, of_issues.ApproveAnswer, text="It works again.")
    desk.settle()
    return [event.after.number for event in desk.told(AnswerSent)]


def again(desk, issue):
    """Taken up, and over once more."""
    desk.ask(issue, of_issues.MoveIssue, stage="in_development", reason="it came back")
    desk.now += timedelta(hours=1)
    desk.end(issue)
    desk.settle()


@pytest.mark.parametrize("away", ["unlinked", "deleted"])
@pytest.mark.parametrize(("meanwhile", "handed"), [("it ended again", [1, 1]), ("nothing", [1])])
def test_w11_whoever_comes_back_is_told_of_another_end_and_of_the_same_one_only_once(away, meanwhile, handed):
    desk = Desk()
    one = desk.open()
    issue = desk.file(one, wait=True)
    desk.settle()
    desk.end(issue)
    desk.settle()
    assert approved(desk, issue) == [1]
    desk.deliver()
    if away == "unlinked":
        desk.ask(one, asked.UnlinkIssue, issue_id=issue, reason="by mistake")
    else:
        desk.ask(one, asked.DeleteTicket, reason="by mistake")
    desk.settle()
    if meanwhile == "it ended again":
        again(desk, issue)
    if away == "unlinked":
        desk.link(one, issue)
    else:
        desk.ask(one, asked.RestoreTicket)
    desk.settle()
    if handed == [1]:
        with pytest.raises(Refused, match="waits for an answer any more"):
            approved(desk, issue)
    else:
        assert approved(desk, issue) == handed


@pytest.mark.parametrize("how", ["completed", "wont_fix"])
def test_w11_whoever_chased_a_ticket_on_hold_is_answered_when_its_issues_are_over(how):
    desk = Desk()
    one = desk.open()
    first, second = desk.file(one, wait=True), desk.file(one, wait=True)
    desk.settle()
    desk.customer(one)
    assert (desk.stage(one), desk.ticket(one).facts.waits) == ("open", ())
    desk.reply(one, asks="information")
    desk.end(first, how)
    desk.settle()
    assert (desk.stage(one), reported(desk)) == ("pending", [])
    desk.end(second)
    desk.settle()
    assert (desk.stage(one), reported(desk)) == ("pending", [(1, how)])
    assert desk.told(TicketReported)[-1].prepared


@pytest.mark.parametrize("since", ["unlinked", "ticked off", "solved"])
def test_w11_what_nobody_waits_for_any_more_is_not_told_of(since):
    desk = Desk()
    one = desk.open()
    issue = desk.file(one, wait=True)
    desk.settle()
    if since == "ticked off":
        desk.ask(one, asked.EndTicketWait, name="ISS-31", reason="not needed")
    else:
        desk.customer(one)
    if since == "unlinked":
        desk.ask(one, asked.UnlinkIssue, issue_id=issue, reason="by mistake")
    if since == "solved":
        desk.customer(one, solved=True)
        desk.ask(one, asked.SolveTicket, category="confirmed")
    desk.settle()
    before = len(reported(desk))
    desk.end(issue)
    desk.settle()
    assert reported(desk)[before:] == []


@pytest.mark.parametrize("name", ["ISS-31", "iss-7", " ISS-31 "])
def test_w11_only_an_issue_is_waited_for_by_an_issue_s_name(name):
    desk = Desk()
    one = desk.open()
    with pytest.raises(Refused, match="names an issue"):
        desk.ask(one, asked.HoldTicket, waits=[{"kind": "person", "name": name}])
