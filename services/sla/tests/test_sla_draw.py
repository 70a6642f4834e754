"""The weekend, drawn."""

import pytest

from deskstream.calendars import WHOLE_DAY, BusinessCalendar
from deskstream.sla.draw import weekend_picture

WEEKEND = """\
            09    10    11    12    13    14    15    16    17
Thu 30 Apr  ░░░░░░░░░░░░░░░░░░      ░░░░░░░░░░░░░░░░░░░░░███   16:30–17:00  30 min
Fri  1 May  Labour Day
Sat  2 May  closed
Sun  3 May  closed
Mon  4 May  ██●◆░░░░░░░░░░░░░░      ░░░░░░░░░░░░░░░░░░░░░░░░   09:00–09:20  20 min

50 of 60 open minutes, 5,330 on the wall: answered Mon 09:20, due Mon 09:30"""


def test_vector_1_as_a_picture(office, at):
    start, answered = at("04-30 16:30"), at("05-04 09:20")
    assert weekend_picture(office, start, answered, at("05-04 09:30"), answered) == WEEKEND.splitlines()


def test_a_clock_that_still_runs(office, at):
    *_, last, _, total = weekend_picture(office, at("05-04 11:50"), at("05-04 13:10"), at("05-04 14:50"), None)
    assert last.endswith("11:50–12:00, 13:00–13:10  20 min")
    assert total == "20 of 120 open minutes, 80 on the wall: still running, due Mon 14:50"


def test_answered_after_hours(office, at):
    _, line, _, total = weekend_picture(
        office, at("05-04 18:00"), at("05-04 20:00"), at("05-05 11:00"), at("05-04 20:00")
    )
    assert line == "Mon  4 May  " + "░" * 18 + " " * 6 + "░" * 24
    assert total.startswith("0 of 120 open minutes")


@pytest.mark.parametrize(
    ("day", "minutes"),
    [
        pytest.param("03-29", 1380, id="a day of 23 hours"),
        pytest.param("10-25", 1500, id="a day of 25 hours"),
    ],
)
def test_days_on_which_the_clocks_change_fit(day, minutes, office, at):
    always = BusinessCalendar("always", "1", office.zone, (WHOLE_DAY,) * 7)
    start, end = at(f"{day} 00:00"), at(f"{day} 23:59:59")
    _, line, _, total = weekend_picture(always, start, end, end, None)
    assert "00:00–24:00" not in line
    assert total.startswith(f"{minutes - 1} of ")


def test_a_long_wait_is_cut(office, at):
    assert len(weekend_picture(office, at("01-05 09:00"), at("06-05 09:00"), at("01-05 11:00"), None)) == 34
