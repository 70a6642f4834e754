"""Business calendars: when somebody is there to answer, as exact arithmetic on instants.

An instant is open when the wall clock of the zone shows a time inside one of the day's windows. Everything follows
from that, daylight saving too: an hour that the wall clock skips is never open, one that it shows twice counts twice.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import NamedTuple, TypeAlias

DAY = 86_400
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = _EPOCH.toordinal()
_MICROSECOND = timedelta(microseconds=1)
_LAST_YEAR = 9998


class Window(NamedTuple):
    """A stretch of a day, in seconds after midnight on the wall clock; `closes` is not inside."""

    opens: int
    closes: int


Windows: TypeAlias = tuple[Window, ...]
DaysOff: TypeAlias = Callable[[int], Mapping[date, str]]
"""Year -> its holidays and their names."""
SpecialDays: TypeAlias = Callable[[int], Mapping[date, Windows]]
"""Year -> days with windows of their own, such as half days; they come before holidays and the week."""

CLOSED: Windows = ()
WHOLE_DAY: Windows = (Window(0, DAY),)


def no_days_off(year: int) -> Mapping[date, str]:
    return {}


def no_special_days(year: int) -> Mapping[date, Windows]:
    return {}


class Open(NamedTuple):
    """A stretch of time that is open throughout."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class _Year:
    """A year (of UTC) as a table: window i is open from opens[i] to closes[i], `through[i]` is open up to its end."""

    opens: list[int]
    closes: list[int]
    through: list[int]

    @property
    def total(self) -> int:
        return self.through[-1] if self.through else 0


@dataclass(frozen=True, slots=True)
class BusinessCalendar:
    """Windows of a week in one zone, with holidays and special days. `id` and `version` name it in what is said.

    `week` has seven entries, Monday first. A window past midnight is written as two. A holiday closes its own date,
    from midnight to midnight. Raises `ValueError` for a week that never opens or whose windows overlap.
    """

    id: str
    version: str
    zone: tzinfo
    week: tuple[Windows, ...]
    days_off: DaysOff = no_days_off
    special_days: SpecialDays = no_special_days
    _years: dict[int, _Year] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.week) != 7 or not any(self.week):
            raise ValueError(f"calendar {self.id} never opens: give at least one window a week")
        for windows in self.week:
            check_windows(windows)

    def open_time(self, start: datetime, end: datetime) -> timedelta:
        """How much of the time from `start` to `end` is open; nothing when `end` is not later."""
        first, last = _utc(start), _utc(end)
        if last <= first:
            return timedelta()
        passed = self._opened(last) - self._opened(first)
        between = sum(self._year(year).total for year in range(first.year, last.year))
        return (passed + between) * _MICROSECOND

    def add_open(self, start: datetime, amount: timedelta) -> datetime:
        """The earliest instant with `amount` of open time since `start`. Raises `ValueError` past the year 9998."""
        if amount <= timedelta():
            return start
        begin = _utc(start)
        year, wanted = begin.year, self._opened(begin) + amount // _MICROSECOND
        while wanted > (table := self._year(year)).total:
            year, wanted = year + 1, wanted - table.total
            if year > _LAST_YEAR:
                raise ValueError(f"calendar {self.id} has no {amount} of open time after {start}")
        found = bisect_left(table.through, wanted)
        return _instant(table.closes[found] - (table.through[found] - wanted))

    def windows(self, start: datetime, end: datetime) -> Iterator[Open]:
        """The open stretches between two instants, in order, the first and the last cut to fit."""
        first, last = _micros(_utc(start)), _micros(_utc(end))
        years = range(_utc(start).year, _utc(end).year + 1) if first < last else ()
        for year in years:
            table = self._year(year)
            for at in range(bisect_right(table.closes, first), bisect_left(table.opens, last)):
                yield Open(_instant(max(table.opens[at], first)), _instant(min(table.closes[at], last)))

    def holiday(self, day: date) -> str | None:
        """The name of the holiday that closes this date, if one does."""
        return None if day in self.special_days(day.year) else self.days_off(day.year).get(day)

    def _opened(self, instant: datetime) -> int:
        """Open microseconds since the year began."""
        table, at = self._year(instant.year), _micros(instant)
        found = bisect_right(table.opens, at) - 1
        return table.through[found] - max(table.closes[found] - at, 0) if found >= 0 else 0

    def _year(self, year: int) -> _Year:
        # A memo of a pure function: the calendar stays a value.
        table = self._years.get(year)
        if table is None:
            table = self._years[year] = self._tabulate(year)
        return table

    def _tabulate(self, year: int) -> _Year:
        opens: list[int] = []
        closes: list[int] = []
        through: list[int] = []
        for start, end in self._stretches(year):
            if closes and closes[-1] == start:
                closes[-1] = end
                through[-1] += end - start
            else:
                opens.append(start)
                closes.append(end)
                through.append((through[-1] if through else 0) + end - start)
        return _Year(opens, closes, through)

    def _stretches(self, year: int) -> Iterator[tuple[int, int]]:
        """The open stretches of a year of UTC in microseconds; neighbours may touch."""
        for start, end in pairwise(_changes(self.zone, year)):
            offset = _offset(self.zone, start)
            for day in range((start + offset) // DAY, (end + offset - 1) // DAY + 1):
                midnight = day * DAY - offset
                for opens, closes in self._windows_of(date.fromordinal(_EPOCH_DAY + day)):
                    first, last = max(midnight + opens, start), min(midnight + closes, end)
                    if first < last:
                        yield first * 1_000_000, last * 1_000_000

    def _windows_of(self, day: date) -> Windows:
        special = self.special_days(day.year).get(day)
        if special is not None:
            return special
        return CLOSED if day in self.days_off(day.year) else self.week[day.weekday()]


def elapsed(start: datetime, end: datetime) -> timedelta:
    """The real time between two instants, whatever their zones; nothing when `end` is not later."""
    return max(_utc(end) - _utc(start), timedelta())


def check_windows(windows: Windows) -> None:
    """Raises `ValueError` unless they lie in order within a day, one after the other."""
    for window in windows:
        if not 0 <= window.opens < window.closes <= DAY:
            raise ValueError("a window must open before it closes, within one day")
    if any(later.opens < earlier.closes for earlier, later in pairwise(windows)):
        raise ValueError("windows of a day must not overlap, and come in order")


def _changes(zone: tzinfo, year: int) -> list[int]:
    """The seconds at which a year of UTC begins and ends, and at which the zone's offset changes within it."""
    first = (date(year, 1, 1).toordinal() - _EPOCH_DAY) * DAY
    last = (date(year + 1, 1, 1).toordinal() - _EPOCH_DAY) * DAY
    days = [(second, _offset(zone, second)) for second in range(first, last + 1, DAY)]
    changed = [_change_between(zone, one, other) for (one, a), (other, b) in pairwise(days) if a != b]
    return sorted({first, *changed, last})


def _change_between(zone: tzinfo, earlier: int, later: int) -> int:
    before = _offset(zone, earlier)
    return earlier + bisect_left(
        range(later - earlier), True, key=lambda after: _offset(zone, earlier + after) != before
    )


def _offset(zone: tzinfo, second: int) -> int:
    offset = (_EPOCH + timedelta(seconds=second)).astimezone(zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())


def _utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError(f"{instant} has no zone: an instant is meant")
    return instant.astimezone(UTC)


def _micros(instant: datetime) -> int:
    return (instant - _EPOCH) // _MICROSECOND


def _instant(micros: int) -> datetime:
    return _EPOCH + micros * _MICROSECOND
