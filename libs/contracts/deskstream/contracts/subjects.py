"""Every subject name of the system; no other package spells one."""

from typing import NamedTuple

INBOUND = "inbound"
INBOUND_ALL = "inbound.>"
EVENTS = "events"
OUTBOUND = "outbound"
COMMANDS = "commands"
PROBES = "probes"


_OWNERS = {
    "confidential": "ticketing",
    "delivery": "ingest",
    "follow_up": "conversation",
    "parts": "ticketing",
    "ticket_talk": "conversation",
    "issues": "ticketing",
    "links": "ticketing",
    "way_back": "ticketing",
}
"""Who writes the lanes that are not named after their writer."""


class InboundAddress(NamedTuple):
    """Where an adapter published: `inbound.<channel>.<inbox>`."""

    channel: str
    inbox: str


def inbound(channel: str, inbox: str) -> str:
    """Where an adapter publishes what arrived."""
    return f"{INBOUND}.{channel}.{inbox}"


def inbound_address(subject: str) -> InboundAddress:
    """The channel and inbox that an inbound subject names; raises `ValueError` for any other subject."""
    tokens = subject.split(".")
    if len(tokens) != 3 or tokens[0] != INBOUND:
        raise ValueError(f"{subject} is not inbound.<channel>.<inbox>")
    return InboundAddress(tokens[1], tokens[2])


def outbound_lane(channel: str) -> str:
    """The lane of what leaves by a channel."""
    return f"{OUTBOUND}.{channel}"


def events_lane(service: str) -> str:
    """The lane of what a service says."""
    return f"{EVENTS}.{service}"


def lane_of(subject: str) -> str:
    """The first two tokens."""
    first, second, *_ = subject.split(".")
    return f"{first}.{second}"


def key_of(subject: str) -> str:
    """The last token: the object's id."""
    return subject.rpartition(".")[2]


def owner_of(lane: str) -> str:
    """The service that writes a lane, and serves its journal: usually the one it is named after."""
    first, _, second = lane.partition(".")
    return "conversation" if first == OUTBOUND else _OWNERS.get(second, second)


def commands_of(service: str) -> str:
    """Everything one may ask a service."""
    return f"{COMMANDS}.{service}.>"


def command(service: str, name: str) -> str:
    """One command of a service."""
    return f"{COMMANDS}.{service}.{name}"


def question(service: str, name: str, lane: str) -> str:
    """A command that every service answers about each lane that it writes."""
    return f"{COMMANDS}.{service}.{name}.{lane}"


def wish_of(subject: str) -> tuple[str, str]:
    """(the command's name, the lane it asks about or nothing) of a subject that a service was asked on."""
    _, _, name, *lane = subject.split(".")
    return name, ".".join(lane)


def all_of(lane: str) -> str:
    """Everything on a lane, or of a kind such as `events`."""
    return f"{lane}.>"


def probe(service: str) -> str:
    """Where a service tries, for its readiness, whether the broker still takes anything."""
    return f"{PROBES}.{service}"


def stream_of(lane: str) -> str:
    """The JetStream stream that holds a lane: `EVENTS_CRM`, `OUTBOUND_EMAIL`; all inbound lanes share `INBOUND`."""
    first, _, second = lane.partition(".")
    return "INBOUND" if first == INBOUND else f"{first}_{second}".upper()
