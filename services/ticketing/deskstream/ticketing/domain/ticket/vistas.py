"""W3, R12: in which vista and in which tracker a ticket is listed."""

from typing import Final, Literal

from deskstream.contracts.chain_facts import TicketFacts
from deskstream.contracts.linked import UNSOLVED, TicketStage

Triage = Literal["untriaged", "triaged", "closed"]
TRIAGES: Final[tuple[Triage, ...]] = ("untriaged", "triaged", "closed")
Tracker = Literal["product_assist", "active"]
TRACKERS: Final[tuple[Tracker | None, ...]] = (None, "active", "product_assist")


def triage_of(facts: TicketFacts) -> Triage:
    """New is untriaged; the other unsolved ones are triaged; all else is closed."""
    if facts.stage is TicketStage.NEW:
        return "untriaged"
    return "triaged" if facts.stage in UNSOLVED else "closed"


def tracker_of(facts: TicketFacts) -> Tracker | None:
    """Unsolved ones that need a code change or have an issue, and all other unsolved ones."""
    if facts.stage not in UNSOLVED:
        return None
    return "product_assist" if facts.needs_code_change == "yes" or facts.issues else "active"
