"""C8, the stage table in full: what each happening does in each stage, and every transition that is refused."""

from collections.abc import Callable
from typing import Any

import pytest

from deskstream.contracts import Refused
from deskstream.contracts import conversation as asked
from deskstream.contracts.facts import Priority, Resolution, Stage
from services.conversation.tests.given import (
    BOUNCE,
    CARLA,
    NOON,
    OUT_OF_OFFICE,
    TICKET,
    Story,
    in_stage,
    person,
    started,
)

NEW, SUSPENDED, ARCHIVED = Stage.NEW, Stage.SUSPENDED, Stage.ARCHIVED
WAITING, NEEDS, HOLD, RESOLVED = Stage.WAITING_ON_USER, Stage.NEEDS_RESPONSE, Stage.HOLD, Stage.RESOLVED

UNCHANGED: dict[Stage, Stage | str] = {stage: stage for stage in Stage}
IS_NEW = {NEW: "conversation_is_new"}
IS_SUSPENDED = {SUSPENDED: "conversation_is_suspended"}
IS_ARCHIVED = {ARCHIVED: "conversation_is_archived"}
IS_RESOLVED = {RESOLVED: "conversation_is_resolved"}
IS_ON_HOLD = {HOLD: "conversation_is_on_hold"}
IS_ANSWERED = {WAITING: "conversation_waits_on_user"}
IS_ASKED = {NEEDS: "conversation_needs_response"}
NO_WAIT = dict.fromkeys(Stage, "not_waiting_for")

TABLE: dict[str, tuple[Callable[[Story], Any], dict[Stage, Stage | str]]] = {
    "reviewed valid": (
        lambda s: s.review("valid"),
        {SUSPENDED: NEW} | IS_NEW | IS_ANSWERED | IS_ASKED | IS_ON_HOLD | IS_RESOLVED | IS_ARCHIVED,
    ),
    "reviewed as spam": (
        lambda s: s.review("spam"),
        {SUSPENDED: ARCHIVED, NEW: SUSPENDED} | IS_ANSWERED | IS_ASKED | IS_ON_HOLD | IS_RESOLVED | IS_ARCHIVED,
    ),
    "an agent replies": (
        lambda s: s.reply(),
        {NEW: WAITING, NEEDS: WAITING, WAITING: WAITING, RESOLVED: RESOLVED, HOLD: HOLD} | IS_SUSPENDED | IS_ARCHIVED,
    ),
    "an agent's reply drops what it waits for": (
        lambda s: s.reply(drops=("TKT-7",)),
        NO_WAIT | {HOLD: WAITING} | IS_SUSPENDED | IS_ARCHIVED,
    ),
    "the customer writes": (
        lambda s: s.customer(),
        {
            NEW: NEW,
            NEEDS: NEEDS,
            WAITING: NEEDS,
            HOLD: NEEDS,
            SUSPENDED: SUSPENDED,
            RESOLVED: NEEDS,
            ARCHIVED: ARCHIVED,
        },
    ),
    "an agent escalates": (
        lambda s: s.hold(CARLA),
        {NEW: HOLD, NEEDS: HOLD, WAITING: HOLD} | IS_ON_HOLD | IS_RESOLVED | IS_SUSPENDED | IS_ARCHIVED,
    ),
    "what it waits for completes": (lambda s: end(s, "completed"), NO_WAIT | {HOLD: NEEDS}),
    "what it waits for is cancelled": (lambda s: end(s, "cancelled"), NO_WAIT | {HOLD: NEEDS}),
    "what it waits for is ticked off": (lambda s: end(s, "ticked_off"), NO_WAIT | {HOLD: NEEDS}),
    "what it waits for is dropped": (lambda s: end(s, "dropped"), NO_WAIT | {HOLD: NEEDS}),
    "an agent resolves": (
        lambda s: s.resolve(),
        {NEEDS: RESOLVED, WAITING: RESOLVED, NEW: RESOLVED} | IS_ON_HOLD | IS_RESOLVED | IS_SUSPENDED | IS_ARCHIVED,
    ),
    "an agent archives": (lambda s: s.archive(), dict.fromkeys(Stage, ARCHIVED) | IS_SUSPENDED),
    "C9: an agent signals": (lambda s: s.reply("I'm on it.", signal=True), UNCHANGED | IS_SUSPENDED | IS_ARCHIVED),
    "C9: an agent notes": (lambda s: s.note(), UNCHANGED),
    "C9: an out-of-office comes": (lambda s: s.customer(automatic=OUT_OF_OFFICE), UNCHANGED),
    "C9: a bounce comes": (lambda s: s.customer(automatic=BOUNCE), UNCHANGED),
    "C13: an agent snoozes": (
        lambda s: s.ask(asked.Snooze, until_reply=True, reason="later"),
        UNCHANGED | IS_SUSPENDED | IS_RESOLVED | IS_ARCHIVED,
    ),
    "an agent ends a snooze": (lambda s: s.ask(asked.EndSnooze), UNCHANGED),
    "C4: an agent sets the title": (lambda s: s.ask(asked.SetTitle, title="Certificate"), UNCHANGED),
    "C4: an agent adds somebody": (lambda s: s.add(person("eve@acme.com")), UNCHANGED),
    "C12: an agent tags": (lambda s: s.ask(asked.ChangeTags, add={"stalled": ""}), UNCHANGED),
    "C14: an agent shares": (lambda s: s.ask(asked.Share, agent="dora"), UNCHANGED),
    "R2: an agent sets the priority": (lambda s: s.ask(asked.SetPriority, priority=Priority.HIGH), UNCHANGED),
}


