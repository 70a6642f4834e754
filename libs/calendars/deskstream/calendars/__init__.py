"""Business calendars: when somebody is there, as exact and pure arithmetic; `forms` reads them from files."""

from deskstream.calendars.arithmetic import (
    CLOSED,
    DAY,
    WHOLE_DAY,
    BusinessCalendar,
    DaysOff,
    Open,
    SpecialDays,
    Window,
    Windows,
    check_windows,
    elapsed,
    no_days_off,
    no_special_days,
)

__all__ = [
    "CLOSED",
    "DAY",
    "WHOLE_DAY",
    "BusinessCalendar",
    "DaysOff",
    "Open",
    "SpecialDays",
    "Window",
    "Windows",
    "check_windows",
    "elapsed",
    "no_days_off",
    "no_special_days",
]
