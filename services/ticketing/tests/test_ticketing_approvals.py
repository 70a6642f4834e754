"""W11, R11: one approval answers everybody once; whom it does not reach is named, and does not count as told."""

import pytest

from deskstream.contracts import Refused
from deskstream.contracts import issues as of_issues
from deskstream.contracts import ticket_commands as asked
from deskstream.contracts.issues import AnswerLeftOut, LeftOut
from deskstream.contracts.links import TicketJoined
from deskstream.contracts.ticketing import AgentAnswered, AnswerNotSent
from deskstream.contracts.way_back import ReplyWanted
from deskstream.ticketing.domain.issue.publishing import MOST_ANSWERED
from services.ticketing.tests.given import Desk, conversation, names, new_id


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


def test_w11_who_still_waits_for_another_issue_is_answered_once_that_is_over():
    desk = Desk()
    one, two = desk.open(conversation=conversation(1)), desk.open(conversation=conversation(2))
    first, second = desk.file(one, two, wait=True), desk.file(two, wait=True)
    desk.settle()
    desk.end(first)
    desk.settle()
    approved, *_ = desk.ask(first, of_issues.ApproveAnswer, text="Fixed.")
    assert (approved.tickets, approved.left_out) == ((one,), (LeftOut(why="still_waits", tickets=(2,)),))
    desk.settle()
    assert [wanted.conversation_id for wanted in desk.told(ReplyWanted)] == [conversation(1).id]
    desk.end(second)
    desk.settle()
    desk.ask(second, of_issues.ApproveAnswer, text="All of it is fixed.")
    desk.settle()
    assert [wanted.text for wanted in desk.told(ReplyWanted)] == ["Fixed.", "All of it is fixed."]


def test_w11_who_was_answered_is_so_however_often_the_issue_is_unlinked_and_linked():
    desk = Desk()
    one = desk.open(conversation=conversation(1))
    issue = desk.file(one, wait=True)
    desk.settle()
    desk.end(issue)
    desk.settle()
    desk.ask(issue, of_issues.ApproveAnswer, text="It is fixed.")
    desk.settle()
    desk.ask(one, asked.UnlinkIssue, issue_id=issue, reason="a slip")
    desk.link(one, issue)
    desk.settle()
    with pytest.raises(Refused) as refused:
        desk.ask(issue, of_issues.ApproveAnswer, text="Once more")
    assert refused.value.code == "nobody_to_answer"
    desk.ask(one, asked.UnlinkIssue, issue_id=issue, reason="another")
    desk.settle()
    desk.ask(issue, of_issues.MoveIssue, stage="in_development", reason="it did not hold")
    desk.link(one, issue)
    desk.settle()
    desk.end(issue)
    desk.settle()
    desk.ask(issue, of_issues.ApproveAnswer, text="Now it is.")
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


def fixed(*conversations):
    """A desk with an issue that is fixed, and a ticket for each conversation; None: one without."""
    desk = Desk()
    tickets = [desk.open(conversation=one) for one in conversations]
    issue = desk.file(*tickets, wait=True)
    desk.settle()
    desk.end(issue)
    desk.settle()
    return desk, issue, tickets


def approve(desk, issue, text="It is fixed."):
    """What the approval says of whom it answers, and of whom it leaves out."""
    approved = desk.ask(issue, of_issues.ApproveAnswer, text=text)[0]
    desk.settle()
    desk.wanted.sort(key=lambda wanted: desk.ticket(wanted.speaks_for.ticket_id).facts.number)
    return sorted(desk.ticket(one).facts.number for one in approved.tickets), approved.left_out


def told(desk):
    return [desk.ticket(event.ticket_id).facts.number for event in desk.told(AgentAnswered)]


@pytest.mark.parametrize("why", ["archived", "suspended", "no_adapter"])
def test_w11_whom_nothing_can_be_sent_is_left_out_and_named_and_not_told(why):
    desk, issue, (one, _) = fixed(conversation(1), conversation(2))
    desk.silence(one, why, conversation(1))
    assert approve(desk, issue) == ([2], (LeftOut(why=why, tickets=(1,)),))
    desk.deliver(why)
    assert told(desk) == [2]
    (missed,) = desk.told(AnswerNotSent)
    assert (missed.ticket_id, missed.why, missed.conversation_id) == (one, why, conversation(1).id)


def test_w11_a_ticket_without_a_conversation_is_left_out():
    desk, issue, (one,) = fixed(None)
    assert approve(desk, issue) == ([], (LeftOut(why="no_conversation", tickets=(1,)),))
    (missed,) = desk.told(AnswerNotSent)
    assert (missed.ticket_id, missed.why, missed.conversation_id) == (one, "no_conversation", None)
    assert (desk.stage(one), told(desk)) == ("open", [])


