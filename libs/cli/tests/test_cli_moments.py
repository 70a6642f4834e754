from datetime import UTC, datetime, timedelta

import pytest

from deskstream.cli.problem import Problem
from deskstream.cli.tail.moments import BEGINNING, read_since

NOW = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        pytest.param("10m", timedelta(minutes=10), id="minutes"),
        pytest.param("90s", timedelta(seconds=90), id="seconds"),
        pytest.param(" 2H ", timedelta(hours=2), id="hours, however written"),
        pytest.param("1.5h", timedelta(minutes=90), id="a fraction"),
        pytest.param("3d", timedelta(days=3), id="days"),
        pytest.param("1 w", timedelta(weeks=1), id="a week, with a space"),
        pytest.param("0s", timedelta(), id="nothing"),
    ],
)
def test_a_span_back_from_now(text, ago):
    assert read_since(text, NOW) == NOW - ago


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        pytest.param("2026-05-01T10:00+02:00", datetime(2026, 5, 1, 8, 0, tzinfo=UTC), id="with its zone"),
        pytest.param("2026-05-01T10:00Z", datetime(2026, 5, 1, 10, 0, tzinfo=UTC), id="in UTC"),
        pytest.param("2026-05-01", datetime(2026, 5, 1).astimezone(), id="a day, local"),
        pytest.param("2026-05-01 10:00", datetime(2026, 5, 1, 10, 0).astimezone(), id="local time"),
        pytest.param("beginning", BEGINNING, id="everything there is"),
        pytest.param("999999999w", BEGINNING, id="longer than time goes back"),
        pytest.param("0001-01-01", BEGINNING, id="before all time"),
    ],
)
def test_a_moment(text, moment):
    assert read_since(text, NOW) == moment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "10",
        "10y",
        "-5m",
        "m",
        "10m10s",
        "1e3s",
        "١٠m?",
        "2026-13-01",
        "25:00",
        "\x00",
        "9" * 400 + "s",
    ],
)
def test_what_means_no_moment_is_misuse_with_examples(text):
    with pytest.raises(Problem, match="2026-05-01T10:00") as raised:
        read_since(text, NOW)
    assert raised.value.code == 2


def test_the_future_is_refused():
    with pytest.raises(Problem, match="still to come"):
        read_since("2027-01-01", NOW)
