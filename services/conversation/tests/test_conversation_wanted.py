"""W4, W11, R11: what tickets ask to send leaves, or a note and the ticket say why it does not."""

import pytest

from deskstream.contracts.facts import Stage
from deskstream.contracts.ids import ReplyId
from deskstream.contracts.linked import SpeaksFor
from deskstream.contracts.ticket_talk import ReachChanged, TicketNotSpokenFor, TicketSpokenFor
from deskstream.contracts.way_back import ReplyWanted
from deskstream.conversation.domain.messages import Sending, SendWanted
from deskstream.conversation.domain.replying import REPLY_LIMIT
from deskstream.conversation.domain.state import QUEUE_LIMIT
from deskstream.conversation.domain.wanted import reach
from services.conversation.tests.given import (
    AT_ONCE,
    TKT_7,
    TKT_8,
    UNDO,
    Story,
    chosen,
    in_stage,
    names,
    new_id,
    of_kind,
    report,
)

EMAIL = frozenset({"email"})


def with_ticket(stage):
    story = in_stage(stage)
    report(story)
    return story


def wanted(story, text="It is fixed.", *, by="anna", undo=AT_ONCE, channels=("email",), asks="confirmation"):
    speaks = SpeaksFor(ticket_id=TKT_7, asks=asks)
    event = ReplyWanted(conversation_id=story.id, at=story.now, text=text, by=by, speaks_for=speaks)
    return story.tell(SendWanted(story.id, ReplyId(new_id()), event, Sending(undo, frozenset(channels))))


def test_w11_an_approved_answer_leaves_in_the_name_of_its_author_after_its_undo_time():
    story = with_ticket(Stage.NEEDS_RESPONSE)
    (queued,) = wanted(story, undo=UNDO)
    assert (queued.NAME, queued.reply.author, queued.reply.automatic, queued.reply.asks_solved) == (
        "reply_queued", "anna", False, True,
    )  # fmt: skip
    assert names(story.wake()) == ["agent_replied", "outbound_message", "ticket_spoken_for"]
    assert story.facts.stage is Stage.WAITING_ON_USER


def test_w4_a_reminder_leaves_at_once_is_automatic_and_moves_nothing():
    story = with_ticket(Stage.WAITING_ON_USER)
    said = wanted(story, by=None, undo=UNDO)
    assert names(said) == ["agent_replied", "outbound_message", "ticket_spoken_for"]
    assert (said[0].reply.automatic, said[1].automatic, said[1].reminds, said[2].automatic) == (True,) * 4
    assert said[1].asks_solved
    assert (story.facts.stage, story.facts.public_replies) == (Stage.WAITING_ON_USER, 1)


def queue_full():
    story = with_ticket(Stage.NEEDS_RESPONSE)
    for _ in range(QUEUE_LIMIT):
        wanted(story, undo=UNDO * 100)
    return story


CANNOT = [
    pytest.param(lambda: with_ticket(Stage.ARCHIVED), {}, "archived", id="W11: an archived conversation"),
    pytest.param(lambda: with_ticket(Stage.SUSPENDED), {}, "suspended", id="P17: a suspended one"),
    pytest.param(lambda: with_ticket(Stage.NEEDS_RESPONSE), {"channels": ()}, "no_adapter", id="W11: nothing sends"),
    pytest.param(queue_full, {"undo": UNDO}, "queue_full", id="C17: too many wait to be released"),
    pytest.param(
        lambda: with_ticket(Stage.NEEDS_RESPONSE), {"text": "x" * REPLY_LIMIT}, "too_large", id="C17: it is too large"
    ),
]


