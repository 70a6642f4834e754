"""Why a clock is due when it is: its segments with what began each, and the open hours that make up its target."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate, islice, pairwise
from typing import Any

from deskstream.calendars.arithmetic import BusinessCalendar, Open, elapsed
from deskstream.sla.domain.clocks import Clock

SHOWN_WINDOWS = 50
"""So many windows of a segment are listed; the last one reaches over all the rest."""
LONGEST_LOOK = timedelta(days=366)

_SECOND = timedelta(seconds=1)


def explained(clock: Clock, calendar: BusinessCalendar, until: datetime) -> dict[str, Any]:
    """A clock as JSON. Its segments reach from its start to its stop, or to `until`, and add up to the second."""
    end = clock.stop.at if clock.stop else until
    segments = [] if clock.replaced else list(_segments(clock, calendar, end))
    return {
        **clock.facts.model_dump(mode="json"),
        "state": "replaced" if clock.replaced else clock.outcome or "running",
        "stopped_at": clock.stop.at.isoformat() if clock.stop else None,
        "stopped_by": clock.stop.model_dump(mode="json") if clock.stop else None,
        "warned": clock.warned,
        "breached": clock.breached,
        "business_seconds": sum(segment["business_seconds"] for segment in segments),
        "calendar_seconds": sum(segment["calendar_seconds"] for segment in segments),
        "segments": segments,
        "target_windows": _Span(calendar, clock.facts.started_at).windows(clock.facts.started_at, clock.facts.due_at),
        "holidays": dict(_holidays(calendar, clock.facts.started_at, max(clock.facts.due_at, end))),
    }


def _segments(clock: Clock, calendar: BusinessCalendar, end: datetime) -> Iterator[dict[str, Any]]:
    span = _Span(calendar, clock.facts.started_at)
    # A clock counts from the message, which its conversation heard a moment later.
    starts = [span.origin, *(cause.at for cause in clock.causes[1:])]
    borders = list(accumulate([min(start, end) for start in starts] + [end], max, initial=span.origin))[1:]
    for cause, (start, stop) in zip(clock.causes, pairwise(borders), strict=True):
        if stop > start or cause is clock.causes[0]:
            yield {
                "from": start.isoformat(),
                "to": stop.isoformat(),
                "running": True,
                "began_by": cause.model_dump(mode="json"),
                "business_seconds": span.open_seconds(start, stop),
                "calendar_seconds": elapsed(span.origin, stop) // _SECOND - elapsed(span.origin, start) // _SECOND,
                "windows": span.windows(start, stop),
            }


@dataclass(frozen=True, slots=True)
class _Span:
    """Counts whole seconds from one origin, so that parts always add up to the whole."""

    calendar: BusinessCalendar
    origin: datetime

    def open_seconds(self, start: datetime, end: datetime) -> int:
        return self._passed(end) - self._passed(start)

    def windows(self, start: datetime, end: datetime) -> list[dict[str, Any]]:
        found = list(islice(self.calendar.windows(start, end), SHOWN_WINDOWS + 1))
        shown = found if len(found) <= SHOWN_WINDOWS else [*found[: SHOWN_WINDOWS - 1], Open(found[-2].start, end)]
        return [
            {"from": w.start.isoformat(), "to": w.end.isoformat(), "seconds": self.open_seconds(w.start, w.end)}
            for w in shown
        ]

    def _passed(self, instant: datetime) -> int:
        return self.calendar.open_time(self.origin, instant) // _SECOND


def _holidays(calendar: BusinessCalendar, start: datetime, end: datetime) -> Iterator[tuple[str, str]]:
    first = start.astimezone(calendar.zone).date()
    last = min(end.astimezone(calendar.zone).date(), first + LONGEST_LOOK)
    for days in range((last - first).days + 1):
        day = first + timedelta(days=days)
        if name := calendar.holiday(day):
            yield day.isoformat(), name
