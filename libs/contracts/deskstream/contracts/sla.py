"""What the clocks say: `events.sla.>`, keyed by conversation."""

from datetime import datetime
from enum import StrEnum

from pydantic import AwareDatetime

from deskstream.contracts.ids import ConversationId, ReplyId
from deskstream.contracts.message import Command, Contract, Event

LANE = "events.sla"


class Metric(StrEnum):
    FIRST_RESPONSE = "first_response"
    NEXT_RESPONSE = "next_response"


class Outcome(StrEnum):
    MET = "met"
    BREACHED = "breached"
    NO_REPLY = "no_reply"


class Cause(Contract):
    """What the conversation said that began, ended or resumed a clock; `sequence` names it within its lane."""

    event: str
    sequence: int
    at: datetime
    reply_id: ReplyId | None = None


class ClockFacts(Contract):
    """One clock. Minutes are open minutes of its calendar unless named calendar minutes."""

    ordinal: int = 1
    """Counts the clocks of a conversation from 1; with the conversation's id it names a clock for good."""
    metric: Metric
    started_at: datetime
    target_minutes: int
    warn_at: datetime
    due_at: datetime
    policy: str
    policy_version: str = "1"
    calendar: str
    calendar_version: str = "1"


class ClockEvent(Event, lane=LANE, key="conversation_id"):
    """`at` is when it was said; when it was so is in `clock`, `cause` and `stopped_at`."""

    conversation_id: ConversationId
    number: int
    clock: ClockFacts
    cause: Cause | None = None
    """None where time alone was the cause."""


class ClockStarted(ClockEvent):
    pass


class ClockStopped(ClockEvent):
    """`outcome` compares the moment of the reply with `due_at`, whatever was heard when."""

    outcome: Outcome
    stopped_at: datetime
    business_minutes: float
    calendar_minutes: float
    """From the start of the clock."""
    calendar_minutes_from_creation: float
    created_to_waiting_minutes: float | None = None
    """First response: open minutes from creation to leaving `new` for `waiting_on_user`; None when it never did."""
    in_new_minutes: float | None = None
    """First response: open minutes from first valid to leaving `new`, or to the stop where it is still there."""


class ClockResumed(ClockEvent):
    """It should not have stopped: it counts on as if nothing had happened.

    The reply was never delivered, or what was taken for spam is none. Later clocks named in `replaces` are void: what
    they measured belongs to this one.
    """

    replaces: tuple[int, ...] = ()


class ClockWarned(ClockEvent):
    pass


class ClockBreached(ClockEvent):
    pass


class ExplainClocks(Command, service="sla"):
    """Every clock of a conversation with its segments and the event that began each."""

    conversation_id: ConversationId
    as_of: AwareDatetime | None = None
    """Up to when running clocks are counted; now, where it is not given."""
