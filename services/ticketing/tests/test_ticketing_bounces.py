"""C17, W4, W6, W11: what left and could not be delivered counts as never said."""

import pytest

from deskstream.contracts import Refused
from deskstream.contracts import issues as of_issues
from deskstream.contracts import ticket_commands as asked
from deskstream.contracts.issues import AnswerLeftOut
from deskstream.contracts.linked import SpeaksFor
from deskstream.contracts.ticket_talk import TicketNotSpokenFor, TicketSpokenFor
from deskstream.contracts.ticketing import AnswerLost, AnswerNotSent, FollowUpMissed
from deskstream.contracts.way_back import NoteWanted
from deskstream.ticketing.domain import TimeCame
from services.ticketing.tests.given import ANNA, Desk, conversation, later, names
from services.ticketing.tests.test_ticketing_approvals import approve, fixed


def bounce(desk, of, reply_id, *, automatic=False, where=None):
    told = {"ticket_id": of, "at": desk.now, "conversation": where or conversation(), "reply_id": reply_id}
    return desk.tell_ticket(of, TicketNotSpokenFor(**told, by=ANNA, automatic=automatic, why="undeliverable"))


def again(desk, of, reply_id, *gives, asks=None, where=None, automatic=False):
    """The same reply, sent once more."""
    speaks = SpeaksFor(ticket_id=of, asks=asks, gives=gives)
    told = {"ticket_id": of, "at": desk.now, "conversation": where or conversation(), "reply_id": reply_id}
    return desk.tell_ticket(of, TicketSpokenFor(**told, by=ANNA, automatic=automatic, speaks=speaks))


def replied(desk, of, *gives, asks=None):
    return desk.reply(of, *gives, asks=asks)[0].reply_id


def facts(desk, of):
    return desk.ticket(of).facts


@pytest.mark.parametrize("asks", ["confirmation", "information"])
def test_w4_nobody_is_silent_who_was_never_asked(asks):
    desk = Desk()
    one = desk.open(owner="bruno")
    question = replied(desk, one, asks=asks)
    assert desk.due(one) is not None
    lost = bounce(desk, one, question)[0]
    assert (lost.NAME, lost.reply_id, lost.by) == ("answer_lost", question, ANNA)
    assert (desk.stage(one), facts(desk, one).asks, facts(desk, one).given) == ("open", None, ())
    assert desk.due(one) is None
    (note,) = desk.told(NoteWanted)
    assert note.mentions == ("bruno",)
    assert "cannot be delivered" in note.text


def test_w4_the_question_sent_once_more_is_asked_from_then_on():
    desk = Desk()
    one = desk.open()
    question = replied(desk, one, asks="confirmation")
    bounce(desk, one, question)
    desk.now += later(days=3)
    again(desk, one, question, asks="confirmation")
    assert (desk.stage(one), facts(desk, one).pending_since, facts(desk, one).given) == (
        "pending",
        desk.now,
        ("answer",),
    )


def test_w4_an_older_question_that_comes_back_stops_no_newer_one():
    desk = Desk()
    one = desk.open()
    first, second = replied(desk, one, asks="information"), replied(desk, one, asks="information")
    bounce(desk, one, first)
    assert desk.stage(one) == "pending"
    bounce(desk, one, second)
    assert desk.stage(one) == "open"


@pytest.mark.parametrize("stage", ["on_hold", "solved", "closed", "canceled"])
def test_w3_a_reply_that_comes_back_later_moves_only_what_still_waits_for_its_answer(stage):
    desk = Desk()
    one = desk.in_stage("open")
    reply = replied(desk, one)
    match stage:
        case "on_hold":
            desk.ask(one, asked.HoldTicket, waits=[{"kind": "person", "name": "carla"}])
        case "canceled":
            desk.ask(one, asked.CancelTicket, reason="a double")
        case _:
            desk.customer(one, solved=True)
            desk.ask(one, asked.SolveTicket, category="confirmed")
            if stage == "closed":
                desk.wake(one)
    assert names(bounce(desk, one, reply))[0] == "answer_lost"
    assert desk.stage(one) == stage


def test_w6_what_never_arrived_was_not_given():
    desk = Desk()
    one = desk.open()
    workaround, answer = replied(desk, one, "workaround"), replied(desk, one, "answer")
    assert facts(desk, one).given == ("workaround", "answer")
    bounce(desk, one, workaround)
    assert facts(desk, one).given == ("answer",)
    with pytest.raises(Refused) as refused:
        desk.ask(one, asked.SolveTicket, category="workaround")
    assert refused.value.code == "condition_is_missing"
    bounce(desk, one, answer)
    again(desk, one, workaround, "workaround")
    assert facts(desk, one).given == ("workaround",)


