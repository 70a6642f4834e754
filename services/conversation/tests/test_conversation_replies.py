"""Replies: undo and release (C17), what is sent and to whom, starting (C8), signals (C9)."""

from datetime import timedelta

import pytest

from deskstream.contracts import Refused
from deskstream.contracts import conversation as asked
from deskstream.contracts.facts import Stage
from deskstream.contracts.inbound import DeliveryState
from deskstream.conversation.domain import due
from deskstream.conversation.domain.messages import TimeCame
from deskstream.conversation.domain.state import QUEUE_LIMIT, REFERENCES_LIMIT
from services.conversation.tests.given import (
    TICKET,
    UNDO,
    Story,
    in_stage,
    names,
    outbound,
    person,
)

NEW, WAITING, NEEDS, HOLD = Stage.NEW, Stage.WAITING_ON_USER, Stage.NEEDS_RESPONSE, Stage.HOLD
SENT = DeliveryState.SENT
SECOND = timedelta(seconds=1)


def refused(ask):
    with pytest.raises(Refused) as no:
        ask()
    return no.value


# Undo and release


def test_c17_a_reply_waits_its_undo_time_and_changes_neither_stage_nor_clocks():
    story = in_stage(NEW)
    waiting_since = story.facts.oldest_unanswered_at
    [queued] = story.reply(undo=UNDO)
    assert queued.NAME == "reply_queued"
    assert (queued.after.stage, queued.after.oldest_unanswered_at) == (NEW, waiting_since)
    assert queued.reply.release_at == due(story.state) == story.now + UNDO


def test_c17_at_its_release_stage_and_clocks_change_and_the_channel_gets_it():
    story = in_stage(NEW)
    story.reply(undo=UNDO)
    written_at = story.now
    replied, sent = story.wake()
    assert (replied.at, sent.at) == (written_at + UNDO, written_at + UNDO)
    assert (replied.stage_before, replied.after.stage) == (NEW, WAITING)
    assert (replied.after.oldest_unanswered_at, replied.after.public_replies) == (None, 1)
    assert (sent.subject(), sent.text, sent.to) == (f"outbound.email.{story.id}", "Try again.", person())
    assert due(story.state) is None


def test_c17_undone_in_time_nothing_leaves():
    story = in_stage(NEW)
    [queued] = story.reply(undo=UNDO)
    [undone] = story.ask(asked.UndoReply, reply_id=queued.reply.id, after=SECOND)
    assert (undone.NAME, undone.after.stage, due(story.state)) == ("reply_withdrawn", NEW, None)


@pytest.mark.parametrize(
    ("reply_id", "code"),
    [
        pytest.param(
            lambda s: s.open.deliveries[-1].reply_id, "reply_has_left", id="C17: what has left cannot be undone"
        ),
        pytest.param(lambda s: s.id, "reply_not_found", id="what never was cannot be undone"),
    ],
)
def test_too_late_or_unknown(reply_id, code):
    story = in_stage(WAITING)
    assert refused(lambda: story.ask(asked.UndoReply, reply_id=reply_id(story))).code == code


def test_c17_without_undo_time_it_leaves_at_once():
    assert names(in_stage(NEW).reply()) == ["agent_replied", "outbound_message"]


def test_only_what_is_due_leaves_and_in_the_order_it_was_written():
    story = in_stage(NEW)
    story.reply("one", undo=UNDO)
    story.reply("two", undo=UNDO, after=SECOND)
    story.reply("three", undo=UNDO, after=SECOND)
    said = story.tell(TimeCame(), after=UNDO - SECOND)
    assert [event.text for event in outbound(said)] == ["one", "two"]
    assert due(story.state) is not None
    assert story.tell(TimeCame(), after=timedelta(0)) == []


def test_too_many_replies_cannot_wait_at_once():
    story = in_stage(NEW)
    for _ in range(QUEUE_LIMIT):
        story.reply(undo=UNDO, after=timedelta(0))
    assert refused(lambda: story.reply(undo=UNDO, after=timedelta(0))).code == "too_many_replies_queued"


def test_a_message_that_comes_in_during_the_undo_time_still_needs_a_response():
    story = in_stage(NEEDS)
    story.reply(undo=UNDO)
    story.customer("One more thing", after=SECOND)
    meanwhile = story.now
    replied = story.wake()[0]
    assert (replied.after.stage, replied.after.oldest_unanswered_at) == (NEEDS, meanwhile)
    assert replied.after.public_replies == 2


def test_a_first_reply_that_a_message_overtook_counts_as_given_and_the_message_as_unanswered():
    story = in_stage(NEW)
    story.reply(undo=UNDO)
    story.customer("One more thing", after=SECOND)
    meanwhile = story.now
    replied = story.wake()[0]
    assert (replied.stage_before, replied.after.stage) == (NEW, NEEDS)
    assert (replied.after.public_replies, replied.after.oldest_unanswered_at) == (1, meanwhile)


