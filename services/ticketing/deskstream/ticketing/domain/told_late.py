"""What lanes that are younger than an object were never told of it: said once, when a migration wakes the object."""

from datetime import datetime

from deskstream.contracts import Event
from deskstream.contracts.parts import PartStaffed
from deskstream.ticketing.domain.issue import IssueState, Unfiled
from deskstream.ticketing.domain.issue.publishing import confidentiality
from deskstream.ticketing.domain.part import PartState, Unmade


def of_issue(state: IssueState, now: datetime) -> list[Event]:
    """W12: that it is confidential, to whoever writes to customers."""
    return [] if isinstance(state, Unfiled) else confidentiality(Unfiled(state.id, state.facts.number), state, now)


def of_part(state: PartState, now: datetime) -> list[Event]:
    """W14: who stands behind it, to whoever gives work to people."""
    return [] if isinstance(state, Unmade) else [PartStaffed(part_id=state.facts.id, at=now, after=state.facts)]
