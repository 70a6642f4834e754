"""How far replies get (C17): which report counts, what a failure brings back, sending again."""

import pytest

from deskstream.contracts import Refused
from deskstream.contracts.facts import Stage
from deskstream.contracts.inbound import DeliveryState
from deskstream.conversation.domain.state import DELIVERIES_LIMIT
from services.conversation.tests.given import (
    TICKET,
    UNDO,
    Story,
    in_stage,
)

NEW, WAITING, NEEDS, HOLD = Stage.NEW, Stage.WAITING_ON_USER, Stage.NEEDS_RESPONSE, Stage.HOLD
RESOLVED, ARCHIVED = Stage.RESOLVED, Stage.ARCHIVED
QUEUED, SENT, DELIVERED = DeliveryState.QUEUED, DeliveryState.SENT, DeliveryState.DELIVERED
FAILED, UNKNOWN = DeliveryState.FAILED, DeliveryState.UNKNOWN


def refused(ask):
    with pytest.raises(Refused) as no:
        ask()
    return no.value


# Deliveries


@pytest.mark.parametrize(
    ("reports", "shown"),
    [
        pytest.param([SENT, DELIVERED], [SENT, DELIVERED], id="C17: sent, then delivered"),
        pytest.param([DELIVERED, SENT], [DELIVERED], id="C17: sent reported late"),
        pytest.param([SENT, SENT], [SENT], id="C17: sent reported twice"),
        pytest.param([QUEUED], [], id="C17: queued is known"),
        pytest.param([UNKNOWN, SENT], [UNKNOWN, SENT], id="P9: unknown, then looked up"),
        pytest.param([SENT, UNKNOWN], [SENT], id="C17: unknown after sent is no news"),
        pytest.param([FAILED, UNKNOWN, FAILED], [FAILED, UNKNOWN, FAILED], id="C17: of what may mend, the latest"),
        pytest.param([FAILED, SENT], [FAILED, SENT], id="C17: it mended"),
        pytest.param([SENT, FAILED], [SENT], id="C17: a failure that may mend after sent is no news"),
    ],
)
def test_the_furthest_state_counts(reports, shown):
    story = in_stage(WAITING)
    said = [event for report in reports for event in story.report(report)]
    assert [event.state for event in said] == shown
    assert story.facts.stage is WAITING


@pytest.mark.parametrize(
    "late",
    [
        pytest.param(lambda s: s.report(SENT), id="C17: sent after the bounce"),
        pytest.param(lambda s: s.report(FAILED), id="C17: a failure that may mend after the bounce"),
        pytest.param(lambda s: s.bounce(), id="C17: the bounce again"),
    ],
)
def test_a_bounce_is_not_unsaid(late):
    story = in_stage(WAITING)
    story.report(SENT)
    story.bounce()
    assert late(story) == []


def test_what_was_delivered_does_not_bounce():
    story = in_stage(WAITING)
    story.report(DELIVERED)
    assert story.bounce() == []


@pytest.mark.parametrize("of", ["unknown", "queued"])
def test_reports_on_what_never_left_are_harmless(of):
    story = in_stage(WAITING)
    [queued] = story.reply(undo=UNDO)
    assert story.report(SENT, of=queued.reply.id if of == "queued" else story.id) == []


def test_a_report_on_a_conversation_that_does_not_exist_is_harmless():
    story = Story()
    assert story.report(SENT, of=story.id) == []


def test_a_report_on_a_reply_long_ago_is_harmless():
    story = in_stage(WAITING)
    first = story.open.deliveries[0].id
    for _ in range(DELIVERIES_LIMIT):
        story.reply()
    assert story.bounce(of=first) == []
    assert len(story.open.deliveries) == DELIVERIES_LIMIT


# Failures


@pytest.mark.parametrize(
    ("stage", "after"),
    [
        pytest.param(WAITING, NEEDS, id="C17: waiting on the user, it needs a response"),
        pytest.param(NEEDS, NEEDS, id="C17: it needs a response already"),
        pytest.param(HOLD, NEEDS, id="C17: on hold, somebody has to write again first"),
        pytest.param(RESOLVED, NEEDS, id="C17: resolved by an answer that never arrived"),
        pytest.param(ARCHIVED, ARCHIVED, id="C8: archived is final"),
    ],
)
def test_a_permanent_failure_returns_it(stage, after):
    story = in_stage(NEW)
    asked_at = story.facts.oldest_unanswered_at
    story.reply()
    match stage:
        case Stage.NEEDS_RESPONSE:
            story.customer()
        case Stage.HOLD:
            story.hold(TICKET)
        case Stage.RESOLVED:
            story.resolve()
        case Stage.ARCHIVED:
            story.archive()
    [changed] = story.bounce()
    assert (changed.stage_before, changed.after.stage, changed.reason) == (stage, after, "550 no such user")
    assert changed.after.public_replies == 0
    assert changed.after.oldest_unanswered_at == (None if after is ARCHIVED else asked_at)
    assert (changed.after.waits, changed.after.resolution) == ((), None)


