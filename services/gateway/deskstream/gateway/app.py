"""The gateway as a service: one projector of views, and HTTP in every replica."""

from importlib.resources import files

from deskstream.contracts import conversation, issues, routing, sla, ticketing
from deskstream.gateway.api import commands, work_commands
from deskstream.gateway.config import Settings
from deskstream.gateway.handlers import HEARS
from deskstream.gateway.server import http
from deskstream.messaging import Declaration, Service


def build(settings: Settings) -> Service:
    """The service with these settings."""
    return Service(hears=HEARS, background=[http(settings)])


SERVICE = Declaration(
    name="gateway",
    settings=Settings,
    build=build,
    migrations=files("deskstream.gateway") / "migrations",
    hears=(conversation.LANE, routing.LANE, sla.LANE, ticketing.LANE, issues.LANE),
    calls=(*commands.CALLS, *work_commands.CALLS),
    # One writer makes the feed's ids a place to resume from.
    exclusive=True,
)
