"""What holds for every story: clocks are what an observer who knows the whole of it would say."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from deskstream.contracts.conversation import (
    AgentReplied,
    ConversationArchived,
    ConversationOpened,
    ConversationResolved,
    CustomerReplied,
    DeliveryChanged,
    SuspicionReviewed,
)
from deskstream.contracts.facts import Stage
from deskstream.contracts.sla import ClockBreached, ClockStarted, ClockStopped, ClockWarned, Metric, Outcome
from deskstream.sla.domain import clocks_of, explained

MONDAY = datetime(2026, 4, 27, 7, tzinfo=UTC)
LIVE = {Stage.NEW, Stage.NEEDS_RESPONSE, Stage.WAITING_ON_USER, Stage.HOLD}
OPENINGS = ["customer opens", "suspicious opens", "agent opens", "system opens"]
NEXT_STEPS = {
    Stage.NEW: ["agent answers", "agent signals", "on hold", "resolved", "archived", "reviewed spam"],
    Stage.SUSPENDED: ["reviewed valid", "reviewed spam"],
    Stage.NEEDS_RESPONSE: ["agent answers", "overtaken answer", "agent signals", "on hold", "resolved", "archived"],
    Stage.WAITING_ON_USER: ["agent answers", "robot answers", "on hold", "resolved", "archived"],
    Stage.HOLD: ["agent answers", "wait ends", "archived"],
    Stage.RESOLVED: ["agent answers", "archived"],
    Stage.ARCHIVED: [],
}
waits = st.one_of(
    st.timedeltas(timedelta(), timedelta(minutes=90)),
    st.timedeltas(timedelta(), timedelta(days=4)),
)


@st.composite
def stories(draw, story):
    """Any story that the stage table allows, at any times. Archiving ends most of it, so it is rare."""
    told, at = story(), MONDAY
    told.say(at, draw(st.sampled_from(OPENINGS)))
    for number in range(draw(st.integers(0, 12))):
        at += draw(waits)
        step = draw(st.sampled_from(steps(told, number)))
        told.say(at, "agent notes" if step.startswith("archived") and draw(st.booleans()) else step)
    return told


def steps(told, number):
    answers = [sent.name for sent in told.replies if not sent.lost]
    last_is_customer = told.events[-1].NAME == "customer_replied" and told.unanswered
    possible = [
        f"{step}: {number}" for step in NEXT_STEPS[told.stage] if step != "overtaken answer" or last_is_customer
    ]
    writes = [] if told.stage is Stage.ARCHIVED else ["customer writes"] * 2
    return possible + writes + [f"undelivered: {name}" for name in answers] * 2 + ["agent notes"]


def observed(events):
    """(metric, start, stop, answered?) of every clock, by somebody who knows which replies never arrived."""
    lost = {e.reply_id for e in events if isinstance(e, DeliveryChanged) and e.permanent}
    clocks: list[list[Any]] = []
    for event in events:
        after, runs = event.after, bool(clocks) and clocks[-1][2] is None
        live = after.stage in LIVE
        match event:
            case AgentReplied() if not (event.reply.signal or event.reply.automatic or event.reply.id in lost):
                waiting = after.oldest_unanswered_at
                if runs and not (waiting and waiting <= clocks[-1][1]):
                    clocks[-1][2:], runs = [event.at, True], False
                if waiting and not runs:
                    clocks.append([Metric.NEXT_RESPONSE, waiting, None, False])
            case ConversationResolved() | ConversationArchived() | SuspicionReviewed() if not live:
                if runs:
                    clocks[-1][2:] = [event.at, False]
            case DeliveryChanged() | SuspicionReviewed() if live and clocks:
                if not runs and not clocks[-1][3] and after.oldest_unanswered_at:
                    clocks[-1][2:] = [None, False]
            case ConversationOpened() | CustomerReplied() | SuspicionReviewed() if live and not runs:
                if not clocks and after.valid_at and not after.public_replies:
                    clocks.append([Metric.FIRST_RESPONSE, after.valid_at, None, False])
                elif after.oldest_unanswered_at:
                    clocks.append([Metric.NEXT_RESPONSE, after.oldest_unanswered_at, None, False])
    return clocks


def as_seen(clocks):
    return [
        [c.facts.metric, c.facts.started_at, c.stop.at if c.stop else None, bool(c.stop and c.stop.reply_id)]
        for c in clocks.recent
        if not c.replaced
    ]


def raised(said, void):
    return sorted(
        (event.clock.ordinal, event.NAME, getattr(event, "outcome", ""))
        for event in said
        if event.clock.ordinal not in void and isinstance(event, ClockWarned | ClockBreached)
    )


@given(data=st.data())
@settings(max_examples=400, deadline=None)
def test_s5_clocks_are_what_an_observer_of_the_whole_story_says(data, story, played, rules):
    events = data.draw(stories(story)).events
    assert as_seen(played(rules(), events).clocks) == observed(events)


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_s5_step_by_step_equals_anew_from_all_events(data, story, played, rules):
    events = data.draw(stories(story)).events
    anew = clocks_of(story().conversation_id, events, rules())
    assert as_seen(played(rules(), events).clocks) == as_seen(anew)


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_s7_heard_late_or_in_time_the_same_is_raised_and_each_once(data, story, played, rules):
    events = data.draw(stories(story)).events
    end = events[-1].at + timedelta(days=5)
    in_time = played(rules(), events, until=end)
    late = played(rules(), events, until=end, heard_at=end)
    void = {clock.facts.ordinal for clock in late.clocks.recent if clock.replaced}
    assert raised(in_time.said, void) == raised(late.said, void)
    assert len(set(raised(in_time.said, void))) == len(raised(in_time.said, void))
    for clock in in_time.clocks.recent:
        if not clock.replaced:
            passed = min(clock.stop.at - timedelta.resolution, end) if clock.stop else end
            assert (clock.warned, clock.breached) == (clock.facts.warn_at <= passed, clock.facts.due_at <= passed)


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_s8_segments_add_up_to_the_second(data, story, played, rules):
    end = MONDAY + timedelta(days=30)
    calendar = rules().calendar
    for clock in played(rules(), data.draw(stories(story)).events).clocks.recent:
        told = explained(clock, calendar, end)
        until = clock.stop.at if clock.stop else end
        expected = 0 if clock.replaced else calendar.open_time(clock.facts.started_at, until) // timedelta(seconds=1)
        assert sum(part["business_seconds"] for part in told["segments"]) == expected == told["business_seconds"]
        for part in told["segments"]:
            assert sum(window["seconds"] for window in part["windows"]) == part["business_seconds"]
        assert sum(window["seconds"] for window in told["target_windows"]) == clock.facts.target_minutes * 60


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_what_was_said_tells_the_clocks(data, story, played, rules):
    played_out = played(rules(), data.draw(stories(story)).events)
    told: dict[int, Outcome | None] = {}
    for event in played_out.said:
        told[event.clock.ordinal] = event.outcome if isinstance(event, ClockStopped) else told.get(event.clock.ordinal)
        if event.NAME == "clock_resumed":
            told[event.clock.ordinal] = None
            for void in event.replaces:
                del told[void]
        assert isinstance(event, ClockStarted) or event.clock.ordinal in told
    assert told == {c.facts.ordinal: c.outcome for c in played_out.clocks.recent if not c.replaced}