def end(story, how):
    return story.ask(asked.EndWait, name="TKT-7", how=how, reason="done")


def rows():
    for name, (happens, outcomes) in TABLE.items():
        assert outcomes.keys() == set(Stage), name
        for stage, outcome in outcomes.items():
            verdict = f"-> {outcome}" if isinstance(outcome, Stage) else f"is refused: {outcome}"
            title = name if name[0] in "CR" and name[1].isdigit() else f"C8: {name}"
            yield pytest.param(stage, happens, outcome, id=f"{title}, in {stage} {verdict}")


@pytest.mark.parametrize(("stage", "happens", "outcome"), list(rows()))
def test_the_stage_table(stage, happens, outcome):
    story = in_stage(stage)
    before = story.state
    if isinstance(outcome, Stage):
        said = happens(story)
        assert story.facts.stage is outcome
        assert {event.stage_before for event in said if hasattr(event, "stage_before")} <= {stage}
    else:
        with pytest.raises(Refused) as no:
            happens(story)
        assert no.value.code == outcome
        assert no.value.sentence.endswith(".")
        assert story.state is before


@pytest.mark.parametrize(
    ("suspicious", "stage", "valid_at"),
    [
        pytest.param((), NEW, NOON, id="C8: a valid message opens a new conversation, valid from its receipt"),
        pytest.param(("casino",), SUSPENDED, None, id="C8: a suspicious message opens a suspended one, never valid"),
    ],
)
def test_the_first_stage(suspicious, stage, valid_at):
    story = Story()
    [opened] = story.customer(suspicious=suspicious, at=NOON)
    assert (opened.stage_before, opened.after.stage, opened.after.valid_at) == (None, stage, valid_at)
    assert opened.after.oldest_unanswered_at == valid_at
    assert opened.message.suspicious == suspicious


def test_c8_an_agent_starts_new_then_waiting_on_user_and_no_clock_runs():
    story = Story()
    opened, replied, _ = story.tell(started())
    assert (opened.after.stage, replied.stage_before, replied.after.stage) == (NEW, NEW, WAITING)
    assert {opened.after.valid_at, replied.after.valid_at, replied.after.oldest_unanswered_at} == {None}
    [answer] = story.customer(at=story.now)
    assert answer.after.stage is NEEDS
    assert (answer.after.valid_at, answer.after.oldest_unanswered_at) == (None, answer.message.received_at)


ONCE = {
    "hold left by a reply that drops it": lambda s: s.reply(drops=("TKT-7",)),
    "hold left because the customer wrote": lambda s: (s.customer(), s.reply()),
    "hold left because an agent ticked it off": lambda s: (end(s, "ticked_off"), s.reply()),
    "hold left because an agent dropped it": lambda s: (end(s, "dropped"), s.reply()),
}


@pytest.mark.parametrize("leave", [pytest.param(leave, id=f"C8: {name}") for name, leave in ONCE.items()])
def test_what_it_once_waited_for_completes_while_the_customer_has_to_act(leave):
    story = in_stage(HOLD)
    leave(story)
    assert story.facts.stage is WAITING
    [ended] = end(story, "completed")
    assert (ended.NAME, ended.wait, ended.after.stage) == ("wait_ended", TICKET, NEEDS)
    with pytest.raises(Refused) as no:
        end(story, "completed")
    assert no.value.code == "not_waiting_for"


