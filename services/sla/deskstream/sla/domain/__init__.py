"""Response clocks: calendars, policies, and what follows from a conversation's events under them."""

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
from deskstream.sla.domain.clocks import Clock, Clocks, due
from deskstream.sla.domain.decide import Message, Woken, decide, evolve
from deskstream.sla.domain.fold import KEPT_CLOCKS, KEPT_ENDINGS, advance, clocks_of
from deskstream.sla.domain.policy import Policy, Rules
from deskstream.sla.domain.segments import explained

__all__ = [
    "CLOSED",
    "DAY",
    "KEPT_CLOCKS",
    "KEPT_ENDINGS",
    "WHOLE_DAY",
    "BusinessCalendar",
    "Clock",
    "Clocks",
    "DaysOff",
    "Message",
    "Open",
    "Policy",
    "Rules",
    "SpecialDays",
    "Window",
    "Windows",
    "Woken",
    "advance",
    "check_windows",
    "clocks_of",
    "decide",
    "due",
    "elapsed",
    "evolve",
    "explained",
    "no_days_off",
    "no_special_days",
]
