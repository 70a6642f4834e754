"""W3, W4: which tickets a customer's message is about, and how sure that is."""

from dataclasses import replace

import pytest

from deskstream.contracts.facts import Stage
from deskstream.contracts.ids import ReplyId
from deskstream.contracts.linked import SpeaksFor, TicketStage
from deskstream.contracts.ticket_talk import CustomerAnswered, TicketSpokenFor
from deskstream.conversation import store
from services.conversation.tests.given import (
    TKT_7,
    TKT_8,
    new_id,
    of_kind,
    outbound,
    report,
    with_tickets,
)


def concerns(said):
    return {event.ticket_id: event.concerns for event in said if isinstance(event, CustomerAnswered)}


def sent(said):
    """By what its channel calls a reply that left."""
    return outbound(said)[0].reply_id


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param("open", None, {TKT_7: "only_one"}, id="W3: the only one"),
        pytest.param("open", "open", {TKT_7: "perhaps", TKT_8: "perhaps"}, id="W3: one of two"),
        pytest.param("open", "closed", {TKT_7: "only_one", TKT_8: "perhaps"}, id="W3: the only unclosed one"),
        pytest.param("closed", None, {TKT_7: "only_one"}, id="W4: the only one, though closed"),
        pytest.param("closed", "canceled", {TKT_7: "only_one", TKT_8: "perhaps"}, id="W4: the only closed one"),
        pytest.param("closed", "closed", {TKT_7: "perhaps", TKT_8: "only_one"}, id="W4: the one closed last"),
        pytest.param("canceled", "canceled", {TKT_7: "perhaps", TKT_8: "perhaps"}, id="W3: canceled is final"),
    ],
)
def test_w3_every_ticket_hears_what_the_customer_wrote_and_how_sure_it_is(first, second, expected):
    stages = [TicketStage(stage) for stage in (first, second) if stage]
    story = with_tickets(Stage.WAITING_ON_USER, *stages)
    said = story.customer("Still broken", solved=False)
    assert concerns(said) == expected
    assert {event.solved for event in of_kind(said, CustomerAnswered)} == {False}


def test_w3_an_answer_to_a_reply_is_about_the_tickets_that_it_spoke_for():
    story = with_tickets(Stage.NEEDS_RESPONSE, TicketStage.OPEN, TicketStage.ON_HOLD)
    said = story.reply("Try 1.2.", speaks_for=(SpeaksFor(ticket_id=TKT_8, asks="confirmation"),))
    (spoken,) = of_kind(said, TicketSpokenFor)
    assert (spoken.ticket_id, spoken.speaks.asks, spoken.by, spoken.automatic) == (TKT_8, "confirmation", "anna", False)
    assert concerns(story.customer()) == {TKT_7: "perhaps", TKT_8: "this_ticket"}
    story.reply("On it.", signal=True)
    assert concerns(story.customer())[TKT_8] == "this_ticket"
    story.reply("By the way.")
    assert concerns(story.customer())[TKT_8] == "perhaps"


def test_w3_an_answer_is_about_what_the_reply_spoke_for_that_it_answers_and_not_the_latest():
    story = with_tickets(Stage.NEEDS_RESPONSE, TicketStage.ON_HOLD, TicketStage.SOLVED)
    first = sent(story.reply("Try 1.2.", speaks_for=(SpeaksFor(ticket_id=TKT_7),)))
    signal = sent(story.reply("On it.", signal=True))
    second = sent(story.reply("And this?", speaks_for=(SpeaksFor(ticket_id=TKT_8),)))
    of_none = sent(story.reply("By the way."))
    of_7, of_8 = {TKT_7: "this_ticket", TKT_8: "perhaps"}, {TKT_7: "perhaps", TKT_8: "this_ticket"}
    assert [concerns(story.customer(answers=reply)) for reply in (first, signal, second)] == [of_7, of_7, of_8]
    for reply in (of_none, ReplyId(new_id()), None):
        assert set(concerns(story.customer(answers=reply)).values()) == {"perhaps"}


def test_w3_a_reply_that_was_sent_again_is_known_by_both_its_ids():
    story = with_tickets(Stage.NEEDS_RESPONSE, TicketStage.ON_HOLD, TicketStage.OPEN)
    first = sent(story.reply(speaks_for=(SpeaksFor(ticket_id=TKT_7),)))
    story.bounce()
    again = sent(story.again())
    story.reply(speaks_for=(SpeaksFor(ticket_id=TKT_8),))
    assert {concerns(story.customer(answers=reply))[TKT_7] for reply in (first, again)} == {"this_ticket"}
    assert first != again


def test_w3_of_replies_from_before_only_the_latest_is_known_and_a_conversation_is_kept_with_what_they_spoke_for():
    story = with_tickets(Stage.NEEDS_RESPONSE, TicketStage.ON_HOLD, TicketStage.OPEN)
    first = sent(story.reply(speaks_for=(SpeaksFor(ticket_id=TKT_7),)))
    second = sent(story.reply(speaks_for=(SpeaksFor(ticket_id=TKT_8),)))
    story.state = store.read(store.written(story.open))
    assert concerns(story.customer(answers=first))[TKT_7] == "this_ticket"
    story.state = replace(story.open, deliveries=tuple(replace(one, spoke_for=()) for one in story.open.deliveries))
    assert concerns(story.customer(answers=first)) == {TKT_7: "perhaps", TKT_8: "perhaps"}
    assert concerns(story.customer(answers=second))[TKT_8] == "this_ticket"


def test_w4_an_answer_to_what_was_spoken_for_is_about_no_other_closed_ticket():
    story = with_tickets(Stage.NEEDS_RESPONSE, TicketStage.OPEN, TicketStage.OPEN)
    story.reply(speaks_for=(SpeaksFor(ticket_id=TKT_7),))
    report(story, TKT_7, 7, TicketStage.CLOSED)
    report(story, TKT_8, 8, TicketStage.CLOSED)
    assert concerns(story.customer()) == {TKT_7: "this_ticket", TKT_8: "perhaps"}


@pytest.mark.parametrize("stage", ["open", "closed"])
def test_w3_no_customer_s_message_is_about_an_internal_ticket(stage):
    story = with_tickets(Stage.WAITING_ON_USER, TicketStage(stage))
    report(story, TKT_8, 8, TicketStage(stage), internal=True)
    assert concerns(story.customer()) == {TKT_7: "only_one", TKT_8: "perhaps"}
    report(story, TKT_7, 7, linked=False)
    assert concerns(story.customer()) == {TKT_8: "perhaps"}


def test_w4_which_one_was_closed_last_does_not_hang_on_the_order_of_their_links():
    story = with_tickets(Stage.WAITING_ON_USER, TicketStage.OPEN, TicketStage.OPEN)
    report(story, TKT_8, 8, TicketStage.CLOSED)
    report(story, TKT_7, 7, TicketStage.CLOSED)
    assert concerns(story.customer()) == {TKT_7: "only_one", TKT_8: "perhaps"}
