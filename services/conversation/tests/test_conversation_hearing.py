"""What comes in: opening, people, titles, automatic mail (C9), follow-ups (C10), answers to "solved?" (C21), owners."""

from datetime import timedelta

import pytest

from deskstream.contracts import Refused
from deskstream.contracts import conversation as asked
from deskstream.contracts.facts import AccountFacts, Priority, Resolution, Stage, WorkspaceFacts
from deskstream.contracts.ids import AccountId, WorkspaceId
from deskstream.conversation.domain import Unopened, due
from deskstream.conversation.domain.messages import Incoming, TimeCame
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
    chosen,
    in_stage,
    incoming,
    letter,
    names,
    new_id,
    outbound,
    passed_on,
    person,
)

NEW, WAITING, NEEDS, HOLD = Stage.NEW, Stage.WAITING_ON_USER, Stage.NEEDS_RESPONSE, Stage.HOLD
RESOLVED, ARCHIVED, SUSPENDED = Stage.RESOLVED, Stage.ARCHIVED, Stage.SUSPENDED

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


# Follow-ups


def archived(**more):
    story = Story()
    story.customer(**more)
    story.absorb(chosen("anna"))
    story.archive()
    return story


def follow_up_of(event):
    story = Story(id=event.follow_up_id, now=event.at)
    return story, story.tell(passed_on(event))


def test_c10_an_answer_to_an_archived_conversation_opens_a_linked_one():
    earlier = archived()
    message = letter("It is back", at=earlier.now)
    [needed] = earlier.tell(Incoming(ID, message, FOLLOW_UP, ADA, ACME, PRODUCTION))
    assert (needed.stage_before, needed.after.stage, needed.follow_up_id) == (ARCHIVED, ARCHIVED, FOLLOW_UP)
    _, [opened] = follow_up_of(needed)
    assert (opened.after.stage, opened.after.follow_up_of, opened.after.id) == (NEW, ID, FOLLOW_UP)
    assert (opened.after.contact, opened.after.account, opened.after.workspace) == (ADA, ACME, PRODUCTION)
    assert (opened.message, opened.after.title) == (message, "It is back")


def test_r5_a_follow_up_names_the_earlier_owner_and_has_none_yet():
    [needed] = archived().customer()
    _, [opened] = follow_up_of(needed)
    assert (opened.after.owner, opened.after.earlier_owner) == (None, "anna")


def test_r5_the_earlier_owner_survives_a_follow_up_that_nobody_owned():
    [needed] = archived().customer()
    later, _ = follow_up_of(needed)
    later.archive()
    _, [opened] = follow_up_of(later.customer()[0])
    assert opened.after.earlier_owner == "anna"


def test_c10_what_comes_later_goes_to_the_same_follow_up():
    earlier = archived()
    [first] = earlier.customer("one")
    [second] = earlier.customer("two")
    assert first.follow_up_id == second.follow_up_id
    later, _ = follow_up_of(first)
    [said] = later.tell(passed_on(second))
    assert (said.NAME, said.message.text, said.after.stage) == ("customer_replied", "two", NEW)


def test_c10_a_follow_up_that_is_archived_too_passes_on_again():
    earlier = archived()
    later, _ = follow_up_of(earlier.customer()[0])
    later.archive()
    [again] = later.tell(passed_on(earlier.customer()[0]))
    assert again.NAME == "follow_up_needed"
    assert len({earlier.id, later.id, again.follow_up_id}) == 3
    _, [opened] = follow_up_of(again)
    assert opened.after.follow_up_of == later.id


def test_a_follow_up_belongs_to_the_requester_whoever_wrote():
    earlier = archived()
    [needed] = earlier.customer(
        sender=person("m@evil.example"), contact=BOB, verified=False, copied=(person("x@evil.example"),)
    )
    later, [opened] = follow_up_of(needed)
    assert (opened.after.contact, later.open.requester) == (ADA, person())
    assert [(p.identity.email, p.verified) for p in later.open.participants] == [("m@evil.example", False)]
    [sent] = outbound(later.reply())
    assert (sent.to, sent.copied, sent.in_reply_to) == (person(), (), None)