def test_w6_what_another_reply_gave_too_stays_given():
    desk = Desk()
    one = desk.open()
    first = replied(desk, one, "answer")
    replied(desk, one, "answer")
    bounce(desk, one, first)
    assert facts(desk, one).given == ("answer",)
    by_phone = desk.open()
    lost = replied(desk, by_phone, "answer")
    desk.ask(by_phone, asked.RecordAnswer, gives=("answer",))
    bounce(desk, by_phone, lost)
    assert facts(desk, by_phone).given == ("answer",)


def test_w4_a_reminder_that_came_back_does_not_count_and_is_tried_again():
    desk = Desk()
    one = desk.open(owner="bruno")
    replied(desk, one, asks="information")
    (wanted,) = (event for event in desk.wake(one) if event.NAME == "follow_up_sent")
    assert facts(desk, one).follow_ups == 1
    (missed, _) = bounce(desk, one, wanted.reply_id, automatic=True)
    assert (missed.why, facts(desk, one).follow_ups, desk.stage(one)) == ("undeliverable", 0, "pending")
    assert desk.due(one) == desk.promise.calendar.add_open(desk.now, missed.again_in)
    assert bounce(desk, one, wanted.reply_id, automatic=True) == []
    desk.wake(one)
    assert facts(desk, one).follow_ups == 1


def reminder_of(said):
    return next(event.reply_id for event in said if event.NAME == "follow_up_sent")


def test_w4_whichever_reminder_comes_back_does_not_count():
    desk = Desk()
    one = desk.open()
    replied(desk, one, asks="information")
    first, second = reminder_of(desk.wake(one)), reminder_of(desk.wake(one))
    for reply, left in ((first, 1), (second, 0)):
        bounce(desk, one, reply, automatic=True)
        assert (desk.stage(one), facts(desk, one).follow_ups) == ("pending", left)


def test_w4_one_that_comes_back_while_another_is_under_way_leaves_that_one_on_its_way():
    desk = Desk()
    one = desk.open()
    replied(desk, one, asks="information")
    first, due = reminder_of(desk.wake(one)), desk.due(one)
    assert due is not None
    desk.now = due
    desk.tell_ticket(one, TimeCame())
    bounce(desk, one, first, automatic=True)
    assert facts(desk, one).follow_ups == 0
    desk.deliver()
    assert facts(desk, one).follow_ups == 1


def test_w4_one_that_came_back_and_was_sent_once_more_counts_once():
    desk = Desk()
    one = desk.open()
    replied(desk, one, asks="information")
    first = reminder_of(desk.wake(one))
    counts = []
    for _ in range(2):
        bounce(desk, one, first, automatic=True)
        counts.append(facts(desk, one).follow_ups)
        again(desk, one, first, asks="information", automatic=True)
        counts.append(facts(desk, one).follow_ups)
    assert counts == [0, 1, 0, 1]


def test_w4_whoever_was_asked_to_help_too_early_is_asked_again_and_has_time():
    desk = Desk()
    one = desk.open(customer_engineer="carla")
    replied(desk, one, asks="information")
    desk.wake(one)
    second = reminder_of(desk.wake(one))
    desk.wake(one)
    assert facts(desk, one).engineer_told
    bounce(desk, one, second, automatic=True)
    desk.wake(one)
    assert (desk.stage(one), facts(desk, one).follow_ups) == ("pending", 2)
    before = desk.now
    desk.wake(one)
    assert (desk.stage(one), desk.now > before) == ("pending", True)
    desk.wake(one)
    assert desk.stage(one) == "solved"


@pytest.mark.parametrize("lost", [("first",), ("second",), ("first", "second")])
def test_w4_who_was_asked_in_another_conversation_was_asked(lost):
    desk = Desk()
    one = desk.open()
    asked_in = {"first": replied(desk, one, asks="confirmation"), "second": replied(desk, one, asks="confirmation")}
    for name in lost:
        bounce(desk, one, asked_in[name])
    assert desk.stage(one) == ("open" if len(lost) == 2 else "pending")


