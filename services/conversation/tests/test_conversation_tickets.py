"""C5-C8, W3, W11 as a conversation sees them: its tickets, what it tells them, and what their endings bring it."""

from datetime import timedelta

import pytest

from deskstream.contracts import Refused
from deskstream.contracts import conversation as asked
from deskstream.contracts.conversation import ChangeTags, ConversationEvent
from deskstream.contracts.conversation_tickets import DismissTicketSuggestion
from deskstream.contracts.facts import Resolution, Stage, Wait
from deskstream.contracts.ids import ReplyId
from deskstream.contracts.inbound import DeliveryState
from deskstream.contracts.linked import SpeaksFor, TicketStage
from deskstream.contracts.ticket_talk import (
    CustomerAnswered,
    IssueAwaited,
    TicketAwaited,
    TicketNotSpokenFor,
    TicketSpokenFor,
)
from deskstream.contracts.way_back import IssueEnded, ReplyWanted
from deskstream.conversation.domain.messages import Sending, SendWanted
from deskstream.conversation.domain.tickets import prefilled, suggests_ticket, with_suggestion
from services.conversation.tests.given import (
    ANNA,
    CARLA,
    NOON,
    OUT_OF_OFFICE,
    TICKET,
    TKT_7,
    TKT_8,
    UNDO,
    in_stage,
    letter,
    names,
    new_id,
    of_kind,
    person,
    report,
    with_tickets,
)

FIVE_MINUTES = timedelta(minutes=5)


HOW = {
    "completed": "completed",
    "dropped": "dropped",
    "wont_fix": "completed",
    "cancelled": "cancelled",
    "deleted": "cancelled",
}


@pytest.mark.parametrize("ended", list(HOW))
def test_c8_the_last_thing_that_a_hold_waits_for_gives_it_back_with_an_answer(ended):
    story = in_stage(Stage.HOLD)
    (event,) = report(story, ended=ended, prepared="Good news.")
    assert (event.NAME, event.wait, event.how) == ("wait_ended", TICKET, HOW[ended])
    assert (story.facts.stage, story.facts.waits) == (Stage.NEEDS_RESPONSE, ())
    assert [(answer.work, answer.text) for answer in story.facts.prepared] == [("TKT-7", "Good news.")]
    assert story.facts.tickets[0].number == 7


def test_c8_one_of_two_changes_no_stage():
    story = in_stage(Stage.NEEDS_RESPONSE)
    story.hold(TICKET, CARLA)
    report(story, ended="completed", prepared="Good news.")
    assert (story.facts.stage, story.facts.waits) == (Stage.HOLD, (CARLA,))


@pytest.mark.parametrize(
    ("stage", "ended", "then"),
    [
        pytest.param(Stage.WAITING_ON_USER, "completed", Stage.NEEDS_RESPONSE, id="C8: it asks for an agent again"),
        pytest.param(Stage.WAITING_ON_USER, "wont_fix", Stage.NEEDS_RESPONSE, id="C8: so it does if it won't be done"),
        pytest.param(Stage.WAITING_ON_USER, "dropped", Stage.WAITING_ON_USER, id="C8: not if nobody waits any more"),
        pytest.param(Stage.WAITING_ON_USER, "cancelled", Stage.WAITING_ON_USER, id="C8: not if it was canceled"),
        pytest.param(Stage.RESOLVED, "completed", Stage.RESOLVED, id="C8: resolved stays, with the prepared answer"),
        pytest.param(Stage.ARCHIVED, "completed", Stage.ARCHIVED, id="C8: archived is final"),
    ],
)
def test_what_it_once_waited_for_completes(stage, ended, then):
    story = in_stage(Stage.HOLD)
    story.customer()
    story.reply()
    if stage is Stage.RESOLVED:
        story.resolve()
    elif stage is Stage.ARCHIVED:
        story.archive()
    (event,) = report(story, ended=ended, prepared="Good news.")
    assert (event.NAME, story.facts.stage) == ("wait_ended", then)
    assert story.facts.prepared[0].text == "Good news."


