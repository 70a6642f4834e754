"""Replies: undo and release (C17), the last-seen guard (C16), signals (C9), deliveries, failures, retries."""

from datetime import timedelta

import pytest

from deskstream.contracts import Refused
from deskstream.contracts import conversation as asked
from deskstream.contracts.facts import Stage
from deskstream.contracts.inbound import Attachment, DeliveryState
from deskstream.conversation.domain import due
from deskstream.conversation.domain.messages import TimeCame
from deskstream.conversation.domain.state import DELIVERIES_LIMIT, QUEUE_LIMIT, REFERENCES_LIMIT
from services.conversation.tests.given import (
    BRUNO,
    TICKET,
    UNDO,
    Story,
    in_stage,
    names,
    outbound,
    person,
    started,
    written,
)

NEW, WAITING, NEEDS, HOLD = Stage.NEW, Stage.WAITING_ON_USER, Stage.NEEDS_RESPONSE, Stage.HOLD
RESOLVED, ARCHIVED, SUSPENDED = Stage.RESOLVED, Stage.ARCHIVED, Stage.SUSPENDED
QUEUED, SENT, DELIVERED = DeliveryState.QUEUED, DeliveryState.SENT, DeliveryState.DELIVERED
FAILED, UNKNOWN = DeliveryState.FAILED, DeliveryState.UNKNOWN
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


# The last-seen guard


def newer(story, **more):
    return refused(lambda: story.reply(last_seen=1, **more))


@pytest.mark.parametrize(
    ("happens", "kind", "author"),
    [
        pytest.param(lambda s: s.customer("And now this"), "customer", "ada@acme.com", id="C16: the customer wrote"),
        pytest.param(lambda s: s.reply("And now this", by=BRUNO), "reply", "bruno", id="C16: a colleague replied"),
        pytest.param(
            lambda s: s.reply("And now this", by=BRUNO, undo=UNDO),
            "reply",
            "bruno",
            id="C16: a colleague's reply waits",
        ),
        pytest.param(lambda s: s.note("And now this", by=BRUNO), "note", "bruno", id="C16: a colleague noted"),
    ],
)
def test_what_somebody_else_wrote_in_between_is_shown_first(happens, kind, author):
    story = in_stage(NEW)
    happens(story)
    no = newer(story)
    assert no.code == "newer_messages"
    assert no.details["newer"] == [{"version": 2, "kind": kind, "author": author, "text": "And now this"}]
    assert "agent_replied" in names(story.reply(last_seen=1, confirm=True))


@pytest.mark.parametrize(
    "happens",
    [
        pytest.param(lambda s: s.reply(), id="C16: one's own reply"),
        pytest.param(lambda s: s.note(), id="C16: one's own note"),
        pytest.param(lambda s: s.hold(), id="C16: a hold"),
        pytest.param(
            lambda s: s.customer(automatic={"kind": "auto_reply", "reason": "away"}), id="C16: automatic mail"
        ),
        pytest.param(
            lambda s: s.ask(asked.UndoReply, reply_id=s.reply(by=BRUNO, undo=UNDO)[0].reply.id),
            id="C16: a colleague's reply that was undone",
        ),
    ],
)
def test_what_nobody_else_wrote_stops_no_reply(happens):
    story = in_stage(NEW)
    happens(story)
    assert story.reply(last_seen=1)


def test_c16_it_is_enough_to_have_seen_it():
    story = in_stage(NEW)
    story.customer()
    assert story.reply(last_seen=story.facts.version)


def test_c16_however_much_one_wrote_oneself_the_other_is_not_forgotten():
    story = in_stage(NEW)
    story.note("Do not answer!", by=BRUNO)
    for _ in range(20):
        story.note("mine")
    no = newer(story)
    assert [item["author"] for item in no.details["newer"]] == ["bruno"]


def test_c16_a_customer_who_calls_herself_like_the_agent_is_somebody_else():
    story = Story()
    story.customer()
    story.customer(sender=person(name="anna"))
    assert newer(story).code == "newer_messages"