def test_a_reply_written_after_that_message_answers_it():
    story = in_stage(NEW)
    story.reply("one", undo=UNDO)
    story.customer("One more thing", after=SECOND)
    story.reply("two", undo=UNDO, after=SECOND)
    replied = [event for event in story.tell(TimeCame(), after=UNDO) if event.NAME == "agent_replied"]
    assert [event.after.stage for event in replied] == [NEEDS, WAITING]
    assert story.facts.oldest_unanswered_at is None


def test_put_on_hold_while_it_waits_a_reply_is_an_update():
    story = in_stage(NEW)
    story.reply("I ask our engineers.", undo=UNDO)
    story.hold(TICKET)
    replied = story.tell(TimeCame(), after=UNDO)[0]
    assert (replied.stage_before, replied.after.stage, replied.after.waits) == (HOLD, HOLD, (TICKET,))


@pytest.mark.parametrize("close", ["resolve", "archive"])
def test_closing_lets_what_waits_leave_first_so_that_it_counts(close):
    story = in_stage(NEW)
    story.reply(undo=UNDO)
    said = getattr(story, close)()
    assert names(said)[:2] == ["agent_replied", "outbound_message"]
    assert [event.after.public_replies for event in said if hasattr(event, "after")] == [1, 1]
    assert due(story.state) is None


def test_to_spam_nothing_leaves_any_more():
    story = in_stage(NEW)
    story.reply("one", undo=UNDO)
    story.reply("two", undo=UNDO)
    assert names(story.review("spam")) == ["reply_withdrawn", "reply_withdrawn", "suspicion_reviewed"]
    assert due(story.state) is None


# What is sent


def test_a_reply_goes_to_the_requester_and_to_whom_the_first_message_copied():
    story = Story()
    story.customer(copied=(person("cc@acme.com"),))
    story.add(person("eve@vendor.com"))
    story.add(person("carla@desk.example"), side="dev_org")
    [sent] = outbound(story.reply(asks_solved=True))
    assert sent.to == person()
    assert [copy.email for copy in sent.copied] == ["cc@acme.com", "eve@vendor.com"]
    assert (sent.number, sent.author, sent.title, sent.asks_solved) == (12, "anna", "It does not work.", True)


def test_p15_strangers_and_those_copied_later_get_nothing_before_an_agent_agrees():
    story = in_stage(NEW)
    story.customer(
        sender=person("mallory@evil.example"), verified=False, copied=(person("x@evil.example"),), contact=None
    )
    story.customer(copied=(person("y@evil.example"),))
    assert outbound(story.reply())[0].copied == ()
    story.add(person("mallory@evil.example"))
    assert [copy.email for copy in outbound(story.reply())[0].copied] == ["mallory@evil.example"]


def test_the_answer_goes_where_the_requester_wrote_from_last():
    story = in_stage(WAITING)
    story.customer(sender=person("ada@home.example"))
    assert outbound(story.reply())[0].to == person("ada@home.example")


def test_it_names_the_message_it_answers_and_the_thread():
    story = Story()
    story.customer(external_id="<1@acme>")
    story.reply()
    story.report(SENT, external_id="<2@desk>")
    story.customer(external_id="<3@acme>")
    story.customer(external_id="<x@evil>", sender=person("m@evil.example"), verified=False, contact=None)
    [sent] = outbound(story.reply(confirm=True))
    assert (sent.in_reply_to, sent.references) == ("<3@acme>", ("<1@acme>", "<2@desk>", "<3@acme>"))


def test_of_a_long_thread_it_names_the_beginning_and_the_latest():
    story = Story()
    for n in range(REFERENCES_LIMIT + 5):
        story.customer(external_id=f"<{n}@acme>")
    story.customer(external_id="<" + "x" * 900 + "@acme>")
    [sent] = outbound(story.reply())
    assert len(sent.references) == REFERENCES_LIMIT
    assert (sent.references[0], sent.references[-1]) == ("<0@acme>", f"<{REFERENCES_LIMIT + 4}@acme>")
    assert sent.in_reply_to is not None
    assert len(sent.in_reply_to) > 900


# Signals


def test_c9_a_signal_is_sent_and_stops_no_clock():
    story = in_stage(NEW)
    since = story.facts.oldest_unanswered_at
    replied, sent = story.reply("I'm on it.", signal=True)
    assert (replied.after.stage, replied.after.public_replies, replied.after.oldest_unanswered_at) == (NEW, 0, since)
    assert sent.text == "I'm on it."


def test_a_lost_signal_takes_nothing_back():
    story = in_stage(WAITING)
    story.reply("I'm on it.", signal=True)
    [changed] = story.bounce()
    assert (changed.after.stage, changed.after.public_replies) == (WAITING, 1)