def test_c8_a_ticket_that_went_on_without_what_it_waited_for_may_still_complete():
    story = in_stage(Stage.HOLD)
    report(story, ended="dropped", prepared="We are going on with it.")
    story.reply("We are going on with it.")
    assert story.facts.stage is Stage.WAITING_ON_USER
    report(story, ended="completed", prepared="Good news.")
    assert (story.facts.stage, story.facts.prepared[0].text) == (Stage.NEEDS_RESPONSE, "Good news.")


@pytest.mark.parametrize("stage", list(Stage))
def test_c5_a_link_and_a_stage_are_shown_and_move_nothing(stage):
    story = in_stage(stage)
    (event,) = report(story)
    assert (event.NAME, story.facts.stage, event.linked) == ("linked_tickets_changed", stage, True)
    assert report(story) == []
    report(story, stage=TicketStage.SOLVED)
    assert [(t.number, t.stage) for t in story.facts.tickets] == [(7, "solved")]
    report(story, linked=False)
    assert story.facts.tickets == ()


def test_c6_closing_changes_no_ticket():
    story = with_tickets(Stage.NEEDS_RESPONSE, TicketStage.OPEN)
    assert names(story.resolve(Resolution.CONTINUED_IN_TICKET)) == ["conversation_resolved"]
    assert names(story.archive()) == ["conversation_archived"]
    assert [ticket.stage for ticket in story.facts.tickets] == ["open"]


def test_c17_a_ticket_hears_of_a_reply_when_it_leaves_and_not_when_it_is_undone():
    story = with_tickets(Stage.NEEDS_RESPONSE, TicketStage.OPEN)
    speaks = (SpeaksFor(ticket_id=TKT_7, gives=("answer",)),)
    assert of_kind(story.reply(undo=UNDO, speaks_for=speaks), TicketSpokenFor) == []
    assert len(of_kind(story.wake(), TicketSpokenFor)) == 1
    queued = story.reply(undo=UNDO, speaks_for=speaks)[0]
    (not_sent,) = of_kind(story.ask(asked.UndoReply, reply_id=queued.reply.id), TicketNotSpokenFor)
    assert (not_sent.ticket_id, not_sent.reply_id, not_sent.why) == (TKT_7, queued.reply.id, "withdrawn")


def spoken(said):
    """What tickets hear of replies: whose they are, and why they did not arrive."""
    kinds = (TicketSpokenFor, TicketNotSpokenFor)
    return [(event.ticket_id, getattr(event, "why", "left")) for event in said if isinstance(event, kinds)]


def test_c17_every_ticket_hears_that_a_reply_came_back_and_that_it_left_once_more():
    story = with_tickets(Stage.NEEDS_RESPONSE, TicketStage.OPEN, TicketStage.OPEN)
    both = (SpeaksFor(ticket_id=TKT_7, asks="confirmation"), SpeaksFor(ticket_id=TKT_8, gives=("workaround",)))
    story.reply(speaks_for=both)
    bounced = story.bounce()
    assert spoken(bounced) == [(TKT_7, "undeliverable"), (TKT_8, "undeliverable")]
    assert of_kind(bounced, TicketNotSpokenFor)[0].by == ANNA
    assert spoken(story.bounce()) == []
    again = story.again()
    assert spoken(again) == [(TKT_7, "left"), (TKT_8, "left")]
    assert [event.speaks for event in of_kind(again, TicketSpokenFor)] == list(both)
    assert spoken(story.report()) == []


@pytest.mark.parametrize("how", ["delivered after all", "sent once more"])
def test_c17_whoever_wrote_meanwhile_is_asked_nothing_by_what_arrives_late(how):
    story = with_tickets(Stage.NEEDS_RESPONSE, TicketStage.OPEN)
    story.reply(speaks_for=(SpeaksFor(ticket_id=TKT_7, asks="confirmation", gives=("answer",)),))
    story.bounce()
    story.customer("Thanks, it works.")
    late = story.again() if how == "sent once more" else story.report(DeliveryState.DELIVERED)
    (arrived,) = of_kind(late, TicketSpokenFor)
    assert arrived.speaks == SpeaksFor(ticket_id=TKT_7, gives=("answer",))