def test_c16_long_texts_are_shown_shortened():
    story = in_stage(NEW)
    story.customer("word " * 5000)
    assert len(newer(story).details["newer"][0]["text"]) <= 140


def test_nobody_can_have_seen_the_future():
    story = in_stage(NEW)
    assert refused(lambda: story.reply(last_seen=10**9)).code == "last_seen_is_ahead"


# What a reply must not be


@pytest.mark.parametrize(
    ("more", "code"),
    [
        pytest.param({"text": " \n\t"}, "text_is_empty", id="nothing but blanks"),
        pytest.param({"text": "\x00\x07"}, "text_is_empty", id="nothing but control characters"),
        pytest.param({"text": "😀" * 9000}, "text_is_too_long", id="more bytes than a message holds"),
        pytest.param({"by": None}, "author_is_missing", id="from nobody"),
        pytest.param({"by": ""}, "author_is_missing", id="from an empty name"),
        pytest.param({"by": "a" * 65}, "author_is_missing", id="from an endless name"),
        pytest.param({"by": "anna\nbcc"}, "author_is_missing", id="from a name with a line break"),
        pytest.param({"text": 'a"\n' * 10_000}, "reply_is_too_large", id="a text that grows when it is quoted"),
        pytest.param(
            {"attachments": tuple(Attachment(name="😀" * 998, size=1, sha256="a" * 64) for _ in range(20))},
            "reply_is_too_large",
            id="with files whose names fill a message",
        ),
        pytest.param({"drops": ("TKT-9",)}, "not_waiting_for", id="dropping what is not waited for"),
        pytest.param({"drops": ("TKT-9",), "signal": True}, "signal_drops_nothing", id="a signal that drops something"),
        pytest.param(
            {"attachments": (Attachment(name="a.pdf", size=3, content_base64="YWJj"),)},
            "attachment_is_not_stored",
            id="with a file in its belly",
        ),
        pytest.param({"channels": ("slack",)}, "channel_sends_nothing", id="on a channel that sends nothing"),
    ],
)
def test_a_reply_is_refused(more, code):
    story = in_stage(NEW)
    assert refused(lambda: story.tell(written(last_seen=1, **more))).code == code
    assert story.facts.version == 1


def test_control_characters_are_removed_and_lines_kept():
    story = in_stage(NEW)
    [sent] = outbound(story.reply("  Dear Ada,\r\n\x1b[31m\x00red\x9b\n"))
    assert sent.text == "Dear Ada,\n[31mred"


def test_an_agent_starts_and_can_undo_his_first_message():
    story = Story()
    opened, queued = story.tell(started(undo=UNDO))
    assert (opened.after.kind, opened.after.title, opened.requester) == ("agent", "Certificate", person())
    story.ask(asked.UndoReply, reply_id=queued.reply.id, after=SECOND)
    assert (story.facts.stage, story.facts.oldest_unanswered_at) == (NEW, None)


def test_a_started_conversation_whose_message_never_left_owes_a_first_response_when_the_customer_writes():
    story = Story()
    story.tell(started())
    story.bounce()
    [asked_us] = story.customer()
    assert asked_us.after.valid_at == asked_us.after.oldest_unanswered_at == story.now


@pytest.mark.parametrize(
    ("begin", "code"),
    [
        pytest.param(lambda: started(by=None), "author_is_missing", id="nobody starts it"),
        pytest.param(lambda: started(channel="fax"), "channel_sends_nothing", id="on a channel that sends nothing"),
        pytest.param(lambda: started(text=" "), "text_is_empty", id="with nothing to say"),
    ],
)
def test_a_start_is_refused(begin, code):
    assert refused(lambda: Story().tell(begin())).code == code


def test_a_started_conversation_gets_its_contact_from_the_first_answer():
    story = Story()
    story.tell(started(contact=person("ADA@acme.com")))
    [answer] = story.customer(verified=False)
    assert (answer.by, answer.after.contact.name) == ("requester", "Ada")


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
