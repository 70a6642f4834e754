"""Constructs the service; says what it is before there are any settings."""

from datetime import timedelta
from importlib.resources import files

from deskstream.calendars.forms import calendar_of
from deskstream.contracts import confidential, issues, links, parts, ticket_talk, ticketing, way_back
from deskstream.messaging import Declaration, Service
from deskstream.ticketing import handlers
from deskstream.ticketing.config import Settings
from deskstream.ticketing.domain.ticket import Promise


def build(settings: Settings) -> Service:
    """The running service's parts."""
    of = handlers.tickets_under(promise(settings))
    return Service(hears=handlers.hears(of), answers=handlers.answers(of))


def promise(settings: Settings) -> Promise:
    """What is done about a silent customer."""
    return Promise(
        calendar=calendar_of(settings.calendar_form()),
        follow_ups=settings.follow_ups,
        give_up=timedelta(hours=settings.give_up_hours),
        grace=timedelta(hours=settings.grace_hours),
        close=timedelta(hours=settings.close_hours),
    )


SERVICE = Declaration(
    name="ticketing",
    settings=Settings,
    build=build,
    migrations=files("deskstream.ticketing") / "migrations",
    hears=(ticket_talk.LANE, links.LANE),
    says=(ticketing.LANE, issues.LANE, links.LANE, parts.LANE, way_back.LANE, confidential.LANE),
)
