"""What comes in: opening, titles, clocks, people (N3), automatic mail (C9), answers to "solved?" (C21)."""

from datetime import timedelta

import pytest

from deskstream.contracts import conversation as asked
from deskstream.contracts.facts import AccountFacts, Resolution, Stage, WorkspaceFacts
from deskstream.contracts.ids import AccountId, WorkspaceId
from deskstream.conversation.domain import Unopened
from deskstream.conversation.domain.messages import Incoming
from deskstream.conversation.domain.state import PARTICIPANTS_LIMIT
from services.conversation.tests.given import (
    ADA,
    BOB,
    BOUNCE,
    FOLLOW_UP,
    ID,
    NEWSLETTER,
    NOON,
    OUT_OF_OFFICE,
    Story,
    in_stage,
    incoming,
    letter,
    names,
    new_id,
    person,
)

NEW, WAITING, NEEDS, HOLD = Stage.NEW, Stage.WAITING_ON_USER, Stage.NEEDS_RESPONSE, Stage.HOLD
RESOLVED, SUSPENDED = Stage.RESOLVED, Stage.SUSPENDED

ACME = AccountFacts(id=AccountId(new_id()), name="Acme", tier="gold")
PRODUCTION = WorkspaceFacts(id=WorkspaceId(new_id()), name="production")


# Opening


def test_c1_c2_a_message_opens_a_conversation_with_channel_kind_people_and_number():
    story = Story()
    wanted = incoming(letter(channel="slack", inbox="help", language="de"))
    [opened] = story.tell(Incoming(ID, wanted.message, FOLLOW_UP, ADA, ACME, PRODUCTION))
    after = opened.after
    assert (after.channel, after.inbox, after.kind, after.language) == ("slack", "help", "customer", "de")
    assert (after.contact, after.account, after.workspace) == (ADA, ACME, PRODUCTION)
    assert (after.id, after.thread_id, after.number, after.version) == (ID, ID, 12, 1)
    assert (after.created_at, after.last_public_at, opened.at) == (NOON, NOON, story.now)


def test_no_clock_starts_in_the_future_however_a_receipt_is_dated():
    story = Story()
    [opened] = story.customer(at=NOON + timedelta(days=1))
    assert opened.after.valid_at == opened.after.oldest_unanswered_at == story.now


@pytest.mark.parametrize(
    ("message", "title"),
    [
        pytest.param(
            {"title": " Re:  Certificate\r\nBcc: x "}, "Re: Certificate Bcc: x", id="C4: the channel's, on one line"
        ),
        pytest.param({"text": "My printer burns\nreally"}, "My printer burns really", id="C4: else the first words"),
        pytest.param({"title": " ", "text": ""}, "(empty)", id="an empty mail has none"),
        pytest.param({"title": "\x00\x1b"}, "Help", id="a title of control characters is none"),
        pytest.param({"text": "word " * 99}, "word " * 14 + "word…", id="long words are cut between two"),
        pytest.param({"text": "x" * 999}, "x" * 80, id="one endless word is cut where it must be"),
        pytest.param({"title": "x" * 998}, "x" * 500, id="a title is never longer than 500"),
    ],
)
def test_titles(message, title):
    [opened] = Story().customer(**{"text": "Help"} | message)
    assert opened.after.title == title


# Clocks


def test_s2_next_response_counts_from_the_oldest_unanswered_message():
    story = in_stage(WAITING)
    [first] = story.customer()
    [second] = story.customer()
    assert first.after.oldest_unanswered_at == second.after.oldest_unanswered_at == first.message.received_at


def test_a_reopened_conversation_owes_an_answer_to_what_reopened_it_only():
    story = in_stage(NEW)
    story.resolve()
    assert story.facts.oldest_unanswered_at is None
    [reopened] = story.customer()
    assert reopened.after.oldest_unanswered_at == story.now
    assert reopened.after.valid_at == NOON + timedelta(minutes=1)


# Who wrote


@pytest.mark.parametrize(
    ("writes", "by"),
    [
        pytest.param({}, "requester", id="the requester"),
        pytest.param({"sender": person("ADA@Acme.com", "A. L.")}, "requester", id="the requester, otherwise spelled"),
        pytest.param({"sender": person("ada@home.example")}, "requester", id="the requester's other address"),
        pytest.param(
            {"sender": person("bob@acme.com"), "contact": BOB}, "participant", id="somebody ingest vouches for"
        ),
        pytest.param(
            {"sender": person("cc@acme.com"), "contact": BOB, "verified": False},
            "participant",
            id="somebody copied first",
        ),
        pytest.param(
            {"sender": person("m@evil.example"), "contact": BOB, "verified": False}, "stranger", id="N3: a stranger"
        ),
        pytest.param(
            {"sender": person("m@evil.example"), "verified": False},
            "stranger",
            id="N3: a stranger who shares a contact",
        ),
    ],
)
def test_who_wrote(writes, by):
    story = Story()
    story.customer(copied=(person("cc@acme.com"),))
    [said] = story.customer(**writes)
    assert said.by == by
    assert said.after.contact == ADA


