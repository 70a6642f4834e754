"""What an operator may set for tickets."""

from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from deskstream.calendars.forms import OFFICE_HOURS, CalendarForm, Country, Hours, Zone, read_form

OpenHours = Annotated[float, Field(gt=0, le=10_000, allow_inf_nan=False)]


def _form(value: object) -> object:
    return read_form(value) if isinstance(value, str) else value


class Settings(BaseSettings):
    """Read from `DESKSTREAM_TICKETING_…`."""

    model_config = SettingsConfigDict(env_prefix="DESKSTREAM_TICKETING_", env_ignore_empty=True, frozen=True)

    zone: Zone = "UTC"
    """Time zone of the hours: `Europe/Berlin`."""
    hours: Hours = OFFICE_HOURS
    """When silence counts: `mon-fri 09:00-12:00 13:00-17:00; sat 10:00-14:00`, or `24x7`."""
    country: Country | None = None
    """Whose public holidays are closed: `DE`, or `DE-BE` with a part of the country."""
    calendar: Annotated[CalendarForm | None, NoDecode, BeforeValidator(_form)] = None
    """Instead of the three above: a TOML or JSON file, or JSON itself, with half days and holidays of one's own."""
    first_follow_up_hours: OpenHours = 16
    second_follow_up_hours: OpenHours = 32
    give_up_hours: OpenHours = 48
    """Open hours of silence after which a pending ticket is solved, or the customer engineer is asked."""
    grace_hours: OpenHours = 8
    """Open hours that the customer engineer has to find an answer."""
    close_hours: OpenHours = 72
    """Hours by the clock after which a solved ticket is closed."""

    @model_validator(mode="after")
    def _sensible(self) -> "Settings":
        doubled = self.model_fields_set & {"zone", "hours", "country"}
        if self.calendar and doubled:
            names = ", ".join(sorted(doubled))
            raise ValueError(f"DESKSTREAM_TICKETING_CALENDAR already says {names}: set it there only")
        if not self.first_follow_up_hours < self.second_follow_up_hours < self.give_up_hours:
            raise ValueError("the first follow-up comes before the second, and that before giving up")
        return self

    def calendar_form(self) -> CalendarForm:
        """The calendar that these settings describe, whichever way."""
        return self.calendar or CalendarForm(zone=self.zone, hours=self.hours, country=self.country)

    @property
    def follow_ups(self) -> tuple[timedelta, ...]:
        """After how much open time of silence the customer is reminded."""
        return timedelta(hours=self.first_follow_up_hours), timedelta(hours=self.second_follow_up_hours)
