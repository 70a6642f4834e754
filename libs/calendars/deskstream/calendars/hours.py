"""Opening hours as people write them: `mon-fri 09:00-12:00 13:00-17:00; sat 10:00-14:00`."""

import re
from collections.abc import Iterator

from deskstream.calendars.arithmetic import DAY, WHOLE_DAY, Window, Windows, check_windows

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ALWAYS = "24x7"

_SPAN = re.compile(r"(\d{1,2}):([0-5]\d)-(\d{1,2}):([0-5]\d)", re.ASCII)


def week_of(text: str) -> tuple[Windows, ...]:
    """The windows of each day, Monday first; `24x7` is always.

    A span that ends earlier than it begins reaches into the next day. Raises `ValueError` with what is wrong.
    """
    if text.strip() == ALWAYS:
        return (WHOLE_DAY,) * 7
    week: list[list[Window]] = [[] for _ in DAYS]
    for part in filter(None, map(str.strip, text.split(";"))):
        for day, window in _part(part):
            week[day % 7].append(window)
    if not any(week):
        raise ValueError("this calendar never opens; write its hours like mon-fri 09:00-17:00")
    return tuple(_in_order(name, windows) for name, windows in zip(DAYS, week, strict=True))


def windows_of(text: str) -> Windows:
    """The windows of one day, `09:00-12:00 13:00-15:00`; no text is a day that never opens."""
    spans = [_windows(span) for span in text.split()]
    if any(len(windows) > 1 for windows in spans):
        raise ValueError(f"{text!r} reaches into the next day; a day of its own hours ends with itself")
    return _in_order(text, [window for windows in spans for window in windows])


def _part(part: str) -> Iterator[tuple[int, Window]]:
    days, *spans = part.split()
    if not spans:
        raise ValueError(f"{part!r} names no hours; write it like mon-fri 09:00-17:00")
    for day in _days(days):
        for span in spans:
            for ahead, window in enumerate(_windows(span)):
                yield day + ahead, window


def _days(text: str) -> Iterator[int]:
    for part in text.lower().split(","):
        first, dash, last = part.partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            raise ValueError(f"{part!r} names no day; days are {', '.join(DAYS)}, or a range like mon-fri")
        start = DAYS.index(first)
        length = (DAYS.index(last) - start) % 7 if dash else 0
        yield from range(start, start + length + 1)


def _windows(span: str) -> Windows:
    """The window of a span; two, of this day and the next, where it passes midnight."""
    match = _SPAN.fullmatch(span)
    if not match:
        raise ValueError(f"{span!r} is no span of time; write it like 09:00-17:00")
    opens, closes = _second(match[1], match[2]), _second(match[3], match[4])
    if max(opens, closes) > DAY or opens in (closes, DAY):
        raise ValueError(f"{span!r} is no span of time; a whole day is 00:00-24:00")
    if opens < closes:
        return (Window(opens, closes),)
    return (Window(opens, DAY), Window(0, closes)) if closes else (Window(opens, DAY),)


def _second(hour: str, minute: str) -> int:
    return int(hour) * 3600 + int(minute) * 60


def _in_order(name: str, windows: list[Window]) -> Windows:
    ordered = tuple(sorted(windows))
    try:
        check_windows(ordered)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    return ordered
