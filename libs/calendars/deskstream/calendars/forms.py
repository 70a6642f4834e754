"""Business calendars as a TOML or JSON file says them: hours, holidays by country or of one's own, half days."""

import json
import re
import tomllib
from calendar import isleap
from collections.abc import Callable, Mapping
from datetime import UTC, date, tzinfo
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar
from zoneinfo import ZoneInfo

import holidays as public
from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from deskstream.calendars.arithmetic import BusinessCalendar, DaysOff, no_days_off
from deskstream.calendars.hours import week_of, windows_of

T = TypeVar("T")

OFFICE_HOURS = "mon-fri 09:00-17:00"

_DAY = re.compile(r"(?:(\d{4})-)?(\d{2})-(\d{2})", re.ASCII)
_SOME_LEAP_YEAR = 2000
_ENGLISH = "en_US"


def zone_of(name: str) -> tzinfo:
    """The time zone of an IANA name. Raises `ValueError` for any other."""
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone that this machine knows; write it like Europe/Berlin") from None


def days_off_of(country: str) -> DaysOff:
    """The public holidays of `DE`, or of `DE-BE` with a part of the country. Raises `ValueError` for an unknown one."""
    code, _, part = country.partition("-")
    language = _ENGLISH if _ENGLISH in public.list_localized_countries().get(code, ()) else None
    try:
        public.country_holidays(code, subdiv=part or None)
    except NotImplementedError as error:
        raise ValueError(f"{country!r}: {error}; write it like DE or DE-BE (ISO 3166)") from None
    return lambda year: dict(public.country_holidays(code, subdiv=part or None, years=year, language=language))


def _written(read: Callable[[str], object]) -> AfterValidator:
    """Keeps the text as it was written, once it has proved readable."""

    def keep(text: str) -> str:
        read(text)
        return text

    return AfterValidator(keep)


def _date(text: str, year: int = _SOME_LEAP_YEAR) -> date | None:
    """The date that this day is in a year, if that year has it."""
    match = _DAY.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is no day; write it like 2026-12-24, or 12-24 for every year")
    month, day = int(match[2]), int(match[3])
    date(int(match[1] or _SOME_LEAP_YEAR), month, day)
    absent = int(match[1]) != year if match[1] else (month, day) == (2, 29) and not isleap(year)
    return None if absent else date(year, month, day)


Zone: TypeAlias = Annotated[str, _written(zone_of)]
Hours: TypeAlias = Annotated[str, _written(week_of)]
Country: TypeAlias = Annotated[str, _written(days_off_of)]
Day: TypeAlias = Annotated[str, _written(_date)]
DayHours: TypeAlias = Annotated[str, _written(windows_of)]


class CalendarForm(BaseModel):
    """What a calendar's file may say. Days are `2026-12-24`, or `12-24` for every year."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = "office"
    zone: Zone = "UTC"
    hours: Hours = OFFICE_HOURS
    country: Country | None = None
    holidays: dict[Day, str] = {}
    """Days that are closed besides the country's, each with its name."""
    half_days: dict[Day, DayHours] = {}
    """Days with hours of their own, holidays or not."""


def read_form(text: str) -> Mapping[str, Any]:
    """The content of a TOML or JSON file, or `text` itself where it is JSON. Raises `ValueError`."""
    inline = text.lstrip().startswith("{")
    if not inline:
        text = _file(text)
    try:
        form = json.loads(text) if inline or text.lstrip().startswith("{") else tomllib.loads(text)
    except ValueError as error:
        raise ValueError(f"this is neither TOML nor JSON: {error}") from None
    return dict(form)


def _file(path: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None


def calendar_of(form: CalendarForm) -> BusinessCalendar:
    """The calendar itself. Its version follows from its content, so that nobody has to remember to change it."""
    country = days_off_of(form.country) if form.country else no_days_off

    def days_off(year: int) -> Mapping[date, str]:
        return {**country(year), **_of_year(form.holidays, year)}

    def special_days(year: int) -> Mapping[date, Any]:
        return {day: windows_of(hours) for day, hours in _of_year(form.half_days, year).items()}

    content = f"{form.model_dump_json()} {version('holidays') if form.country else ''}"
    return BusinessCalendar(
        id=form.id,
        version=version_of(content),
        zone=zone_of(form.zone),
        week=week_of(form.hours),
        days_off=cache(days_off),
        special_days=cache(special_days),
    )


def version_of(content: str) -> str:
    """A name for exactly this content."""
    return sha256(content.encode()).hexdigest()[:8]


def _of_year(days: Mapping[str, T], year: int) -> dict[date, T]:
    found = ((_date(day, year), value) for day, value in days.items())
    return {day: value for day, value in found if day}