def test_c17_a_failure_that_may_mend_changes_nothing_but_what_is_shown():
    story = in_stage(WAITING)
    [changed] = story.report(FAILED, reason="451 try later")
    assert (changed.after.stage, changed.after.public_replies, changed.reason) == (WAITING, 1, "451 try later")


def test_c17_the_clock_stays_stopped_when_a_later_reply_arrived():
    story = in_stage(NEW)
    story.reply("one")
    first = story.open.deliveries[-1].id
    story.reply("two")
    [changed] = story.bounce(of=first)
    assert (changed.after.stage, changed.after.public_replies, changed.after.oldest_unanswered_at) == (NEEDS, 1, None)


def test_c17_when_that_one_is_lost_too_the_oldest_clock_counts_on():
    story = in_stage(NEW)
    asked_at = story.facts.oldest_unanswered_at
    story.reply("one")
    first = story.open.deliveries[-1].id
    story.customer()
    story.reply("two")
    story.bounce(of=first)
    [changed] = story.bounce()
    assert (changed.after.public_replies, changed.after.oldest_unanswered_at) == (0, asked_at)


def test_c17_in_whatever_order_they_are_lost():
    story = in_stage(NEW)
    asked_at = story.facts.oldest_unanswered_at
    story.reply("one")
    first = story.open.deliveries[-1].id
    story.customer()
    again_at = story.now
    story.reply("two")
    [changed] = story.bounce()
    assert changed.after.oldest_unanswered_at == again_at
    [changed] = story.bounce(of=first)
    assert (changed.after.public_replies, changed.after.oldest_unanswered_at) == (0, asked_at)


# Retries


def test_c17_a_failed_reply_is_sent_again_under_another_id():
    story = in_stage(WAITING)
    lost = story.open.deliveries[-1]
    story.bounce()
    replied, sent = story.again()
    assert (replied.stage_before, replied.after.stage, replied.after.oldest_unanswered_at) == (NEEDS, WAITING, None)
    assert replied.after.public_replies == 1
    assert replied.reply.id == lost.reply_id
    assert sent.reply_id == replied.delivery_id != lost.id
    assert story.bounce(of=lost.id) == []
    [changed] = story.report(SENT, of=sent.reply_id)
    assert (changed.reply_id, changed.state) == (lost.reply_id, SENT)


def test_c17_lost_again_the_old_clock_counts_on_again():
    story = in_stage(NEW)
    asked_at = story.facts.oldest_unanswered_at
    story.reply()
    story.bounce()
    story.again()
    [changed] = story.bounce()
    assert (changed.after.stage, changed.after.oldest_unanswered_at) == (NEEDS, asked_at)


def test_what_failed_for_the_moment_has_counted_all_the_time():
    story = in_stage(WAITING)
    story.report(FAILED)
    replied = story.again()[0]
    assert (replied.after.stage, replied.after.public_replies) == (WAITING, 1)


def test_a_retry_answers_only_what_its_text_answered():
    story = in_stage(WAITING)
    story.bounce()
    story.customer("By the way")
    asked_at = story.now
    replied = story.again()[0]
    assert (replied.after.stage, replied.after.oldest_unanswered_at) == (NEEDS, asked_at)


@pytest.mark.parametrize(
    ("prepare", "code"),
    [
        pytest.param(lambda s: None, "reply_has_not_failed", id="C17: it is still queued"),
        pytest.param(
            lambda s: s.report(UNKNOWN), "reply_has_not_failed", id="P9: unknown is looked up, not sent again"
        ),
        pytest.param(lambda s: s.report(DELIVERED), "reply_has_not_failed", id="C17: it arrived"),
        pytest.param(lambda s: (s.bounce(), s.archive()), "conversation_is_archived", id="C8: archived is final"),
        pytest.param(
            lambda s: (s.bounce(), s.replies.update(dict.fromkeys(s.replies))), "reply_not_found", id="no text"
        ),
    ],
)
def test_a_retry_is_refused(prepare, code):
    story = in_stage(WAITING)
    prepare(story)
    assert refused(story.again).code == code


def test_a_second_retry_of_the_same_failure_is_refused():
    story = in_stage(WAITING)
    story.bounce()
    story.again()
    assert refused(story.again).code == "reply_has_not_failed"
