"""W3, the stage table in full: what each happening does in each stage, and every transition that is refused."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from deskstream.contracts import Refused
from deskstream.contracts import ticket_commands as asked
from deskstream.contracts.way_back import NoteWanted, TicketReported
from deskstream.ticketing.domain import TimeCame
from services.ticketing.tests.given import Desk, conversation, later

STAGES = ("new", "open", "pending", "on_hold", "solved", "closed", "canceled")
SAME = {stage: stage for stage in STAGES}


def refused(*stages: str) -> dict[str, str]:
    return {stage: f"ticket_is_{stage}" for stage in stages}


OVER = refused("solved", "closed", "canceled")
WAIT = [{"kind": "third_party", "name": "the hosting provider"}]


def confirmed(desk: Desk, one: UUID) -> Any:
    """The customer said that it is solved, and it is still wherever it was."""
    state = desk.ticket(one)
    desk.tickets[one] = replace(state, facts=state.facts.model_copy(update={"confirmed": True}))
    return desk.ask(one, asked.SolveTicket, category="confirmed")


TABLE: dict[str, tuple[Callable[[Desk, UUID], Any], dict[str, str]]] = {
    "an agent replies and asks": (
        lambda d, t: d.ask(t, asked.RecordAnswer, asks="information"),
        {"new": "pending", "open": "pending", "pending": "pending"} | refused("on_hold") | OVER,
    ),
    "an agent replies and goes on working": (
        lambda d, t: d.ask(t, asked.RecordAnswer, gives=["answer"]),
        {"new": "open", "open": "open", "pending": "pending", "on_hold": "on_hold"} | OVER,
    ),
    "a reply that asks has left": (
        lambda d, t: d.reply(t, asks="confirmation"),
        SAME | {"new": "pending", "open": "pending"},
    ),
    "a reply that asks nothing has left": (lambda d, t: d.reply(t, "answer"), SAME | {"new": "open"}),
    "a reminder of ours has left": (lambda d, t: d.reply(t, automatic=True), SAME),
    "it waits for a third party": (
        lambda d, t: d.ask(t, asked.HoldTicket, waits=WAIT),
        {"new": "on_hold", "open": "on_hold", "pending": "on_hold", "on_hold": "on_hold"} | OVER,
    ),
    "the last thing it waits for ends": (
        lambda d, t: d.ask(t, asked.EndTicketWait, name="carla", reason="she is back"),
        dict.fromkeys(STAGES, "not_waiting_for") | {"on_hold": "open"},
    ),
    "the customer answers this ticket": (
        lambda d, t: d.customer(t),
        SAME | {"pending": "open", "on_hold": "open", "solved": "open"},
    ),
    "the customer writes, and it is the only unclosed one": (
        lambda d, t: d.customer(t, "only_one"),
        SAME | {"pending": "open", "on_hold": "open", "solved": "open"},
    ),
    "the customer writes, perhaps about something else": (
        lambda d, t: d.customer(t, "perhaps"),
        SAME | {"pending": "open"},
    ),
    "the customer says yes, it is solved": (
        lambda d, t: d.customer(t, solved=True),
        SAME | {"pending": "open", "on_hold": "open"},
    ),
    "the customer answers by telephone": (
        lambda d, t: d.ask(t, asked.RecordCustomer, confirmed=False),
        SAME | {"pending": "open", "on_hold": "open", "solved": "open"} | refused("closed", "canceled"),
    ),
    "solved in a category whose conditions hold": (
        confirmed,
        {"new": "solved", "open": "solved", "pending": "solved", "on_hold": "solved"} | OVER,
    ),
    "canceled, with a reason": (
        lambda d, t: d.ask(t, asked.CancelTicket, reason="a double"),
        {"new": "canceled", "open": "canceled", "pending": "canceled", "on_hold": "canceled"} | OVER,
    ),
    "72 hours pass": (lambda d, t: pass_time(d, t), SAME | {"solved": "closed"}),
}


def pass_time(desk: Desk, one: UUID) -> None:
    """To the moment at which a solved one would be closed; whoever is woken earlier asked for it himself."""
    moment = desk.due(one)
    if desk.stage(one) == "solved":
        assert moment == desk.now + later(hours=72)
        desk.wake(one)


ROWS = [
    pytest.param(act, stage, expected, id=f"W3: {stage}, {happening}: {expected.replace('_', ' ')}")
    for happening, (act, outcomes) in TABLE.items()
    for stage, expected in outcomes.items()
]


def test_the_table_is_whole():
    assert all(set(outcomes) == set(STAGES) for _, outcomes in TABLE.values())


@pytest.mark.parametrize(("act", "stage", "expected"), ROWS)
def test_every_happening_in_every_stage(act, stage, expected):
    desk = Desk()
    one = desk.in_stage(stage)
    if expected in STAGES:
        act(desk, one)
        assert desk.stage(one) == expected
        return
    with pytest.raises(Refused) as no:
        act(desk, one)
    assert (no.value.code, desk.stage(one)) == (expected, stage)


@pytest.mark.parametrize("stage", ["on_hold", "solved"])
def test_w3_a_message_that_may_be_about_it_leaves_the_choice_to_the_agent(stage):
    desk = Desk()
    one = desk.in_stage(stage)
    desk.customer(one, "perhaps")
    assert (desk.stage(one), desk.ticket(one).facts.undecided is None) == (stage, False)
    desk.ask(one, asked.DecideAnswer, concerns=True)
    assert (desk.stage(one), desk.ticket(one).facts.undecided) == ("open", None)


@pytest.mark.parametrize("concerns", [False, True])
def test_w3_what_opens_by_itself_leaves_the_choice_to_the_agent_still(concerns):
    desk = Desk()
    one = desk.open()
    issue = desk.file(one, wait=True)
    desk.settle()
    desk.customer(one, "perhaps")
    undecided = desk.ticket(one).facts.undecided
    desk.end(issue)
    desk.settle()
    assert (desk.stage(one), desk.ticket(one).facts.undecided) == ("open", undecided)
    (said, *_) = desk.ask(one, asked.DecideAnswer, concerns=concerns)
    assert ("customer_wrote" if concerns else "ticket_changed") == said.NAME
    assert (desk.stage(one), desk.ticket(one).facts.undecided) == ("open", None)


@pytest.mark.parametrize("decided", [False, True])
def test_w3_w4_what_nobody_decided_before_the_ticket_is_closed_is_told_once(decided):
    desk = Desk()
    one = desk.in_stage("solved")
    for _ in range(2):
        desk.customer(one, "perhaps")
    if decided:
        desk.ask(one, asked.DecideAnswer, concerns=False)
    desk.said.clear()
    desk.wake(one)
    desk.tell_ticket(one, TimeCame())
    assert desk.stage(one) == "closed"
    notes = [note.text for note in desk.told(NoteWanted)]
    assert len(notes) == (not decided)
    assert all("is closed now, and nobody said whether" in text for text in notes)


def test_w3_a_message_that_is_about_something_else_moves_nothing():
    desk = Desk()
    one = desk.in_stage("solved")
    desk.customer(one, "perhaps")
    desk.ask(one, asked.DecideAnswer, concerns=False)
    assert (desk.stage(one), desk.ticket(one).facts.undecided) == ("solved", None)
    with pytest.raises(Refused, match="waits to be decided"):
        desk.ask(one, asked.DecideAnswer, concerns=True)


def test_w4_a_customer_s_answer_to_a_closed_ticket_opens_its_follow_up():
    desk = Desk()
    one = desk.in_stage("closed")
    desk.customer(one)
    desk.settle()
    (two,) = [t for t in desk.tickets if t != one]
    facts = desk.ticket(two).facts
    assert (facts.stage, facts.follow_up_of, facts.account) == ("new", one, desk.ticket(one).facts.account)
    assert desk.stage(one) == "closed"


def test_w4_the_follow_up_of_an_internal_ticket_is_internal():
    desk = Desk()
    one = desk.in_stage("solved")
    desk.ask(one, asked.ChangeTicket, internal=True)
    desk.wake(one)
    desk.customer(one)
    desk.settle()
    (two,) = [t for t in desk.tickets if t != one]
    assert (desk.stage(one), desk.ticket(two).facts.internal) == ("closed", True)


def test_w4_a_closed_ticket_that_is_said_to_be_solved_needs_no_follow_up():
    desk = Desk()
    assert desk.customer(desk.in_stage("closed"), solved=True) == []


def test_w4_two_answers_to_a_closed_ticket_open_one_follow_up_and_a_third_opens_its_own():
    desk = Desk()
    one = desk.in_stage("closed")
    desk.customer(one)
    desk.customer(one)
    desk.settle()
    (two,) = [t for t in desk.tickets if t != one]
    desk.customer(two, solved=True)
    desk.ask(two, asked.SolveTicket, category="confirmed")
    desk.customer(one)
    desk.settle()
    assert (desk.stage(two), len(desk.tickets)) == ("open", 2)
    desk.customer(two, solved=True)
    desk.ask(two, asked.SolveTicket, category="confirmed")
    desk.wake(two)
    desk.customer(one)
    desk.settle()
    (three,) = [t for t in desk.tickets if t not in (one, two)]
    assert (desk.ticket(three).facts.follow_up_of, desk.stage(three)) == (two, "new")


@pytest.mark.parametrize("away", [asked.CancelTicket, asked.DeleteTicket])
def test_w4_a_closed_ticket_is_answered_in_a_follow_up_though_the_one_before_is_gone(away):
    desk = Desk()
    one = desk.in_stage("closed")
    desk.customer(one)
    desk.settle()
    (two,) = [t for t in desk.tickets if t != one]
    desk.ask(two, away, reason="noise")
    for _ in range(2):
        desk.customer(one)
        desk.settle()
    (three,) = [t for t in desk.tickets if t not in (one, two)]
    assert desk.ticket(three).facts.follow_up_of == two


NEXT = conversation(13)
"""What follows up the conversation that tickets here have, since that is archived."""


def links(desk, one):
    return [where.number for where in desk.ticket(one).facts.conversations]


@pytest.mark.parametrize("stage", ["new", "open", "pending", "on_hold", "solved"])
def test_w3_an_answer_that_was_passed_on_moves_the_ticket_and_links_it_to_where_it_went(stage):
    desk = Desk()
    one = desk.in_stage(stage)
    desk.customer(one, conversation=NEXT, passed_on=True)
    assert (desk.stage(one), links(desk, one)) == ("new" if stage == "new" else "open", [12, 13])
    assert [(told.conversation_id, told.linked) for told in desk.told(TicketReported)][-1] == (NEXT.id, True)
    desk.customer(one, conversation=NEXT, passed_on=True)
    assert links(desk, one) == [12, 13]


def test_w3_an_answer_in_a_conversation_that_was_unlinked_meanwhile_links_it_not_again():
    desk = Desk()
    one = desk.in_stage("pending")
    desk.customer(one, conversation=NEXT)
    assert (desk.stage(one), links(desk, one)) == ("open", [12])


def test_w4_the_follow_up_ticket_hangs_on_each_follow_up_conversation():
    desk = Desk()
    one = desk.in_stage("closed")
    for number in (13, 14):
        desk.customer(one, conversation=conversation(number), passed_on=True)
        desk.settle()
    (two,) = [t for t in desk.tickets if t != one]
    assert (links(desk, one), links(desk, two)) == ([12], [13, 14])


@pytest.mark.parametrize(
    ("known_as", "more", "told"),
    [
        pytest.param("solved", {}, True, id="W4: closed while the customer wrote, and nobody is sure"),
        pytest.param("closed", {}, False, id="W4: closed long ago, and of two that may be meant the other"),
        pytest.param("solved", {"solved": True}, False, id="W4: yes, it is solved"),
        pytest.param(None, {}, False, id="W4: what an earlier version says"),
    ],
)
def test_an_answer_that_may_be_about_what_was_closed_meanwhile(known_as, more, told):
    desk = Desk()
    one = desk.in_stage("closed")
    said = desk.customer(one, "perhaps", stage=known_as, **more)
    assert [(note.conversation_id, note.text[:55]) for note in said] == (
        [(conversation().id, "TKT-1 “It crashes” was closed while the customer wrote,")] if told else []
    )


def test_w3_waiting_for_two_ends_with_the_second():
    desk = Desk()
    one = desk.in_stage("on_hold")
    desk.ask(one, asked.HoldTicket, waits=WAIT)
    desk.ask(one, asked.EndTicketWait, name="carla", reason="done")
    assert desk.stage(one) == "on_hold"
    desk.ask(one, asked.EndTicketWait, name="the hosting provider", reason="done")
    assert (desk.stage(one), desk.ticket(one).facts.waits) == ("open", ())