def test_what_follows_up_spam_waits_for_a_reviewer():
    earlier = in_stage(SUSPENDED)
    [verdict] = earlier.review("spam")
    assert (verdict.after.resolution, verdict.after.tags) == (Resolution.SPAM, {"resolution": "spam"})
    _, [opened] = follow_up_of(earlier.customer()[0])
    assert (opened.after.stage, opened.message.suspicious) == (SUSPENDED, ("follows up what was spam",))


def test_automatic_mail_to_an_archived_conversation_is_filed_there():
    assert names(archived().customer(automatic=OUT_OF_OFFICE)) == ["automatic_message_filed"]


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


# Owner and priority


def test_routing_names_owner_and_priority_and_nothing_is_said_of_it():
    story = in_stage(NEW)
    story.absorb(chosen("anna", priority=Priority.HIGH))
    assert (story.facts.owner, story.facts.priority, story.facts.version) == ("anna", Priority.HIGH, 1)
    assert story.reply()[0].after.owner == "anna"


def test_r5_a_reopened_conversation_keeps_its_owner():
    story = in_stage(NEW)
    story.absorb(chosen("anna"))
    story.resolve()
    assert story.customer()[0].after.owner == "anna"


def test_a_persons_priority_holds_against_routing_s():
    story = in_stage(NEW)
    [said] = story.ask(asked.SetPriority, priority=Priority.NORMAL)
    assert (said.before, said.after.priority) == (Priority.NORMAL, Priority.NORMAL)
    story.absorb(chosen("anna", priority=Priority.LOW))
    assert (story.facts.owner, story.facts.priority) == ("anna", Priority.NORMAL)
    assert story.ask(asked.SetPriority, priority=Priority.NORMAL) == []


def test_an_owner_for_a_conversation_that_does_not_exist_is_harmless():
    story = Story()
    story.absorb(chosen("anna"))
    assert story.state == Unopened(ID, 12)


# Snooze


LATER = timedelta(hours=3)


def snoozed(**more):
    story = in_stage(WAITING)
    wanted = {"until": story.now + LATER} if more.pop("timed", True) else {}
    [said] = story.ask(asked.Snooze, reason="until the release", **wanted, **more)
    return story, said


def test_c13_a_snooze_hides_with_its_reason_and_changes_no_stage():
    story, said = snoozed()
    assert (said.snooze.reason, said.after.snooze, said.after.stage) == ("until the release", said.snooze, WAITING)
    assert due(story.state) == said.snooze.until


@pytest.mark.parametrize(
    ("snooze", "end", "why"),
    [
        pytest.param({}, lambda s: s.wake(), "time", id="C13: until a time"),
        pytest.param({"timed": False, "until_reply": True}, lambda s: s.customer(), "reply", id="C13: until a reply"),
        pytest.param({"until_reply": True}, lambda s: s.wake(), "time", id="C13: whichever is first, the time"),
        pytest.param({"until_reply": True}, lambda s: s.customer(), "reply", id="C13: whichever is first, the reply"),
        pytest.param({}, lambda s: s.ask(asked.EndSnooze), "agent", id="C13: ended by an agent"),
        pytest.param({}, lambda s: s.resolve(), "agent", id="closing ends it: else what reopens it would stay hidden"),
    ],
)
def test_a_snooze_ends(snooze, end, why):
    story, _ = snoozed(**snooze)
    [ended] = [event for event in end(story) if event.NAME == "snooze_ended"]
    assert (ended.why, ended.after.snooze, due(story.state)) == (why, None, None)


def test_c13_a_snooze_until_a_time_outlasts_a_reply():
    story, _ = snoozed()
    assert names(story.customer()) == ["customer_replied"]
    assert story.tell(TimeCame(), after=timedelta(hours=1)) == []


@pytest.mark.parametrize(
    ("until", "code"),
    [
        pytest.param(None, "snooze_without_end", id="for ever"),
        pytest.param(NOON - LATER, "snooze_in_the_past", id="into the past"),
    ],
)
def test_a_snooze_is_refused(until, code):
    with pytest.raises(Refused) as no:
        in_stage(NEW).ask(asked.Snooze, until=until, reason="later")
    assert no.value.code == code
