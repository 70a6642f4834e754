"""From a pick to the event that tells it, with its one record."""

from datetime import datetime

from deskstream.contracts.facts import Priority
from deskstream.contracts.routing import OwnerChosen
from deskstream.routing.domain.floor import Assignment
from deskstream.routing.domain.record import Pick, Trail


def choose(
    case: Assignment,
    pick: Pick,
    trail: Trail,
    now: datetime,
    *,
    priority: Priority | None = None,
    part: int | None = None,
) -> OwnerChosen:
    """The one event of an assignment. From one person to another is a handoff; nobody is no person."""
    handoff = case.owner is not None and pick.owner is not None and case.owner != pick.owner
    return OwnerChosen.model_construct(
        at=now,
        conversation_id=case.conversation_id,
        number=case.number,
        owner=pick.owner,
        previous=case.owner,
        team=pick.team,
        cause=pick.cause,
        priority=priority or case.priority,
        handoff=handoff,
        handoffs=case.handoffs + handoff,
        part=part or case.part,
        reason=pick.reason,
        record=trail.record(),
    )