@pytest.mark.parametrize(
    ("left", "kept_back", "told"),
    [
        pytest.param(True, False, [(TKT_7, "undeliverable")], id="W4: a reminder that comes back"),
        pytest.param(False, False, [(TKT_7, "undeliverable")], id="W4: one that is refused at once"),
        pytest.param(False, True, [], id="P17: one that is kept back for fear of a loop"),
    ],
)
def test_of_an_automatic_message_a_ticket_hears_that_it_came_back(left, kept_back, told):
    story = with_tickets(Stage.WAITING_ON_USER, TicketStage.PENDING)
    speaks = SpeaksFor(ticket_id=TKT_7, asks="information")
    wanted = ReplyWanted(conversation_id=story.id, at=story.now, text="Are you there?", speaks_for=speaks)
    story.tell(SendWanted(story.id, ReplyId(new_id()), wanted, Sending(timedelta(), frozenset({"email"}))))
    if left:
        story.report()
    assert spoken(story.bounce(kept_back=kept_back)) == told


def test_c17_a_reply_that_was_thought_lost_and_arrived_spoke_for_its_ticket():
    story = with_tickets(Stage.NEEDS_RESPONSE, TicketStage.OPEN)
    story.reply(speaks_for=(SpeaksFor(ticket_id=TKT_7, asks="information"),))
    story.bounce()
    (arrived,) = of_kind(story.report(DeliveryState.DELIVERED), TicketSpokenFor)
    assert arrived.speaks == SpeaksFor(ticket_id=TKT_7, asks="information")
    assert spoken(story.bounce()) == []


@pytest.mark.parametrize("state", [DeliveryState.SENT, DeliveryState.DELIVERED, DeliveryState.UNKNOWN])
def test_c17_what_did_not_fail_for_good_is_no_news_for_tickets(state):
    story = with_tickets(Stage.NEEDS_RESPONSE, TicketStage.OPEN)
    story.reply(speaks_for=(SpeaksFor(ticket_id=TKT_7),))
    assert spoken(story.report(state)) == []


def test_c17_a_reply_that_may_still_arrive_is_sent_again_without_telling_its_tickets():
    story = with_tickets(Stage.NEEDS_RESPONSE, TicketStage.OPEN)
    story.reply(speaks_for=(SpeaksFor(ticket_id=TKT_7),))
    assert spoken(story.report(DeliveryState.FAILED, reason="451 greylisted")) == []
    assert spoken(story.again()) == []


@pytest.mark.parametrize(
    ("sender", "more", "told"),
    [
        pytest.param(person("m@evil.example"), {"verified": False}, 0, id="P15: a stranger moves no ticket"),
        pytest.param(person(), {"automatic": OUT_OF_OFFICE}, 0, id="C9: automatic mail moves no ticket"),
        pytest.param(person(), {}, 1, id="W3: the requester does"),
    ],
)
def test_whose_words_tickets_hear(sender, more, told):
    story = with_tickets(Stage.WAITING_ON_USER, TicketStage.PENDING)
    contact = {} if sender == person() else {"contact": None}
    assert len(of_kind(story.customer(sender=sender, **contact, **more), CustomerAnswered)) == told


def test_w3_a_reply_speaks_for_linked_tickets_only_and_for_none_that_is_final():
    story = with_tickets(Stage.NEEDS_RESPONSE, TicketStage.CLOSED)
    for ticket_id, code in ((TKT_8, "ticket_not_linked"), (TKT_7, "ticket_is_closed")):
        with pytest.raises(Refused) as refused:
            story.reply(speaks_for=(SpeaksFor(ticket_id=ticket_id),))
        assert refused.value.code == code