@pytest.mark.parametrize(("given", "more", "why"), CANNOT)
def test_an_approved_answer_that_cannot_leave_is_noted_for_who_has_to_act_and_told_to_the_ticket(given, more, why):
    story = given()
    story.absorb(chosen("bruno"))
    stage, before = story.facts.stage, story.facts.public_replies
    said = wanted(story, **more)
    assert names(said) == ["note_added", "ticket_not_spoken_for"]
    note, not_sent = said[0].note, said[1]
    assert (note.author, note.mentions) == ("deskstream", ("anna", "bruno"))
    assert note.text.startswith("@anna The answer that you approved for TKT-7 was not sent: ")
    assert note.text.endswith(more.get("text", "It is fixed."))
    assert (not_sent.ticket_id, not_sent.why, not_sent.by, not_sent.automatic) == (TKT_7, why, "anna", False)
    assert (story.facts.stage, story.facts.public_replies) == (stage, before)


@pytest.mark.parametrize(("given", "more", "why"), [row for row in CANNOT if row.values[2] != "queue_full"])
def test_w4_of_a_reminder_that_cannot_leave_the_ticket_hears_and_tells_its_owner(given, more, why):
    (not_sent,) = wanted(given(), by=None, asks=None, **more)
    assert isinstance(not_sent, TicketNotSpokenFor)
    assert (not_sent.why, not_sent.automatic) == (why, True)


def test_w4_a_conversation_that_does_not_exist_says_so():
    (not_sent,) = wanted(Story(), by=None, asks=None)
    assert (not_sent.ticket_id, not_sent.why, not_sent.automatic) == (TKT_7, "unknown_conversation", True)


def test_p17_what_waited_when_it_turned_out_to_be_spam_is_told_to_its_ticket():
    story = with_ticket(Stage.NEW)
    (queued,) = wanted(story, undo=UNDO)
    (not_sent,) = of_kind(story.review("spam"), TicketNotSpokenFor)
    assert (not_sent.reply_id, not_sent.why) == (queued.reply.id, "withdrawn")


@pytest.mark.parametrize("ends", ["wake", "resolve", "archive"])
def test_w11_every_wanted_answer_is_reported_once(ends):
    story = with_ticket(Stage.NEEDS_RESPONSE)
    wanted(story, undo=UNDO)
    said = getattr(story, ends)()
    assert len(of_kind(said, TicketSpokenFor)) == 1
    assert of_kind(said, TicketNotSpokenFor) == []


def reached(story, before, said, channels=EMAIL):
    told = of_kind(reach(before, said, channels, story.now), ReachChanged)
    return [(event.ticket_id, event.conversation.silenced) for event in told]


@pytest.mark.parametrize(
    ("stage", "step", "told"),
    [
        pytest.param(Stage.RESOLVED, Story.archive, [(TKT_7, "archived")], id="W11: archived"),
        pytest.param(
            Stage.NEW, lambda s: s.review("spam"), [(TKT_7, "suspended")], id="P17: spam that slipped through"
        ),
        pytest.param(Stage.SUSPENDED, lambda s: s.review("valid"), [(TKT_7, None)], id="W11: found valid"),
        pytest.param(Stage.NEEDS_RESPONSE, Story.resolve, [], id="C6: resolved can still be written in"),
        pytest.param(Stage.ARCHIVED, lambda s: report(s, TKT_8, 8), [(TKT_8, "archived")], id="W11: linked afterwards"),
        pytest.param(Stage.ARCHIVED, lambda s: s.note(), [], id="W11: told once"),
    ],
)
def test_tickets_hear_whether_anything_can_be_sent_here(stage, step, told):
    story = with_ticket(stage)
    before = story.state
    assert reached(story, before, step(story)) == told


def test_w11_a_ticket_hears_when_it_is_linked_that_nothing_sends_on_the_channel():
    story = in_stage(Stage.NEEDS_RESPONSE)
    before = story.state
    assert reached(story, before, report(story), channels=frozenset()) == [(TKT_7, "no_adapter")]


def test_a_conversation_without_tickets_tells_nobody():
    story = in_stage(Stage.RESOLVED)
    before = story.state
    assert reached(story, before, story.archive()) == []