def test_n3_who_a_colleague_wrote_to_is_the_requester_and_the_colleague_a_member():
    story, eva, paul = Story(), person("eva@ours.example"), person("paul@client.example")
    [opened] = story.customer(sender=eva, requester=paul, copied=(paul,))
    assert opened.requester == paul
    assert story.open.requester == paul
    assert [(one.identity, one.verified) for one in story.open.participants] == [(eva, True)]
    [replied] = story.customer(sender=paul)
    assert replied.by == "requester"


def test_n3_a_stranger_joins_marked_and_never_replaces_the_requester():
    story = in_stage(WAITING)
    [said] = story.customer(
        sender=person("m@evil.example"), contact=BOB, verified=False, copied=(person("x@evil.example"),)
    )
    [joined] = story.open.participants
    assert (joined.identity.email, joined.side, joined.verified) == ("m@evil.example", "customer", False)
    assert (said.after.contact, story.open.requester, said.after.stage) == (ADA, person(), NEEDS)


def test_what_is_known_of_the_requester_is_renewed_by_their_messages_only():
    story = in_stage(NEW)
    renewed = Incoming(ID, letter(), FOLLOW_UP, ADA, ACME, PRODUCTION)
    [said] = story.tell(renewed)
    assert (said.after.account, said.after.workspace) == (ACME, PRODUCTION)
    [said] = story.customer(sender=person("bob@acme.com"), contact=BOB)
    assert (said.after.contact, said.after.account) == (ADA, ACME)


def test_participants_are_bounded_and_strangers_make_room():
    story = in_stage(NEW)
    for n in range(PARTICIPANTS_LIMIT + 1):
        story.customer(sender=person(f"m{n}@evil.example"), contact=BOB, verified=False)
    story.customer(sender=person("bob@acme.com", "B" * 900), contact=BOB)
    assert len(story.open.participants) == PARTICIPANTS_LIMIT
    bob = story.open.participants[-1]
    assert (bob.identity.email, bob.identity.name, bob.verified) == ("bob@acme.com", "B" * 60, True)


# Automatic mail


def test_c9_automatic_mail_is_filed_and_nothing_else():
    story = in_stage(WAITING)
    before = story.facts
    [filed] = story.customer(automatic=OUT_OF_OFFICE, sender=person("m@evil.example"), contact=BOB, solved=True)
    assert filed.after == before.model_copy(update={"version": before.version + 1})
    assert (story.open.participants, story.open.answered_id) == ((), story.open.references[0])


def test_c9_an_out_of_office_ends_no_snooze():
    story = in_stage(WAITING)
    story.ask(asked.Snooze, until_reply=True, reason="their turn")
    assert names(story.customer(automatic=OUT_OF_OFFICE)) == ["automatic_message_filed"]


def test_automatic_mail_without_a_conversation_waits_for_a_reviewer_and_disturbs_nobody():
    story = Story()
    [opened] = story.customer(automatic=NEWSLETTER, title="Our news")
    after = opened.after
    assert (after.stage, after.kind, after.title) == (SUSPENDED, "system", "Our news")
    assert (after.valid_at, after.oldest_unanswered_at) == (None, None)
    assert opened.message.suspicious == ("automatic mail without a conversation",)
    [reviewed] = story.review("valid")
    assert (reviewed.after.stage, reviewed.after.oldest_unanswered_at) == (NEW, story.now)


def test_a_bounce_that_belongs_nowhere_opens_nothing():
    story = Story()
    assert story.customer(automatic=BOUNCE) == []
    assert isinstance(story.state, Unopened)


def test_a_person_who_writes_in_the_thread_of_such_a_bounce_opens_it():
    story = Story()
    story.customer(automatic=BOUNCE)
    assert names(story.customer()) == ["conversation_opened"]


# "Is this solved?"


@pytest.mark.parametrize(
    ("stage", "solved", "after"),
    [
        pytest.param(WAITING, True, NEEDS, id="C21: yes, for the agent to verify"),
        pytest.param(WAITING, False, NEEDS, id="C21: no"),
        pytest.param(RESOLVED, True, NEEDS, id="C21: yes, though it was resolved"),
        pytest.param(HOLD, False, NEEDS, id="C21: no, while on hold"),
        pytest.param(NEW, True, NEW, id="C9: yes before any answer moves nothing"),
    ],
)
def test_solved(stage, solved, after):
    story = in_stage(stage)
    [said] = story.customer(solved=solved)
    assert (said.after.stage, said.after.confirmed) == (after, solved)


def test_c21_the_latest_answer_counts_and_stays_until_it_is_reopened():
    story = in_stage(WAITING)
    story.customer(solved=False)
    story.customer(solved=True)
    story.customer("Thanks!")
    story.resolve(Resolution.CONFIRMED)
    assert story.facts.confirmed is True
    [reopened] = story.customer("It is back")
    assert reopened.after.confirmed is None
