"""W3, R11, R12: in which vista and in which tracker a ticket is listed, the same wherever tickets are listed."""

from typing import Final, Literal

from deskstream.contracts.chain_facts import TicketFacts
from deskstream.contracts.linked import UNSOLVED, TicketStage

Triage = Literal["untriaged", "triaged", "closed"]
TRIAGES: Final[tuple[Triage, ...]] = ("untriaged", "triaged", "closed")
"""In this order stores keep them as numbers."""
Tracker = Literal["product_assist", "active"]
TRACKERS: Final[tuple[Tracker | None, ...]] = (None, "active", "product_assist")
"""In this order stores keep them as numbers."""


def triage_of(stage: TicketStage) -> Triage:
    """New is untriaged; the other unsolved ones are triaged; all else is closed."""
    if stage is TicketStage.NEW:
        return "untriaged"
    return "triaged" if stage in UNSOLVED else "closed"


def tracker_of(facts: TicketFacts) -> Tracker | None:
    """Unsolved ones that need a code change or have an issue, and all other unsolved ones; None once it is solved."""
    if facts.stage not in UNSOLVED:
        return None
    return "product_assist" if facts.needs_code_change == "yes" or facts.issues else "active"
