"""What an operator may set for the clocks."""

from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from deskstream.calendars.forms import OFFICE_HOURS, CalendarForm, Country, Hours, Zone, read_form
from deskstream.sla.domain.policy import LONGEST_TARGET

Minutes = Annotated[int, Field(ge=1, le=LONGEST_TARGET)]


def _form(value: object) -> object:
    return read_form(value) if isinstance(value, str) else value


class Settings(BaseSettings):
    """Read from `DESKSTREAM_SLA_…`."""

    model_config = SettingsConfigDict(env_prefix="DESKSTREAM_SLA_", env_ignore_empty=True, frozen=True)

    zone: Zone = "UTC"
    """Time zone of the hours: `Europe/Berlin`."""
    hours: Hours = OFFICE_HOURS
    """When somebody is there to answer: `mon-fri 09:00-12:00 13:00-17:00; sat 10:00-14:00`, or `24x7`."""
    country: Country | None = None
    """Whose public holidays are closed: `DE`, or `DE-BE` with a part of the country."""
    calendar: Annotated[CalendarForm | None, NoDecode, BeforeValidator(_form)] = None
    """Instead of the three above: a TOML or JSON file, or JSON itself, with half days and holidays of one's own."""
    first_response_minutes: Minutes = 120
    next_response_minutes: Minutes = 120
    """Targets, in open minutes."""
    warn_percent: Annotated[int, Field(ge=1, le=100)] = 75
    """The share of a target after which a clock warns."""

    @model_validator(mode="after")
    def _one_calendar(self) -> "Settings":
        doubled = self.model_fields_set & {"zone", "hours", "country"}
        if self.calendar and doubled:
            raise ValueError(f"DESKSTREAM_SLA_CALENDAR already says {', '.join(sorted(doubled))}: set it there only")
        return self

    def calendar_form(self) -> CalendarForm:
        """The calendar that these settings describe, whichever way."""
        return self.calendar or CalendarForm(zone=self.zone, hours=self.hours, country=self.country)