def test_c8_what_it_once_waited_for_completes_in_resolved_unchanged_and_is_said():
    story = in_stage(HOLD)
    story.reply(drops=("TKT-7",))
    story.resolve()
    [ended] = end(story, "completed")
    assert (ended.NAME, ended.stage_before, ended.after.stage) == ("wait_ended", RESOLVED, RESOLVED)


def test_c8_what_it_once_waited_for_is_cancelled_changes_nothing():
    story = in_stage(HOLD)
    story.reply(drops=("TKT-7",))
    [ended] = end(story, "cancelled")
    assert ended.after.stage is WAITING


def test_what_completed_or_was_cancelled_is_never_awaited_again():
    story = in_stage(HOLD)
    end(story, "completed")
    assert story.open.once_awaited == ()


def test_archived_is_final_also_for_what_it_once_waited_for():
    story = in_stage(HOLD)
    story.archive()
    with pytest.raises(Refused) as no:
        end(story, "completed")
    assert no.value.code == "conversation_is_archived"


def test_c8_only_the_last_thing_that_ends_ends_the_hold():
    story = in_stage(NEW)
    story.hold(TICKET, CARLA)
    [first] = end(story, "completed")
    assert (first.after.stage, first.after.waits) == (HOLD, (CARLA,))
    [last] = story.ask(asked.EndWait, name="carla", how="ticked_off", reason="she answered in person")
    assert (last.after.stage, last.after.waits, last.reason) == (NEEDS, (), "she answered in person")


def test_c8_an_update_that_drops_a_part_of_what_it_waits_for_stays_on_hold():
    story = in_stage(NEW)
    story.hold(TICKET, CARLA)
    replied = story.reply(drops=("TKT-7",))[0]
    assert (replied.after.stage, replied.after.waits) == (HOLD, (CARLA,))


def test_it_may_go_back_to_hold_for_what_it_once_waited_for():
    story = in_stage(HOLD)
    story.customer()
    story.hold(TICKET)
    assert (story.facts.stage, story.open.once_awaited) == (HOLD, ())


def test_two_waits_of_one_name_are_refused():
    story = in_stage(NEW)
    with pytest.raises(Refused) as no:
        story.hold(TICKET, TICKET)
    assert no.value.code == "wait_named_twice"


def test_w6_resolving_sets_resolution_and_tag_and_reopening_takes_both_away():
    story = in_stage(NEEDS)
    story.ask(asked.ChangeTags, add={"stalled": ""})
    [resolved] = story.resolve(Resolution.WORKAROUND)
    assert (resolved.after.resolution, resolved.after.tags) == (
        "workaround",
        {"stalled": "", "resolution": "workaround"},
    )
    [reopened] = story.customer()
    assert (reopened.after.resolution, reopened.after.tags) == (None, {"stalled": ""})


def test_a_resolution_outlives_archiving():
    story = in_stage(RESOLVED)
    [archived] = story.archive()
    assert (archived.after.resolution, archived.after.tags) == ("answered", {"resolution": "answered"})


def test_s2_a_suspended_conversation_is_valid_from_its_review_on_and_its_creation_is_kept():
    story = in_stage(SUSPENDED)
    created = story.facts.created_at
    [reviewed] = story.review("valid")
    assert (reviewed.after.valid_at, reviewed.after.oldest_unanswered_at) == (story.now, story.now)
    assert reviewed.after.created_at == created < story.now


def test_what_was_suspended_by_mistake_counts_from_when_it_was_first_valid():
    story = in_stage(NEW)
    first = story.facts.valid_at
    [slipped] = story.review("spam")
    assert slipped.after.oldest_unanswered_at is None
    [back] = story.review("valid")
    assert (back.after.valid_at, back.after.oldest_unanswered_at) == (first, first)


def test_an_archive_that_has_happened_says_nothing_more():
    assert in_stage(ARCHIVED).archive() == []


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(lambda s: s.tell(asked.SetTitle(conversation_id=s.id, title="x")), id="a title"),
        pytest.param(lambda s: s.archive(), id="an archive"),
        pytest.param(lambda s: s.note(), id="a note"),
    ],
)
def test_nothing_can_be_asked_of_a_conversation_that_does_not_exist(command):
    with pytest.raises(Refused) as no:
        command(Story())
    assert no.value.code == "conversation_not_found"
