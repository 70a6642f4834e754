"""Constructs the service; says what it is before there are any settings."""

from importlib.resources import files

from deskstream.contracts import confidential, conversation, crm, ingest, routing, subjects, ticket_talk, way_back
from deskstream.conversation import handlers
from deskstream.conversation.config import Settings
from deskstream.conversation.domain.messages import Sending
from deskstream.messaging import Declaration, Service
from deskstream.runtime.channels import ALWAYS


def build(settings: Settings) -> Service:
    """The running service's parts."""
    sending = Sending(undo=settings.undo, channels=settings.channels)
    of = handlers.conversations(settings.suggest_ticket_after, settings.channels)
    return Service(
        hears=handlers.hears(of, frozenset(settings.extra_channels), sending), answers=handlers.answers(of, sending)
    )


SERVICE = Declaration(
    name="conversation",
    settings=Settings,
    build=build,
    migrations=files("deskstream.conversation") / "migrations",
    hears=(crm.LANE, conversation.FOLLOW_UP_LANE, routing.LANE, ingest.DELIVERY_LANE, way_back.LANE, confidential.LANE),
    # The lanes of other channels are declared by their adapters.
    says=(conversation.LANE, conversation.FOLLOW_UP_LANE, ticket_talk.LANE, subjects.outbound_lane(ALWAYS)),
)
