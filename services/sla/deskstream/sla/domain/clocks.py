"""What is known of a conversation's clocks: small frozen values, and the questions one may ask them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from deskstream.contracts.facts import Stage
from deskstream.contracts.ids import ConversationId
from deskstream.contracts.sla import Cause, ClockFacts, Outcome


@dataclass(frozen=True, slots=True)
class Clock:
    """It runs until its first ending; further endings count when that one turns out not to have happened.

    `causes` began its segments: the first one the clock; then, for each time that it resumed, what had stopped it and
    what set it going again.
    """

    number: int
    created_at: datetime
    facts: ClockFacts
    causes: tuple[Cause, ...]
    endings: tuple[Cause, ...] = ()
    left_new: tuple[Stage, datetime] | None = None
    """First response: where the conversation first went from `new`, and when."""
    warned: bool = False
    breached: bool = False
    replaced: bool = False
    """An earlier clock counts on in its place."""
    settled: bool = False
    """So old that nothing can change it any more."""

    @property
    def runs(self) -> bool:
        return not (self.endings or self.replaced)

    @property
    def stop(self) -> Cause | None:
        return self.endings[0] if self.endings else None

    @property
    def unanswered(self) -> bool:
        """Whether it stopped without an answer."""
        return bool(self.endings) and self.endings[0].reply_id is None

    @property
    def outcome(self) -> Outcome | None:
        """None while it runs. By the moment of the answer alone, whatever timers said meanwhile."""
        if not self.endings:
            return None
        if self.unanswered:
            return Outcome.NO_REPLY
        return Outcome.BREACHED if self.endings[0].at > self.facts.due_at else Outcome.MET


@dataclass(frozen=True, slots=True)
class Clocks:
    """The clocks of a conversation that are not settled, oldest first. At most one of them runs."""

    conversation_id: ConversationId
    recent: tuple[Clock, ...] = ()

    @classmethod
    def none_yet(cls, conversation_id: ConversationId) -> Self:
        return cls(conversation_id)

    @property
    def running(self) -> Clock | None:
        return next((clock for clock in reversed(self.recent) if clock.runs), None)

    @property
    def last(self) -> Clock | None:
        return next((clock for clock in reversed(self.recent) if not clock.replaced), None)


def due(clocks: Clocks) -> datetime | None:
    """When time alone next changes something: the warning, then the breach, of the clock that runs."""
    clock = clocks.running
    if clock is None or clock.breached:
        return None
    return clock.facts.due_at if clock.warned else clock.facts.warn_at
