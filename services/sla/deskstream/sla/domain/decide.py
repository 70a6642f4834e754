"""What is said about clocks: every change of the fold, and what time alone brings."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from deskstream.calendars.arithmetic import BusinessCalendar, elapsed
from deskstream.contracts.conversation import ConversationEvent
from deskstream.contracts.facts import Stage
from deskstream.contracts.message import Event
from deskstream.contracts.sla import (
    Cause,
    ClockBreached,
    ClockEvent,
    ClockResumed,
    ClockStarted,
    ClockStopped,
    ClockWarned,
    Metric,
    Outcome,
)
from deskstream.sla.domain.clocks import Clock, Clocks
from deskstream.sla.domain.fold import advance
from deskstream.sla.domain.policy import Rules

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Woken:
    """The moment came that `due` had asked for."""


Message: TypeAlias = ConversationEvent | Woken


def decide(rules: Rules, clocks: Clocks, message: Message, now: datetime) -> Sequence[Event]:
    """Says what the message changes. `evolve` then gets what was said, and the message itself."""
    if isinstance(message, Woken):
        running = clocks.running
        return list(_Teller(rules.calendar, clocks, now).overdue(running, now)) if running else ()
    after = advance(rules, clocks, message)
    return () if after is clocks else list(_Teller(rules.calendar, clocks, now).news(after))


def evolve(rules: Rules, clocks: Clocks, event: Event) -> Clocks:
    """Clocks follow from what the conversation said; what we said of them only marks what is never said again."""
    match event:
        case ConversationEvent():
            return advance(rules, clocks, event)
        case ClockWarned():
            return _changed(clocks, event, lambda clock: replace(clock, warned=True))
        case ClockBreached():
            return _changed(clocks, event, lambda clock: replace(clock, breached=True))
        case _:
            return clocks


def _changed(clocks: Clocks, event: ClockEvent, change: Callable[[Clock], Clock]) -> Clocks:
    ordinal = event.clock.ordinal
    return replace(clocks, recent=tuple(change(c) if c.facts.ordinal == ordinal else c for c in clocks.recent))


@dataclass(frozen=True, slots=True)
class _Teller:
    calendar: BusinessCalendar
    before: Clocks
    now: datetime

    def news(self, after: Clocks) -> Iterator[Event]:
        known = {clock.facts.ordinal: clock for clock in self.before.recent}
        void = tuple(c.facts.ordinal for c in after.recent if c.replaced and not known[c.facts.ordinal].replaced)
        for clock in after.recent:
            old = known.get(clock.facts.ordinal)
            if old is None:
                yield ClockStarted(**self._about(clock, clock.causes[0]))
            elif old.endings[:1] != clock.endings[:1] and not clock.replaced:
                if old.endings:
                    replaces = tuple(ordinal for ordinal in void if ordinal > clock.facts.ordinal)
                    yield ClockResumed(**self._about(clock, clock.causes[-1]), replaces=replaces)
                if clock.stop:
                    yield from self._stopped(clock, clock.stop)

    def overdue(self, clock: Clock, until: datetime) -> Iterator[Event]:
        """What the clock passed by `until` and nobody has said yet."""
        if not clock.warned and clock.facts.warn_at <= until:
            yield ClockWarned(**self._about(clock))
        if not clock.breached and clock.facts.due_at <= until:
            yield ClockBreached(**self._about(clock))

    def _stopped(self, clock: Clock, stop: Cause) -> Iterator[Event]:
        # Answered at the very moment it is due is met, so only what lies before the stop has been passed.
        yield from self.overdue(clock, stop.at - timedelta.resolution)
        yield ClockStopped(
            **self._about(clock, stop),
            outcome=clock.outcome or Outcome.NO_REPLY,
            stopped_at=stop.at,
            business_minutes=self._open_minutes(clock.facts.started_at, stop.at),
            calendar_minutes=elapsed(clock.facts.started_at, stop.at) / _MINUTE,
            calendar_minutes_from_creation=elapsed(clock.created_at, stop.at) / _MINUTE,
            **(self._in_new(clock, stop) if clock.facts.metric is Metric.FIRST_RESPONSE else {}),
        )

    def _in_new(self, clock: Clock, stop: Cause) -> dict[str, float]:
        """What else S2 wants shown of a first response."""
        to, left_at = clock.left_new or (Stage.NEW, stop.at)
        shown = {"in_new_minutes": self._open_minutes(clock.facts.started_at, left_at)}
        if to is Stage.WAITING_ON_USER:
            shown["created_to_waiting_minutes"] = self._open_minutes(clock.created_at, left_at)
        return shown

    def _about(self, clock: Clock, cause: Cause | None = None) -> dict[str, Any]:
        return {
            "at": self.now,
            "conversation_id": self.before.conversation_id,
            "number": clock.number,
            "clock": clock.facts,
            "cause": cause,
        }

    def _open_minutes(self, start: datetime, end: datetime) -> float:
        return self.calendar.open_time(start, end) / _MINUTE