def test_w11_an_internal_ticket_is_answered_to_no_customer_and_its_title_read_by_none():
    desk, issue, (one, _) = fixed(conversation(1), conversation(1))
    desk.ask(one, asked.ChangeTicket, internal=True)
    assert approve(desk, issue, "{ticket} is fixed.") == ([2], (LeftOut(why="internal", tickets=(1,)),))
    assert [wanted.text for wanted in desk.told(ReplyWanted)] == ["TKT-2 “It crashes” is fixed."]
    assert [(missed.ticket_id, missed.why) for missed in desk.told(AnswerNotSent)] == [(one, "internal")]
    desk.ask(one, asked.ChangeTicket, internal=False)
    assert approve(desk, issue) == ([1], ())


def test_w11_what_turns_out_only_in_the_conversation_is_told_to_the_issue_and_tried_again():
    desk, issue, (one, _) = fixed(conversation(1), conversation(2))
    assert approve(desk, issue) == ([1, 2], ())
    desk.deliver("queue_full", None)
    desk.settle()
    (left_out,) = desk.told(AnswerLeftOut)
    assert (left_out.ticket_id, left_out.ticket_number, left_out.why) == (one, 1, "queue_full")
    assert approve(desk, issue) == ([1], ())
    desk.deliver()
    assert told(desk) == [2, 1]
    with pytest.raises(Refused) as refused:
        approve(desk, issue)
    assert refused.value.code == "nobody_to_answer"


@pytest.mark.parametrize("order", [("archived", None), (None, "archived")], ids=["first", "last"])
def test_w11_one_of_two_conversations_is_enough_to_be_told(order):
    desk, issue, (one,) = fixed(conversation(1))
    desk.ask(one, asked.LinkConversation, conversation=conversation(2))
    approve(desk, issue)
    desk.deliver(*order)
    desk.settle()
    assert (told(desk), desk.told(AnswerLeftOut)) == ([1], [])
    assert desk.ticket(one).handed == ()


def test_w11_none_of_two_conversations_is_one_ticket_left_out():
    desk, issue, (one,) = fixed(conversation(1))
    desk.ask(one, asked.LinkConversation, conversation=conversation(2))
    approve(desk, issue)
    desk.deliver("archived", "withdrawn")
    desk.settle()
    assert [(event.ticket_number, event.why) for event in desk.told(AnswerLeftOut)] == [(1, "withdrawn")]
    assert [event.why for event in desk.told(AnswerNotSent)] == ["archived", "withdrawn"]


def test_w11_a_conversation_that_sends_again_is_left_out_no_more():
    desk, issue, (one,) = fixed(conversation(1))
    assert names(desk.silence(one, "suspended", conversation(1))) == ["conversation_reach_changed"]
    assert desk.silence(one, "suspended", conversation(1)) == []
    desk.silence(one, None, conversation(1))
    assert approve(desk, issue) == ([1], ())


def test_w11_what_was_sent_all_the_same_counts_and_says_that_it_can_be():
    desk, issue, (one,) = fixed(conversation(1))
    desk.silence(one, "no_adapter", conversation(1))
    approve(desk, issue)
    desk.deliver()
    assert (told(desk), desk.ticket(one).facts.conversations) == ([1], (conversation(1),))
    approve(desk, issue)
    assert len(desk.told(ReplyWanted)) == 1


def test_w11_those_who_can_be_reached_come_first_where_one_approval_reaches_not_all():
    desk, issue, (one,) = fixed(conversation(1))
    desk.silence(one, "archived", conversation(1))
    for number in range(MOST_ANSWERED):
        desk.tell_issue(issue, TicketJoined(issue_id=issue, at=desk.now, ticket_id=new_id(), customer=str(number)))
    (approved,) = desk.ask(issue, of_issues.ApproveAnswer, text="It is fixed.")[:1]
    assert (len(approved.tickets), approved.left, approved.left_out) == (MOST_ANSWERED, 1, ())


@pytest.mark.parametrize("stage", ["closed", "canceled"])
def test_r11_the_customer_of_what_is_final_is_told_and_nothing_else_changes(stage):
    desk = Desk()
    one = desk.in_stage(stage)
    before = desk.ticket(one).facts
    desk.reply(one, "answer", asks="confirmation")
    (answered,) = desk.told(AgentAnswered)
    assert answered.after == before.model_copy(update={"version": before.version + 1})
