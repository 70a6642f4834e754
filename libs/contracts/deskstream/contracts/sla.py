"""What the clocks say: `events.sla.>`, keyed by conversation."""

from datetime import datetime
from enum import StrEnum

from deskstream.contracts.ids import ConversationId
from deskstream.contracts.message import Command, Contract, Event

LANE = "events.sla"


class Metric(StrEnum):
    FIRST_RESPONSE = "first_response"
    NEXT_RESPONSE = "next_response"


class Outcome(StrEnum):
    MET = "met"
    BREACHED = "breached"
    NO_REPLY = "no_reply"


class ClockFacts(Contract):
    """One clock. Minutes are open minutes of its calendar unless named calendar minutes."""

    metric: Metric
    started_at: datetime
    target_minutes: int
    warn_at: datetime
    due_at: datetime
    policy: str
    calendar: str


class ClockEvent(Event, lane=LANE, key="conversation_id"):
    conversation_id: ConversationId
    number: int
    clock: ClockFacts


class ClockStarted(ClockEvent):
    pass


class ClockStopped(ClockEvent):
    outcome: Outcome
    stopped_at: datetime
    business_minutes: float
    calendar_minutes: float
    """From the start of the clock."""
    calendar_minutes_from_creation: float


class ClockResumed(ClockEvent):
    """The answer never arrived: the old clock counts on as if nothing had been sent."""


class ClockWarned(ClockEvent):
    pass


class ClockBreached(ClockEvent):
    pass


class ExplainClocks(Command, service="sla"):
    """Every clock of a conversation with its segments and the event that began each."""

    conversation_id: ConversationId
