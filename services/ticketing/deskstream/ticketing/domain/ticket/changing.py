"""How a ticket's facts change: every change is a new version, and a stage takes with it what belongs to it."""

from datetime import datetime
from typing import Any, TypeVar

from deskstream.contracts.chain_facts import TicketFacts
from deskstream.contracts.linked import TicketStage
from deskstream.contracts.ticketing import TicketEvent
from deskstream.ticketing.domain.ticket import stages

E = TypeVar("E", bound=TicketEvent)

RESOLUTION_TAG = "resolution"


def said(kind: type[E], facts: TicketFacts, now: datetime, changes: dict[str, Any], **told: Any) -> E:
    """An event of the ticket's, with its facts after these changes."""
    after = facts.model_copy(update={"version": facts.version + 1, **changes})
    return kind(ticket_id=facts.id, at=now, stage_before=facts.stage, after=after, **told)


def moved(facts: TicketFacts, stage: TicketStage, now: datetime) -> dict[str, Any]:
    """What goes with a stage: only what is on hold waits, only what is pending asks, only what ended is resolved."""
    if stage is facts.stage:
        return {}
    changes: dict[str, Any] = {"stage": stage, "undecided": None}
    if facts.waits:
        changes["waits"] = ()
    if facts.stage is stages.PENDING and stage is not stages.SOLVED:
        changes |= {"asks": None, "pending_since": None, "follow_ups": 0}
    if facts.stage is stages.SOLVED and stage is stages.OPEN:
        changes |= {"resolution": None, "solved_at": None, "asks": None, "pending_since": None, "follow_ups": 0}
        # What was said of this solution says nothing of the next one.
        changes |= {"confirmed": None, "engineer_told": False}
        changes["tags"] = {tag: value for tag, value in facts.tags.items() if tag != RESOLUTION_TAG}
    if stage in (stages.CLOSED, stages.CANCELED):
        changes["ended_at"] = now
    return changes
