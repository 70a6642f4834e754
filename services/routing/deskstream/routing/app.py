"""Routing, as it is declared to the topology and built from its settings."""

from importlib.resources import files

from deskstream.contracts import conversation, parts, routing
from deskstream.messaging import Declaration, Service
from deskstream.routing.config import Settings
from deskstream.routing.domain import Policy
from deskstream.routing.handlers import answers, floor_of, hears
from deskstream.routing.rules_at_hand import RulesAtHand


def build(settings: Settings) -> Service:
    policy = Policy(
        team=settings.team,
        capacity=settings.capacity,
        weights=settings.weights,
        tiers={tier.lower(): priority for tier, priority in settings.tiers.items()},
    )
    floor = floor_of(policy)
    return Service(hears(floor, RulesAtHand()), answers(floor))


SERVICE = Declaration(
    name="routing",
    settings=Settings,
    build=build,
    migrations=files("deskstream.routing") / "migrations",
    hears=(conversation.LANE, parts.LANE),
    says=(routing.LANE,),
)
