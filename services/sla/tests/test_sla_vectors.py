"""The vectors of S10 that concern conversations, as the table says them."""

from datetime import timedelta

import pytest

from deskstream.calendars import WHOLE_DAY, BusinessCalendar
from deskstream.contracts.sla import ClockStopped, Metric, Outcome

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("target", "story", "metric", "business", "calendar", "outcome"),
    [
        pytest.param(
            120,
            ["04-30 16:30 customer opens", "05-04 09:20 agent answers: r"],
            Metric.FIRST_RESPONSE, 50, 5330, Outcome.MET,
            id="S10-1: over a holiday and a weekend, 50 business minutes are 5,330 calendar minutes",
        ),
        pytest.param(
            60,
            ["04-30 16:30 customer opens", "05-04 09:20 agent answers: r"],
            Metric.FIRST_RESPONSE, 50, 5330, Outcome.MET,
            id="S10-2: a target of 60 business minutes is met",
        ),
        pytest.param(
            120,
            [
                "05-04 09:00 customer opens",
                "05-04 09:01 agent answers: first",
                "05-04 10:00 customer writes",
                "05-04 10:05 customer writes",
                "05-04 10:30 agent answers: r",
            ],
            Metric.NEXT_RESPONSE, 30, 30, Outcome.MET,
            id="S10-5: next response counts from the oldest unanswered message",
        ),
        pytest.param(
            120,
            ["05-04 18:00 customer opens", "05-04 20:00 agent answers: r"],
            Metric.FIRST_RESPONSE, 0, 120, Outcome.MET,
            id="S10-8: asked and answered after hours is 0 business minutes, met",
        ),
        pytest.param(
            120,
            ["05-04 11:50 customer opens", "05-04 13:10 agent answers: r"],
            Metric.FIRST_RESPONSE, 20, 80, Outcome.MET,
            id="S10-9: the lunch break does not count",
        ),
        pytest.param(
            120,
            ["05-04 10:00 suspicious opens", "05-04 14:00 reviewed valid", "05-04 14:30 agent answers: r"],
            Metric.FIRST_RESPONSE, 30, 30, Outcome.MET,
            id="S10-10: what was suspended counts from when it became new",
        ),
    ],
)  # fmt: skip
def test_vectors(target, story, metric, business, calendar, outcome, tell, played, rules):
    stopped = played(rules(target), tell(*story)).said[-1]
    assert isinstance(stopped, ClockStopped)
    assert (stopped.clock.metric, stopped.outcome) == (metric, outcome)
    assert (stopped.business_minutes, stopped.calendar_minutes) == (business, calendar)


def test_s10_2_due_on_monday_at_half_past_nine(tell, played, rules, at):
    clock = played(rules(60), tell("04-30 16:30 customer opens")).clocks.running
    assert clock.facts.due_at == at("05-04 09:30")


@pytest.mark.parametrize(
    "sentence",
    [
        pytest.param("05-04 09:10 robot answers: r", id="S10-6: a bot's answer"),
        pytest.param("05-04 09:10 robot answers: ack", id="S10-6: an acknowledgement"),
        pytest.param("05-04 09:10 agent notes", id="S10-6: a note"),
        pytest.param("05-04 09:10 agent signals: r", id="S10-6: a mere signal"),
    ],
)
def test_s10_6_the_first_response_clock_still_runs(sentence, tell, played, rules):
    clocks = played(rules(), tell("05-04 09:00 customer opens", sentence)).clocks
    assert clocks.running.facts.metric is Metric.FIRST_RESPONSE


def test_s10_7_the_day_on_which_the_clocks_go_forward_has_23_hours(office, at):
    always = BusinessCalendar("always", "1", office.zone, (WHOLE_DAY,) * 7)
    assert always.open_time(at("03-29 00:00"), at("03-30 00:00")) == 23 * HOUR


def test_s10_10_calendar_time_from_creation_is_kept_too(tell, played, rules):
    story = tell("05-04 10:00 suspicious opens", "05-04 14:00 reviewed valid", "05-04 14:30 agent answers: r")
    assert played(rules(), story).said[-1].calendar_minutes_from_creation == 270
