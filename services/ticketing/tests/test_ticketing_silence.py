"""W4: silent customers, on the calendar of S10: reminded twice, then solved, later closed; and what stops that."""

from datetime import datetime, timedelta

import pytest

from deskstream.contracts import ticket_commands as asked
from deskstream.contracts.ticketing import CustomerEngineerTold, SolvingStopped
from deskstream.contracts.way_back import ReplyWanted
from deskstream.ticketing.domain import TimeCame
from services.ticketing.tests.given import MORNING, Desk, berlin, later, names


def moments(desk, one):
    """When it wakes, and what it says first, until it wants nothing more."""
    seen: list[tuple[datetime, str]] = []
    while desk.due(one) is not None and len(seen) < 9:
        said = [name for name in names(desk.wake(one)) if name not in ("follow_up_wanted", "reply_wanted")]
        seen.append((desk.now, said[0]))
    return seen


def pending(asks, **more):
    desk = Desk()
    one = desk.open(**more)
    desk.reply(one, asks=asks)
    assert desk.now == MORNING
    return desk, one


def test_s10_vector_11_pending_for_confirmation_since_monday_morning():
    desk, one = pending("confirmation")
    assert moments(desk, one) == [
        (berlin(6, "11:00"), "follow_up_sent"),
        (berlin(8, "14:00"), "follow_up_sent"),
        (berlin(12, "16:00"), "ticket_solved"),
        (berlin(15, "16:00"), "ticket_closed"),
    ]
    facts = desk.ticket(one).facts
    assert (facts.stage, facts.resolution, facts.follow_ups) == ("closed", "silent_after_answer", 2)


def test_w4_for_confirmation_the_customer_engineer_is_told_and_it_is_solved_at_once():
    desk, one = pending("confirmation", customer_engineer="carla")
    moments(desk, one)
    (told,) = desk.told(CustomerEngineerTold)
    assert (told.engineer, told.why, told.at) == ("carla", "silent_after_answer", berlin(12, "16:00"))
    assert desk.ticket(one).facts.solved_at == berlin(12, "16:00")


def test_w4_for_information_the_customer_engineer_is_asked_and_has_eight_open_hours():
    desk, one = pending("information", customer_engineer="carla")
    assert moments(desk, one)[2:] == [
        (berlin(12, "16:00"), "customer_engineer_told"),
        (berlin(13, "17:00"), "ticket_solved"),
        (berlin(16, "17:00"), "ticket_closed"),
    ]
    assert desk.ticket(one).facts.resolution == "silent_no_answer"


def test_w6_another_customer_engineer_is_asked_before_the_ticket_is_solved_as_silent():
    desk, one = pending("information", customer_engineer="carla")
    for _ in range(3):
        desk.wake(one)
    desk.ask(one, asked.ChangeTicket, customer_engineer="bruno")
    assert [name for _, name in moments(desk, one)] == ["customer_engineer_told", "ticket_solved", "ticket_closed"]
    assert [told.engineer for told in desk.told(CustomerEngineerTold)] == ["carla", "bruno"]


def test_w4_for_information_without_a_customer_engineer_it_is_solved_at_once():
    desk, one = pending("information")
    assert moments(desk, one)[2] == (berlin(12, "16:00"), "ticket_solved")
    assert desk.ticket(one).facts.resolution == "silent_no_answer"


def test_w4_the_reminders_leave_by_the_conversation_in_which_was_asked():
    desk, one = pending("confirmation")
    moments(desk, one)
    wanted = desk.told(ReplyWanted)
    assert [(w.conversation_id, w.by) for w in wanted] == [(desk.ticket(one).facts.conversations[0].id, None)] * 2
    assert all("TKT-1 “It crashes”" in w.text for w in wanted)


@pytest.mark.parametrize("wakings", [0, 1, 2])
def test_w4_the_customer_s_answer_stops_it(wakings):
    desk, one = pending("confirmation")
    for _ in range(wakings):
        desk.wake(one)
    desk.customer(one)
    assert (desk.stage(one), desk.due(one), desk.ticket(one).facts.follow_ups) == ("open", None, 0)
    desk.reply(one, asks="confirmation")
    assert desk.due(one) == desk.promise.calendar.add_open(desk.now, later(hours=16))


def test_w4_an_open_task_stops_it_until_it_is_done_and_the_owner_is_told_once():
    desk, one = pending("confirmation", owner="bruno")
    desk.ask(one, asked.AddTicketTask, title="Update the docs")
    assert moments(desk, one)[2:] == [(berlin(12, "16:00"), "solving_stopped")]
    assert len(desk.told(SolvingStopped)) == 1
    desk.now = berlin(13, "10:00")
    desk.ask(one, asked.ChangeTicketTask, number=1, how="done")
    assert desk.due(one) == berlin(12, "16:00")
    assert names(desk.wake(one))[0] == "ticket_solved"
    assert desk.now == berlin(13, "10:00")


def test_w4_a_desk_that_was_down_sends_no_two_reminders_at_once():
    desk, one = pending("confirmation")
    desk.now = berlin(11, "09:00")
    assert "follow_up_sent" in names(desk.wake(one))
    assert desk.due(one) == berlin(13, "11:00")
    desk.wake(one)
    assert desk.due(one) == desk.promise.calendar.add_open(berlin(13, "11:00"), timedelta(hours=16))


def test_p8_waking_early_says_nothing():
    desk, one = pending("confirmation")
    moment = desk.due(one)
    assert moment is not None
    desk.now = moment - later(seconds=1)
    assert desk.tell_ticket(one, TimeCame()) == []
    assert desk.ticket(one).facts.follow_ups == 0


def test_w4_a_new_question_counts_anew():
    desk, one = pending("confirmation")
    desk.wake(one)
    desk.ask(one, asked.RecordAnswer, asks="information")
    facts = desk.ticket(one).facts
    assert (facts.asks, facts.follow_ups, facts.pending_since) == ("information", 0, berlin(6, "11:00"))


def test_w4_a_confirmation_asked_when_an_answer_was_given_before_ends_as_silent_after_answer():
    desk = Desk()
    one = desk.open()
    desk.reply(one, "answer")
    desk.reply(one, asks="information")
    moments(desk, one)
    assert desk.ticket(one).facts.resolution == "silent_after_answer"
