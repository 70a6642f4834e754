"""Builds the clocks."""

from importlib.resources import files

from deskstream.calendars.forms import calendar_of, version_of
from deskstream.contracts import conversation, sla
from deskstream.contracts.sla import Metric
from deskstream.messaging import Declaration, Service
from deskstream.sla import handlers
from deskstream.sla.config import Settings
from deskstream.sla.domain import Policy, Rules


def build(settings: Settings) -> Service:
    rules = Rules(policy=policy(settings), calendar=calendar_of(settings.calendar_form()))
    return Service(hears=handlers.hears(rules), answers=handlers.answers(rules))


def policy(settings: Settings) -> Policy:
    minutes = {
        Metric.FIRST_RESPONSE: settings.first_response_minutes,
        Metric.NEXT_RESPONSE: settings.next_response_minutes,
    }
    version = version_of(f"{[*minutes.values(), settings.warn_percent]}")
    return Policy(id="default", version=version, minutes=minutes, warn_percent=settings.warn_percent)


SERVICE = Declaration(
    name="sla",
    settings=Settings,
    build=build,
    migrations=files("deskstream.sla") / "migrations",
    hears=(conversation.LANE,),
    says=(sla.LANE,),
)
