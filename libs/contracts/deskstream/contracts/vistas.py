"""W3, R11, R12: whose turn a ticket is, and its vista and tracker: the same wherever tickets are listed."""

from typing import Final, Literal, assert_never

from deskstream.contracts.chain_facts import TicketFacts
from deskstream.contracts.linked import UNSOLVED, TicketStage

Triage = Literal["untriaged", "triaged", "closed"]
TRIAGES: Final[tuple[Triage, ...]] = ("untriaged", "triaged", "closed")
"""In this order stores keep them as numbers."""
Tracker = Literal["product_assist", "active"]
TRACKERS: Final[tuple[Tracker | None, ...]] = (None, "active", "product_assist")
"""In this order stores keep them as numbers."""
Turn = Literal["us", "customer", "others", "no_one"]
"""Who acts next; the others are those that the ticket waits for."""


def turn_of(stage: TicketStage) -> Turn:
    """W3: who acts next on a ticket in this stage."""
    match stage:
        case TicketStage.NEW | TicketStage.OPEN:
            return "us"
        case TicketStage.PENDING:
            return "customer"
        case TicketStage.ON_HOLD:
            return "others"
        case TicketStage.SOLVED | TicketStage.CLOSED | TicketStage.CANCELED:
            return "no_one"
        case _:
            assert_never(stage)


def triage_of(stage: TicketStage) -> Triage:
    """New is untriaged; the other unsolved ones are triaged; all else is closed."""
    if stage is TicketStage.NEW:
        return "untriaged"
    return "triaged" if stage in UNSOLVED else "closed"


def tracker_of(facts: TicketFacts) -> Tracker | None:
    """Unsolved ones that need a code change or have an issue, and all other unsolved ones; None once it is solved."""
    if facts.stage not in UNSOLVED:
        return None
    worked_on = any(not issue.deleted for issue in facts.issues)
    return "product_assist" if facts.needs_code_change == "yes" or worked_on else "active"