@pytest.mark.parametrize("while_deleted", [True, False])
def test_c17_a_question_that_comes_back_to_a_deleted_ticket_was_never_asked(while_deleted):
    desk = Desk()
    one = desk.open()
    question = replied(desk, one, asks="confirmation")
    desk.ask(one, asked.DeleteTicket, reason="a slip")
    if while_deleted:
        bounce(desk, one, question)
    desk.ask(one, asked.RestoreTicket)
    if not while_deleted:
        bounce(desk, one, question)
    assert (desk.stage(one), facts(desk, one).given) == ("open", ())


def test_w13_an_answer_that_is_sent_once_more_hangs_no_ticket_on_an_issue_that_is_linked_no_longer():
    desk, issue, (one,) = fixed(conversation(1))
    approve(desk, issue)
    lost = desk.wanted[0].reply_id
    desk.deliver()
    bounce(desk, one, lost)
    desk.ask(one, asked.UnlinkIssue, issue_id=issue, reason="the wrong one")
    desk.settle()
    again(desk, one, lost, asks="confirmation")
    desk.settle()
    assert desk.issue(issue).facts.weight.tickets == 0


def test_w11_however_often_an_answer_comes_back_the_last_one_is_remembered():
    desk, issue, (one,) = fixed(conversation(1))
    for _ in range(5):
        approve(desk, issue)
        lost = desk.wanted[0].reply_id
        desk.deliver()
        bounce(desk, one, lost)
        desk.settle()
    assert len(desk.ticket(one).lost) == 1


def test_w6_nobody_is_solved_as_silent_whose_reminders_all_come_back():
    desk = Desk()
    one = desk.open()
    replied(desk, one, asks="information")
    for _ in range(6):
        for event in desk.wake(one):
            if event.NAME == "follow_up_sent":
                bounce(desk, one, event.reply_id, automatic=True)
    assert (desk.stage(one), facts(desk, one).follow_ups, len(desk.told(FollowUpMissed))) == ("pending", 0, 6)


def test_w11_an_approved_answer_that_came_back_is_approved_again():
    desk, issue, (one, two) = fixed(conversation(1), conversation(2))
    assert approve(desk, issue) == ([1, 2], ())
    lost = desk.wanted[0].reply_id
    desk.deliver()
    assert desk.stage(one) == "pending"
    bounce(desk, one, lost, where=conversation(1))
    desk.settle()
    assert [(event.ticket_id, event.why) for event in desk.told(AnswerNotSent)] == [(one, "undeliverable")]
    assert [(event.ticket_number, event.why) for event in desk.told(AnswerLeftOut)] == [(1, "undeliverable")]
    assert (desk.stage(one), desk.stage(two)) == ("open", "pending")
    assert approve(desk, issue, "It is fixed, again.") == ([1], ())


def test_w11_one_that_came_back_and_was_sent_once_more_need_not_be_approved_again():
    desk, issue, (one,) = fixed(conversation(1))
    approve(desk, issue)
    lost = desk.wanted[0].reply_id
    desk.deliver()
    bounce(desk, one, lost, where=conversation(1))
    desk.settle()
    again(desk, one, lost, asks="confirmation", where=conversation(1))
    desk.settle()
    assert desk.stage(one) == "pending"
    with pytest.raises(Refused) as refused:
        approve(desk, issue)
    assert refused.value.code == "nobody_to_answer"


def test_w11_who_was_told_in_another_conversation_was_told():
    desk, issue, (one,) = fixed(conversation(1))
    desk.ask(one, asked.LinkConversation, conversation=conversation(2))
    approve(desk, issue)
    first, second = desk.wanted
    desk.deliver()
    bounce(desk, one, first.reply_id)
    desk.settle()
    assert desk.told(AnswerLeftOut) == []
    bounce(desk, one, second.reply_id)
    desk.settle()
    assert [event.why for event in desk.told(AnswerLeftOut)] == ["undeliverable"]


def test_w11_one_that_comes_back_after_the_issue_was_taken_up_tells_nobody_of_its_next_end():
    desk, issue, (one,) = fixed(conversation(1))
    approve(desk, issue)
    lost = desk.wanted[0].reply_id
    desk.deliver()
    desk.ask(issue, of_issues.MoveIssue, stage="in_development", reason="it did not hold")
    desk.settle()
    assert [type(event) for event in bounce(desk, one, lost) if isinstance(event, (AnswerLost, AnswerNotSent))] == [
        AnswerLost
    ]
    again(desk, one, lost, asks="confirmation")
    desk.end(issue)
    desk.settle()
    assert approve(desk, issue) == ([1], ())