@pytest.mark.parametrize(
    ("wait", "kind"),
    [
        pytest.param(TICKET, TicketAwaited, id="C8: a ticket hears that it is waited for"),
        pytest.param(Wait(kind="issue", name="ISS-31"), IssueAwaited, id="C8: an issue does"),
        pytest.param(CARLA, None, id="C8: a person is told by people"),
        pytest.param(Wait(kind="ticket", name="the one about mails"), None, id="C8: a ticket without a number"),
        pytest.param(Wait(kind="ticket", name="TKT-" + "9" * 40), None, id="C8: a number that no ticket has"),
    ],
)
def test_who_hears_that_he_is_waited_for(wait, kind):
    story = in_stage(Stage.NEW)
    told = story.hold(wait)[1:]
    assert [type(event) for event in told] == ([kind] if kind else [])
    assert {event.key() for event in told} <= {wait.name}


def test_c8_an_issue_without_a_ticket_ends_a_hold_and_a_second_report_does_nothing():
    story = in_stage(Stage.NEW)
    story.hold(Wait(kind="issue", name="ISS-31"))
    ended = IssueEnded(conversation_id=story.id, at=NOON, name="ISS-31", ended="completed", prepared="Done.")
    assert names(story.tell(ended)) == ["wait_ended"]
    assert story.facts.stage is Stage.NEEDS_RESPONSE
    assert story.tell(ended) == []


def test_w11_the_next_answer_takes_the_prepared_ones_away_a_signal_does_not():
    story = in_stage(Stage.HOLD)
    report(story, ended="completed", prepared="Good news.")
    story.reply("On it.", signal=True)
    assert len(story.facts.prepared) == 1
    story.reply("Good news.")
    assert (story.facts.prepared, story.facts.stage) == ((), Stage.WAITING_ON_USER)


@pytest.mark.parametrize(
    ("stage", "after", "tickets", "dismissed", "suggests"),
    [
        pytest.param(Stage.NEW, FIVE_MINUTES, 0, False, True, id="C7: five minutes after it was first valid"),
        pytest.param(Stage.NEW, timedelta(minutes=4), 0, False, False, id="C7: not earlier"),
        pytest.param(Stage.HOLD, FIVE_MINUTES, 0, False, True, id="C7: in whatever open stage"),
        pytest.param(Stage.NEW, FIVE_MINUTES, 1, False, False, id="C7: not where there is a ticket"),
        pytest.param(Stage.NEW, FIVE_MINUTES, 0, True, False, id="C7: not once dismissed"),
        pytest.param(Stage.SUSPENDED, FIVE_MINUTES, 0, False, False, id="C7: not before it is valid"),
        pytest.param(Stage.RESOLVED, FIVE_MINUTES, 0, False, False, id="C7: not when it is closed"),
    ],
)
def test_when_a_conversation_suggests_a_ticket(stage, after, tickets, dismissed, suggests):
    story = with_tickets(stage, *[TicketStage.OPEN] * tickets)
    if dismissed:
        assert names(story.ask(DismissTicketSuggestion)) == ["ticket_suggestion_dismissed"]
        assert story.ask(DismissTicketSuggestion) == []
    (noted,) = with_suggestion(story.ask(ChangeTags, add={"stalled": ""}), FIVE_MINUTES)
    valid = story.facts.valid_at or story.now
    assert isinstance(noted, ConversationEvent)
    assert suggests_ticket(noted.after, valid + after) is suggests


def test_w2_a_ticket_is_prefilled_from_the_chosen_messages():
    story = in_stage(Stage.NEW)
    one, two = letter("It crashes."), letter("It crashes again.")
    prefill = prefilled(story.facts, [one, two])
    assert (prefill["title"], prefill["text"]) == ("Help", "It crashes.\n\nIt crashes again.")
    assert prefill["messages"] == [str(one.id), str(two.id)]
    assert (prefill["requester"]["name"], prefill["conversation"]["number"], prefill["channel"]) == ("Ada", 12, "email")
    assert len(prefilled(story.facts, [letter("x" * 40_000)])["text"]) <= 16 * 1024
