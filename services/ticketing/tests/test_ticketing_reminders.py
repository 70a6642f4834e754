"""W4, W6: a follow-up counts once it left; one that could not is told to the owner and tried again."""

from dataclasses import replace

import pytest

from deskstream.contracts import Refused
from deskstream.contracts import ticket_commands as asked
from deskstream.contracts.ticketing import FollowUpMissed, FollowUpSent, FollowUpWanted
from deskstream.contracts.way_back import NoteWanted, ReplyWanted
from deskstream.ticketing.domain import TimeCame
from services.ticketing.tests.given import Desk, berlin, conversation, later
from services.ticketing.tests.test_ticketing_bounces import bounce


def pending(asks="confirmation", **more):
    desk = Desk()
    one = desk.open(**more)
    desk.reply(one, asks=asks)
    return desk, one


def counted(desk, one):
    return desk.ticket(one).facts.follow_ups


def test_w4_a_reminder_counts_when_it_left_and_not_when_it_was_wanted():
    desk, one = pending()
    desk.now = desk.due(one)
    desk.tell_ticket(one, TimeCame())
    assert (counted(desk, one), len(desk.told(FollowUpWanted)), desk.told(FollowUpSent)) == (0, 1, [])
    desk.deliver()
    assert (counted(desk, one), len(desk.told(FollowUpSent))) == (1, 1)


@pytest.mark.parametrize("asks", ["confirmation", "information"])
def test_w4_a_reminder_asks_what_was_asked_so_that_a_yes_or_no_can_be_clicked(asks):
    desk, one = pending(asks)
    desk.wake(one)
    assert [wanted.speaks_for.asks for wanted in desk.told(ReplyWanted)] == [asks]
    assert (counted(desk, one), desk.stage(one)) == (1, "pending")


@pytest.mark.parametrize("why", ["archived", "suspended", "no_adapter", "confidential"])
def test_w4_one_that_could_not_be_sent_is_told_to_the_owner_and_tried_again(why):
    desk, one = pending(owner="bruno")
    desk.wake(one, why)
    assert (counted(desk, one), desk.now) == (0, berlin(6, "11:00"))
    (note,) = desk.told(NoteWanted)
    assert (note.conversation_id, note.mentions) == (conversation().id, ("bruno",))
    assert "was not sent" in note.text
    assert "again in 16 open hours" in note.text
    assert desk.due(one) == desk.promise.calendar.add_open(desk.now, later(hours=16))
    desk.wake(one)
    assert (counted(desk, one), len(desk.told(ReplyWanted))) == (1, 2)


@pytest.mark.parametrize("category", ["silent_after_answer", "silent_no_answer"])
def test_w6_nobody_is_silent_who_was_not_reminded(category):
    desk, one = pending("confirmation" if category == "silent_after_answer" else "information")
    for _ in range(9):
        desk.wake(one, "archived")
    assert (desk.stage(one), counted(desk, one), len(desk.told(FollowUpMissed))) == ("pending", 0, 9)
    with pytest.raises(Refused, match="two follow-ups went out"):
        desk.ask(one, asked.SolveTicket, category=category)


def test_w4_a_missed_one_moves_those_after_it_and_the_end():
    desk, one = pending()
    sent = []
    for why in (None, "suspended", None, None):
        desk.wake(one, why)
        sent.append(desk.now)
    open_time = desk.promise.calendar.add_open
    assert sent[2] == open_time(sent[1], later(hours=16))
    assert sent[3] == open_time(sent[2], later(hours=16))
    assert (desk.stage(one), counted(desk, one)) == ("solved", 2)


def test_w4_without_a_conversation_none_counts_and_it_is_never_solved_by_silence():
    desk = Desk()
    one = desk.open(conversation=None)
    desk.ask(one, asked.RecordAnswer, asks="confirmation")
    for _ in range(5):
        desk.wake(one)
    assert (desk.stage(one), counted(desk, one), desk.told(ReplyWanted)) == ("pending", 0, [])
    assert {missed.why for missed in desk.told(FollowUpMissed)} == {"no_conversation"}
    desk.ask(one, asked.LinkConversation, conversation=conversation())
    while desk.stage(one) == "pending":
        desk.wake(one)
    assert (desk.stage(one), counted(desk, one)) == ("solved", 2)


def test_w4_of_an_internal_one_no_customer_is_reminded_and_the_owner_is_told():
    desk, one = pending(internal=True, owner="bruno")
    desk.wake(one)
    assert (desk.told(ReplyWanted), [missed.why for missed in desk.told(FollowUpMissed)]) == ([], ["internal"])
    (note,) = desk.told(NoteWanted)
    assert "TKT-1 was not sent: it is internal" in note.text


def test_w4_while_nothing_is_heard_of_one_no_other_is_sent_and_the_owner_is_told():
    desk, one = pending(owner="bruno")
    for _ in range(3):
        desk.now = desk.due(one)
        desk.tell_ticket(one, TimeCame())
    assert (len(desk.told(ReplyWanted)), counted(desk, one)) == (1, 0)
    assert [missed.why for missed in desk.told(FollowUpMissed)] == ["no_word", "no_word"]
    assert all("says nothing about it" in note.text for note in desk.told(NoteWanted))
    desk.deliver()
    assert counted(desk, one) == 1
    assert desk.due(one) == desk.promise.calendar.add_open(desk.now, later(hours=16))


@pytest.mark.parametrize("why", [None, "archived"], ids=["left", "did not leave"])
def test_w4_what_is_heard_of_a_reminder_after_the_customer_answered_changes_nothing(why):
    desk, one = pending()
    desk.now = desk.due(one)
    desk.tell_ticket(one, TimeCame())
    desk.customer(one)
    assert desk.deliver(why) == []
    desk.reply(one, asks="confirmation")
    assert counted(desk, one) == 0


def test_w4_it_leaves_in_the_latest_conversation_when_that_of_the_question_is_linked_no_more():
    desk, one = pending()
    desk.ask(one, asked.LinkConversation, conversation=conversation(13))
    desk.ask(one, asked.UnlinkConversation, conversation_id=conversation().id, reason="not theirs")
    desk.wake(one)
    assert [wanted.conversation_id for wanted in desk.told(ReplyWanted)] == [conversation(13).id]


@pytest.mark.parametrize("lost_when", ["deleted", "restored"])
def test_w4_a_reminder_that_comes_back_after_a_restore_does_not_count_either(lost_when):
    desk, one = pending("information")
    lost = next(said.reply_id for said in desk.wake(one) if isinstance(said, FollowUpSent))
    desk.wake(one)
    desk.ask(one, asked.DeleteTicket, reason="a slip")
    if lost_when == "deleted":
        bounce(desk, one, lost, automatic=True)
    desk.ask(one, asked.RestoreTicket)
    if lost_when == "restored":
        bounce(desk, one, lost, automatic=True)
    assert counted(desk, one) == 1
    desk.wake(one)
    assert (desk.stage(one), counted(desk, one)) == ("pending", 2)
    desk.wake(one)
    assert desk.stage(one) == "solved"


def test_w6_whoever_is_asked_whether_it_is_solved_without_an_answer_is_not_silent_after_one():
    desk, one = pending("confirmation", customer_engineer="carla")
    desk.wake(one)
    desk.wake(one)
    ticket = desk.ticket(one)
    desk.tickets[one] = replace(ticket, facts=ticket.facts.model_copy(update={"given": ()}))
    desk.wake(one)
    assert desk.stage(one) == "pending"
    desk.wake(one)
    assert desk.ticket(one).facts.resolution == "silent_no_answer"
