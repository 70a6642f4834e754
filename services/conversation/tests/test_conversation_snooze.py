"""Snooze (C13): until a time, a reply, or whichever is first."""

from datetime import timedelta

import pytest

from deskstream.contracts import Refused
from deskstream.contracts import conversation as asked
from deskstream.contracts.facts import Stage
from deskstream.conversation.domain import due
from deskstream.conversation.domain.messages import TimeCame
from services.conversation.tests.given import (
    NOON,
    in_stage,
    names,
)

NEW, WAITING = Stage.NEW, Stage.WAITING_ON_USER


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
