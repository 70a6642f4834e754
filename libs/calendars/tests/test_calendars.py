"""Open time as exact arithmetic: against a minute-by-minute count, and by the laws that it must keep."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deskstream.calendars import CLOSED, DAY, WHOLE_DAY, BusinessCalendar, Window, elapsed

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [
    BERLIN,
    ZoneInfo("America/St_Johns"),
    ZoneInfo("America/Sao_Paulo"),
    ZoneInfo("Australia/Lord_Howe"),
    ZoneInfo("Asia/Kathmandu"),
    ZoneInfo("Pacific/Apia"),
    UTC,
]


def calendar(windows=((9, 17),), zone=BERLIN, days=5, **more):
    day = tuple(Window(int(opens * 3600), int(closes * 3600)) for opens, closes in windows)
    return BusinessCalendar("test", "1", zone, (day,) * days + (CLOSED,) * (7 - days), **more)


def local(text, zone=BERLIN):
    return datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("what", "start", "end", "hours"),
    [
        pytest.param(calendar(), "2026-05-04 08:00", "2026-05-04 20:00", 8, id="a whole day"),
        pytest.param(calendar(), "2026-05-02 00:00", "2026-05-04 09:00", 0, id="a weekend"),
        pytest.param(calendar(), "2026-05-04 12:00", "2026-05-04 12:00", 0, id="no time"),
        pytest.param(calendar(), "2026-05-04 12:00", "2026-05-04 10:00", 0, id="backwards is nothing"),
        pytest.param(calendar(((9, 12), (13, 17))), "2026-05-04 11:30", "2026-05-04 13:30", 1, id="over lunch"),
        pytest.param(calendar(((0, 6), (22, 24)), days=7), "2026-05-04 20:00", "2026-05-05 20:00", 8,
            id="a window across midnight"),
        pytest.param(calendar(((1, 5),), days=7), "2026-03-29 00:00", "2026-03-29 12:00", 3,
            id="an hour that the wall clock skips is never open"),
        pytest.param(calendar(((2, 3),), days=7), "2026-03-29 00:00", "2026-03-29 12:00", 0,
            id="a window in the skipped hour does not open"),
        pytest.param(calendar(((1, 5),), days=7), "2026-10-25 00:00", "2026-10-25 12:00", 5,
            id="an hour that it shows twice counts twice"),
        pytest.param(calendar(((2.25, 2.5),), days=7), "2026-10-25 00:00", "2026-10-25 12:00", 0.5,
            id="a window in the repeated hour opens twice"),
        pytest.param(calendar(((0, 24),), days=7), "2026-10-25 00:00", "2026-10-26 00:00", 25, id="a day of 25 hours"),
        pytest.param(calendar(((0, 24),), days=7), "2024-02-28 00:00", "2024-03-01 00:00", 48, id="a leap day"),
        pytest.param(calendar(((0, 24),), days=7), "2026-02-28 00:00", "2026-03-01 00:00", 24, id="no leap day"),
        pytest.param(calendar(), "2025-12-31 16:00", "2026-01-01 10:00", 2, id="over new year"),
        pytest.param(calendar(((0, 24),), days=7), "2019-12-31 00:00", "2026-01-01 00:00", (2192 + 1) * 24,
            id="over several years"),
        pytest.param(calendar(special_days=lambda year: {date(2026, 12, 24): (Window(9 * 3600, 12 * 3600),)}),
            "2026-12-24 00:00", "2026-12-25 00:00", 3, id="a half day"),
        pytest.param(
            calendar(
                days_off=lambda year: {date(2026, 12, 26): "Boxing Day"},
                special_days=lambda year: {date(2026, 12, 26): (Window(9 * 3600, 12 * 3600),)},
            ),
            "2026-12-26 00:00", "2026-12-27 00:00", 3, id="hours of its own open a holiday on a Saturday",
        ),
        pytest.param(calendar(days_off=lambda year: {date(2026, 5, 5): "Closed"}), "2026-05-04 16:00",
            "2026-05-06 10:00", 2, id="a holiday"),
    ],
)  # fmt: skip
def test_open_time(what, start, end, hours):
    assert what.open_time(local(start), local(end)) == hours * HOUR


@pytest.mark.parametrize(
    ("what", "start", "hours", "due"),
    [
        pytest.param(
            calendar(), "2026-05-04 16:00", 1, "2026-05-04 17:00", id="the end of a day, not the next morning"
        ),
        pytest.param(calendar(), "2026-05-04 16:00", 2, "2026-05-05 10:00", id="goes on the next day"),
        pytest.param(calendar(), "2026-05-01 20:00", 1, "2026-05-04 10:00", id="begins on Monday"),
        pytest.param(calendar(), "2026-05-02 13:00", 0, "2026-05-02 13:00", id="nothing is now"),
        pytest.param(calendar(), "2025-12-31 16:00", 2, "2026-01-01 10:00", id="over new year"),
        pytest.param(calendar(((0, 24),), days=7), "2026-03-29 01:00", 2, "2026-03-29 04:00", id="clocks go forward"),
        pytest.param(calendar(((0, 24),), days=7), "2026-10-25 01:00", 3, "2026-10-25 03:00", id="clocks go back"),
        pytest.param(calendar(), "2026-01-01 00:00", 8 * 261, "2026-12-31 17:00", id="a whole year of work"),
    ],
)
def test_add_open(what, start, hours, due):
    assert what.add_open(local(start), hours * HOUR) == local(due)


@pytest.mark.parametrize(
    "week",
    [
        pytest.param((CLOSED,) * 7, id="it never opens"),
        pytest.param((WHOLE_DAY,), id="a week of one day"),
        pytest.param(((Window(3600, 7200), Window(5400, 9000)), *(CLOSED,) * 6), id="windows overlap"),
        pytest.param(((Window(7200, 9000), Window(0, 3600)), *(CLOSED,) * 6), id="windows in disorder"),
        pytest.param(((Window(3600, 3600),), *(CLOSED,) * 6), id="an empty window"),
        pytest.param(((Window(0, DAY + 1),), *(CLOSED,) * 6), id="a window longer than the day"),
    ],
)
def test_calendars_that_cannot_be(week):
    with pytest.raises(ValueError, match=r"window|never opens"):
        BusinessCalendar("test", "1", UTC, week)


def test_an_instant_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="no zone"):
        calendar().add_open(datetime(2026, 5, 4, 9), HOUR)


def test_a_target_beyond_the_calendar_is_refused():
    closed_for_good = calendar(days_off=lambda year: EVERY_DAY.get(year, {}))
    with pytest.raises(ValueError, match=r"no .* of open time"):
        closed_for_good.add_open(datetime(9998, 1, 1, tzinfo=UTC), HOUR)


EVERY_DAY = {9998: {date(9998, 1, 1) + timedelta(days=n): "closed" for n in range(365)}}


def test_the_wall_clock_does_not_fool_elapsed_time():
    assert elapsed(local("2026-10-25 01:00"), local("2026-10-25 04:00")) == 4 * HOUR


minutes_of_day = st.lists(st.integers(0, 24 * 12), min_size=2, max_size=6, unique=True).map(sorted)


@st.composite
def calendars(draw):
    week = [draw(minutes_of_day) if draw(st.booleans()) else [] for _ in range(6)]
    week.append(draw(minutes_of_day))
    windows = tuple(
        tuple(Window(a * 300, b * 300) for a, b in zip(edges[::2], edges[1::2], strict=False)) for edges in week
    )
    off = draw(st.sets(st.dates(date(2026, 3, 20), date(2026, 4, 10)), max_size=4))
    return BusinessCalendar("any", "1", draw(st.sampled_from(ZONES)), windows, lambda year: dict.fromkeys(off, "off"))


# Around changes of the clocks in each of the zones, a skipped date (Apia), and a new year.
instants = st.sampled_from(
    ["2026-03-28", "2026-10-24", "2018-11-03", "2018-02-17", "2026-04-04", "2011-12-29", "2026-12-30", "2026-05-06"]
).flatmap(
    lambda day: st.timedeltas(timedelta(), timedelta(days=3)).map(
        lambda after: datetime.fromisoformat(day).replace(tzinfo=UTC) + after
    )
)
amounts = st.timedeltas(timedelta(), timedelta(days=40))


def is_open(what, instant):
    here = instant.astimezone(what.zone)
    second = here.hour * 3600 + here.minute * 60 + here.second
    return here.date() not in what.days_off(here.year) and any(o <= second < c for o, c in what.week[here.weekday()])


@given(what=calendars(), start=instants, minutes=st.integers(0, 2000))
@settings(max_examples=150, deadline=None)
def test_an_instant_is_open_when_the_wall_clock_shows_an_open_time(what, start, minutes):
    first = start.replace(second=0, microsecond=0)
    counted = MINUTE * sum(is_open(what, first + n * MINUTE) for n in range(minutes))
    assert what.open_time(first, first + minutes * MINUTE) == counted


@given(what=calendars(), start=instants, amount=amounts)
def test_what_was_added_is_what_has_passed(what, start, amount):
    assert what.open_time(start, what.add_open(start, amount)) == amount


@given(what=calendars(), start=instants, amount=amounts, less=st.timedeltas(timedelta.resolution, timedelta(hours=9)))
def test_due_is_the_earliest_such_instant(what, start, amount, less):
    due = what.add_open(start, amount)
    assert due - less < start or what.open_time(start, due - less) < amount or due == start


@given(what=calendars(), start=instants, one=amounts, other=amounts)
def test_more_is_never_earlier(what, start, one, other):
    assert (what.add_open(start, one) <= what.add_open(start, other)) or one > other


@given(what=calendars(), start=instants, later=amounts, amount=amounts)
def test_a_later_start_is_never_due_earlier(what, start, later, amount):
    assert what.add_open(start, amount) <= what.add_open(start + later, amount)


@given(what=calendars(), start=instants, one=amounts, other=amounts)
def test_open_times_add_up(what, start, one, other):
    middle, end = start + one, start + one + other
    assert what.open_time(start, middle) + what.open_time(middle, end) == what.open_time(start, end)


@given(what=calendars(), start=instants, length=amounts)
def test_windows_add_up_to_the_open_time(what, start, length):
    windows = list(what.windows(start, start + length))
    assert sum((w.end - w.start for w in windows), timedelta()) == what.open_time(start, start + length)
    assert all(w.start < w.end for w in windows)
