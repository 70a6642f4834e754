"""What operators may write, and what they are told when they wrote something else."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from deskstream.calendars import DAY, Window
from deskstream.calendars.forms import CalendarForm, calendar_of
from deskstream.calendars.hours import week_of
from deskstream.contracts.sla import Metric
from deskstream.sla.app import SERVICE, build, policy
from deskstream.sla.config import Settings

HOUR = 3600
NINE_TO_FIVE = (Window(9 * HOUR, 17 * HOUR),)

TOML = """
id = "berlin"
zone = "Europe/Berlin"
hours = "mon-fri 09:00-12:00 13:00-17:00"
country = "DE"

[holidays]
"2026-05-04" = "Summer party"
"12-24" = "Christmas Eve"

[half_days]
"12-31" = "09:00-12:00"
"""


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch):
    for name in ("ZONE", "HOURS", "COUNTRY", "CALENDAR", "FIRST_RESPONSE_MINUTES", "WARN_PERCENT"):
        monkeypatch.delenv(f"DESKSTREAM_SLA_{name}", raising=False)


def open_hours(calendar, day):
    start = datetime.fromisoformat(day).replace(tzinfo=calendar.zone)
    return calendar.open_time(start, start + timedelta(days=1)) / timedelta(hours=1)


def test_shipped_default():
    settings = Settings()
    calendar = calendar_of(settings.calendar_form())
    assert policy(settings).minutes == {Metric.FIRST_RESPONSE: 120, Metric.NEXT_RESPONSE: 120}
    assert (calendar.zone, calendar.week[0], calendar.week[6]) == (UTC, NINE_TO_FIVE, ())
    assert SERVICE.hears == ("events.conversation",)
    assert build(settings).hears


@pytest.mark.parametrize(
    ("text", "days", "windows"),
    [
        pytest.param("mon-fri 09:00-17:00", range(5), NINE_TO_FIVE, id="a range of days"),
        pytest.param("sat-mon 9:00-17:00", (5, 6, 0), NINE_TO_FIVE, id="a range around the weekend"),
        pytest.param("mon,WED 09:00-17:00", (0, 2), NINE_TO_FIVE, id="a list of days, in any case"),
        pytest.param("mon 13:00-17:00 09:00-12:00", (0,), (Window(9 * HOUR, 12 * HOUR), Window(13 * HOUR, 17 * HOUR)),
            id="several windows, in any order"),
        pytest.param("mon 09:00-12:00; mon 12:00-17:00", (0,),
            (Window(9 * HOUR, 12 * HOUR), Window(12 * HOUR, 17 * HOUR)), id="a day said twice has both"),
        pytest.param("mon 22:00-24:00", (0,), (Window(22 * HOUR, DAY),), id="until midnight"),
        pytest.param("mon 22:00-00:00", (0,), (Window(22 * HOUR, DAY),), id="until 00:00 is until midnight"),
        pytest.param("24x7", range(7), (Window(0, DAY),), id="always"),
    ],
)  # fmt: skip
def test_hours(text, days, windows):
    assert week_of(text) == tuple(windows if day in days else () for day in range(7))


def test_hours_past_midnight_reach_into_the_next_day():
    week = week_of("sun 22:00-06:00")
    assert (week[6], week[0]) == ((Window(22 * HOUR, DAY),), (Window(0, 6 * HOUR),))


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        pytest.param("HOURS", "", None, id="empty is not set"),
        pytest.param("HOURS", ";", "never opens", id="no hours at all"),
        pytest.param("HOURS", "mon", "names no hours", id="a day without hours"),
        pytest.param("HOURS", "mon-fry 09:00-17:00", "'mon-fry' names no day", id="no such day"),
        pytest.param("HOURS", "mon- 09:00-17:00", "'mon-' names no day", id="half a range"),
        pytest.param("HOURS", "mon 9-5", "'9-5' is no span", id="no such time"),
        pytest.param("HOURS", "mon 09:00-25:00", "'09:00-25:00' is no span", id="25 o'clock"),
        pytest.param("HOURS", "mon 09:00-09:00", "'09:00-09:00' is no span", id="an empty span"),
        pytest.param("HOURS", "mon 24:00-02:00", "'24:00-02:00' is no span", id="it begins at the end of the day"),
        pytest.param("HOURS", "mon 09:00-12:00 11:00-13:00", "mon: windows of a day must not overlap", id="overlap"),
        pytest.param("HOURS", "mon 20:00-08:00; tue 07:00-12:00", "tue: windows of a day must not overlap",
            id="a night overlaps the morning"),
        pytest.param("HOURS", "24/7", "names no hours", id="another way to write always"),
        pytest.param("HOURS", "mon ٠٩:٠٠-١٧:٠٠", "is no span", id="other digits"),
        pytest.param("ZONE", "Europe/Berlln", "no time zone", id="no such zone"),
        pytest.param("ZONE", "../../etc/passwd", "no time zone", id="a path for a zone"),
        pytest.param("ZONE", "Europe", "no time zone", id="a folder of zones"),
        pytest.param("COUNTRY", "XX", "'XX'", id="no such country"),
        pytest.param("COUNTRY", "DE-QQ", "'DE-QQ'", id="no such part of the country"),
        pytest.param("CALENDAR", "nowhere.toml", "nowhere.toml cannot be read", id="no such file"),
        pytest.param("CALENDAR", "{", "neither TOML nor JSON", id="broken JSON"),
        pytest.param("CALENDAR", '{"hour": "24x7"}', "calendar.hour", id="a field nobody knows"),
        pytest.param("CALENDAR", '{"holidays": {"2026-02-29": "?"}}', "day", id="no such date"),
        pytest.param("CALENDAR", '{"holidays": {"May 1": "?"}}', "'May 1' is no day", id="a day in words"),
        pytest.param("CALENDAR", '{"half_days": {"12-24": "22:00-02:00"}}', "reaches into the next day",
            id="a half day past midnight"),
        pytest.param("CALENDAR", '{"id": "a b"}', "calendar.id", id="an id with a blank"),
        pytest.param("FIRST_RESPONSE_MINUTES", "0", "greater than or equal to 1", id="no time at all"),
        pytest.param("FIRST_RESPONSE_MINUTES", "99999999", "less than or equal", id="years"),
        pytest.param("WARN_PERCENT", "101", "less than or equal to 100", id="a warning after the breach"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(variable, value, told, monkeypatch):
    monkeypatch.setenv(f"DESKSTREAM_SLA_{variable}", value)
    if told is None:
        assert Settings() == Settings.model_construct()
        return
    with pytest.raises(ValidationError) as raised:
        Settings()
    assert told in str(raised.value)


def test_two_calendars_at_once_are_refused(monkeypatch):
    monkeypatch.setenv("DESKSTREAM_SLA_CALENDAR", '{"hours": "24x7"}')
    monkeypatch.setenv("DESKSTREAM_SLA_ZONE", "Europe/Berlin")
    with pytest.raises(ValidationError, match="DESKSTREAM_SLA_CALENDAR already says zone"):
        Settings()


@pytest.fixture(params=["toml", "json", "inline"])
def calendar(request, tmp_path: Path, monkeypatch):
    form = {
        "id": "berlin",
        "zone": "Europe/Berlin",
        "hours": "mon-fri 09:00-12:00 13:00-17:00",
        "country": "DE",
        "holidays": {"2026-05-04": "Summer party", "12-24": "Christmas Eve"},
        "half_days": {"12-31": "09:00-12:00"},
    }
    file = tmp_path / "calendar"
    file.write_text(TOML if request.param == "toml" else json.dumps(form))
    monkeypatch.setenv("DESKSTREAM_SLA_CALENDAR", json.dumps(form) if request.param == "inline" else str(file))
    return calendar_of(Settings().calendar_form())


@pytest.mark.parametrize(
    ("day", "hours"),
    [
        pytest.param("2026-05-05", 7, id="a usual day"),
        pytest.param("2026-05-01", 0, id="the country's holiday"),
        pytest.param("2026-05-04", 0, id="one's own holiday"),
        pytest.param("2027-05-04", 7, id="which is of one year only"),
        pytest.param("2026-12-24", 0, id="a holiday of every year"),
        pytest.param("2030-12-24", 0, id="and every year again"),
        pytest.param("2026-12-31", 3, id="a half day"),
    ],
)
def test_a_calendar_of_ones_own(day, hours, calendar):
    assert (calendar.id, calendar.zone) == ("berlin", ZoneInfo("Europe/Berlin"))
    assert open_hours(calendar, day) == hours


def test_a_leap_day_of_every_year_is_only_where_there_is_one():
    calendar = calendar_of(CalendarForm(hours="24x7", holidays={"02-29": "Leap day"}))
    assert [open_hours(calendar, day) for day in ("2028-02-29", "2026-03-01", "2026-02-28")] == [0, 24, 24]


def test_the_version_follows_the_content():
    one, same, other = (calendar_of(CalendarForm(hours=hours)).version for hours in ("24x7", "24x7", "mon 09:00-17:00"))
    assert one == same != other


def test_holidays_have_names():
    calendar = calendar_of(CalendarForm(country="DE-BE", holidays={"2026-05-04": "Summer party"}))
    days = [datetime(2026, 5, day, tzinfo=UTC).date() for day in (1, 4, 5)]
    assert [calendar.holiday(day) for day in days] == ["Labor Day", "Summer party", None]
