"""A clock over several days as lines of text, for terminals."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from deskstream.calendars import BusinessCalendar, elapsed

OPEN, RUNNING, STOPPED, DUE = "░", "█", "●", "◆"

_MINUTE = timedelta(minutes=1)
_MARGIN = 12
_WIDEST = 48
_CELLS = (10, 15, 20, 30, 60)
_MOST_DAYS = 31


def weekend_picture(
    calendar: BusinessCalendar, start: datetime, end: datetime, due: datetime, stopped: datetime | None
) -> list[str]:
    """A line for each day from `start` to `end` with its open hours: where the clock ran, stopped and is due; the sum.

    `stopped` None is a clock that still runs at `end`.
    """
    picture = _Picture(calendar, start, stopped or end, due, stopped)
    days = list(_days(start.astimezone(calendar.zone).date(), end.astimezone(calendar.zone).date()))
    axis = _axis([window for day in days for window in picture.open_on(day)])
    return [axis.header(), *(picture.line(day, axis) for day in days), "", picture.sum()]


@dataclass(frozen=True, slots=True)
class _Axis:
    """Minutes after midnight on the wall clock, `cell` of them to a character."""

    first: int
    last: int
    cell: int

    def header(self) -> str:
        hours = 1 if self.cell <= 20 else 4
        labels = range(self.first // 60, self.last // 60 + 1, hours)
        return " " * _MARGIN + "".join(f"{hour:02}".ljust(hours * 60 // self.cell) for hour in labels).rstrip()


@dataclass(frozen=True, slots=True)
class _Picture:
    calendar: BusinessCalendar
    start: datetime
    until: datetime
    due: datetime
    stopped: datetime | None

    def open_on(self, day: date) -> list[tuple[int, int]]:
        return self._windows(day, *self._bounds(day))

    def line(self, day: date, axis: _Axis) -> str:
        label, hours = f"{day:%a} {day.day:>2} {day:%b}".ljust(_MARGIN), self.open_on(day)
        if not hours:
            return label + (self.calendar.holiday(day) or "closed")
        first, last = self._bounds(day)
        ran = self._windows(day, max(first, self.start), min(last, self.until))
        cells = [range(minute, minute + axis.cell) for minute in range(axis.first, axis.last, axis.cell)]
        bar = "".join(self._sign(day, cell, ran, hours) for cell in cells)
        return f"{label}{bar}   {_told(ran)}".rstrip()

    def sum(self) -> str:
        used = self.calendar.open_time(self.start, self.until) // _MINUTE
        target = self.calendar.open_time(self.start, self.due) // _MINUTE
        passed = elapsed(self.start, self.until) // _MINUTE
        end = f"answered {self._moment(self.stopped)}" if self.stopped else "still running"
        return f"{used} of {target} open minutes, {passed:,} on the wall: {end}, due {self._moment(self.due)}"

    def _sign(self, day: date, cell: range, ran: Sequence[tuple[int, int]], hours: Sequence[tuple[int, int]]) -> str:
        for sign, instant in ((STOPPED, self.stopped), (DUE, self.due)):
            if instant and instant.astimezone(self.calendar.zone).date() == day and self._minute(instant) in cell:
                return sign
        return RUNNING if _overlaps(cell, ran) else OPEN if _overlaps(cell, hours) else " "

    def _bounds(self, day: date) -> tuple[datetime, datetime]:
        zone = self.calendar.zone
        return datetime.combine(day, time(), zone), datetime.combine(day + timedelta(days=1), time(), zone)

    def _windows(self, day: date, start: datetime, end: datetime) -> list[tuple[int, int]]:
        """The open stretches between two instants of a day, in minutes after midnight."""
        midnight = self._bounds(day)[1]
        found = self.calendar.windows(start, end)
        return [(self._minute(w.start), 24 * 60 if w.end == midnight else self._minute(w.end)) for w in found]

    def _minute(self, instant: datetime) -> int:
        local = instant.astimezone(self.calendar.zone)
        return local.hour * 60 + local.minute

    def _moment(self, instant: datetime) -> str:
        return f"{instant.astimezone(self.calendar.zone):%a %H:%M}"


def _days(first: date, last: date) -> Iterator[date]:
    for days in range(min((last - first).days + 1, _MOST_DAYS)):
        yield first + timedelta(days=days)


def _axis(hours: Sequence[tuple[int, int]]) -> _Axis:
    first = min((opens for opens, _ in hours), default=9 * 60) // 60 * 60
    last = -(-max((closes for _, closes in hours), default=17 * 60) // 60) * 60
    cell = next((cell for cell in _CELLS if (last - first) // cell <= _WIDEST), _CELLS[-1])
    return _Axis(first, last, cell)


def _overlaps(cell: range, windows: Sequence[tuple[int, int]]) -> bool:
    return any(opens < cell.stop and cell.start < closes for opens, closes in windows)


def _told(ran: Sequence[tuple[int, int]]) -> str:
    if not ran:
        return ""
    spans = ", ".join(f"{_clock(opens)}–{_clock(closes)}" for opens, closes in ran)
    return f"{spans}  {sum(closes - opens for opens, closes in ran)} min"


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
