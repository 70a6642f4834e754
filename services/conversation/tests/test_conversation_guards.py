"""What keeps a reply back: what somebody else wrote in between (C16), and what no reply may be."""

from datetime import timedelta

import pytest

from deskstream.contracts import Refused
from deskstream.contracts import conversation as asked
from deskstream.contracts.facts import Stage
from deskstream.contracts.inbound import Attachment
from services.conversation.tests.given import (
    BRUNO,
    UNDO,
    Story,
    in_stage,
    names,
    outbound,
    person,
    started,
    written,
)

NEW = Stage.NEW
SECOND = timedelta(seconds=1)


def refused(ask):
    with pytest.raises(Refused) as no:
        ask()
    return no.value


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
