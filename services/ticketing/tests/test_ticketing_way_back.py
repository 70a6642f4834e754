"""W11: an issue that ends opens its tickets, these tell conversations, and one approval answers everybody once."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deskstream.contracts import Refused
from deskstream.contracts import issues as of_issues
from deskstream.contracts import ticket_commands as asked
from deskstream.contracts.links import TicketJoined
from deskstream.contracts.way_back import IssueEnded, ReplyWanted, TicketReported
from deskstream.ticketing.domain import Known
from deskstream.ticketing.domain.issue.deciding import Awaited as IssueAwaited
from deskstream.ticketing.domain.issue.publishing import MOST_ANSWERED
from deskstream.ticketing.domain.ticket.deciding import Awaited
from services.ticketing.tests.given import Desk, conversation, new_id, shuffled


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


def test_w11_one_approval_answers_two_customers_once():
    desk = Desk()
    one, two = desk.open(conversation=conversation(1)), desk.open(conversation=conversation(2))
    issue = desk.file(one, two, wait=True)
    desk.settle()
    desk.end(issue)
    desk.settle()
    desk.ask(issue, of_issues.ApproveAnswer, text="Hello, {ticket} is fixed.")
    desk.settle()
    sent = {
        (wanted.conversation_id, wanted.text, wanted.by, wanted.speaks_for.asks) for wanted in desk.told(ReplyWanted)
    }
    assert sent == {
        (conversation(1).id, "Hello, TKT-1 “It crashes” is fixed.", "anna", "confirmation"),
        (conversation(2).id, "Hello, TKT-2 “It crashes” is fixed.", "anna", "confirmation"),
    }
    with pytest.raises(Refused) as refused:
        desk.ask(issue, of_issues.ApproveAnswer, text="Once more")
    assert refused.value.code == "nobody_to_answer"


def test_w11_a_fix_that_did_not_hold_is_answered_again():
    desk = Desk()
    one = desk.open(conversation=conversation(1))
    issue = desk.file(one, wait=True)
    desk.settle()
    for text in ("It is fixed.", "Now it is."):
        desk.end(issue)
        desk.settle()
        desk.ask(issue, of_issues.ApproveAnswer, text=text)
        desk.settle()
        desk.ask(issue, of_issues.MoveIssue, stage="in_development", reason="it was not")
        desk.settle()
    assert [wanted.text for wanted in desk.told(ReplyWanted)] == ["It is fixed.", "Now it is."]


def test_w11_more_customers_than_one_message_can_name_are_answered_by_more_approvals():
    desk = Desk()
    issue = desk.file()
    for number in range(MOST_ANSWERED + 2):
        desk.tell_issue(issue, TicketJoined(issue_id=issue, at=desk.now, ticket_id=new_id(), customer=str(number)))
    desk.end(issue)
    approvals = [desk.ask(issue, of_issues.ApproveAnswer, text="It is fixed.")[0] for _ in range(2)]
    assert [(len(one.tickets), one.left) for one in approvals] == [(MOST_ANSWERED, 2), (2, 0)]
    assert len({ticket for one in approvals for ticket in one.tickets}) == MOST_ANSWERED + 2
    assert max(len(one.model_dump_json()) for one in approvals) < 64 * 1024


@pytest.mark.parametrize("stage", ["triage", "backlog", "duplicate"])
def test_w11_there_is_no_answer_before_there_is_an_end(stage):
    desk = Desk()
    issue, other = desk.file(desk.open()), desk.file()
    desk.settle()
    if stage != "triage":
        desk.accept(issue)
    if stage == "duplicate":
        desk.end(issue, "duplicate", original=other)
    with pytest.raises(Refused) as refused:
        desk.ask(issue, of_issues.ApproveAnswer, text="Soon")
    assert refused.value.code == "issue_is_not_over"


def test_w11_whoever_joins_later_is_answered_by_the_next_approval_alone():
    desk = Desk()
    one, two = desk.open(conversation=conversation(1)), desk.open(conversation=conversation(2))
    issue = desk.file(one)
    desk.settle()
    desk.end(issue)
    desk.ask(issue, of_issues.ApproveAnswer, text="It is fixed.")
    desk.link(two, issue)
    desk.settle()
    desk.ask(issue, of_issues.ApproveAnswer, text="It is fixed.")
    desk.settle()
    assert [wanted.conversation_id for wanted in desk.told(ReplyWanted)] == [conversation(1).id, conversation(2).id]


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


@pytest.mark.parametrize(
    ("stage", "ended"),
    [("open", None), ("on_hold", None), ("solved", "completed"), ("closed", "completed"), ("canceled", "cancelled")],
)
def test_c8_holding_on_a_ticket_links_it_and_what_is_over_lets_nobody_wait(stage, ended):
    desk = Desk()
    one = desk.in_stage(stage)
    desk.said.clear()
    desk.tell_ticket(one, Awaited(one, conversation(99)))
    (report,) = [r for r in desk.told(TicketReported) if r.conversation_id == conversation(99).id]
    assert (report.linked, report.ended) == (True, ended)


def test_c6_a_conversation_hears_of_every_stage_of_its_tickets():
    desk = Desk()
    one = desk.in_stage("closed")
    assert [report.ticket.stage for report in desk.told(TicketReported)] == ["new", "solved", "closed"]
    assert {report.conversation_id for report in desk.told(TicketReported)} == {conversation().id}
    assert desk.ticket(one).facts.conversations == (conversation(),)


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
def test_any_order_any_repeat_of_endings_gives_the_same_end(steps, seed):
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
