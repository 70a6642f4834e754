"""What is promised, and by which calendar: versioned values, so that a clock can name what it was computed from."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from deskstream.calendars.arithmetic import BusinessCalendar
from deskstream.contracts.sla import ClockFacts, Metric

LONGEST_TARGET = 525_600


@dataclass(frozen=True, slots=True)
class Policy:
    """Targets in open minutes, one for each metric, and the share of a target after which a clock warns."""

    id: str
    version: str
    minutes: dict[Metric, int]
    warn_percent: int = 75

    def __post_init__(self) -> None:
        if any(not 0 < minutes <= LONGEST_TARGET for minutes in self.minutes.values()):
            raise ValueError(f"policy {self.id}: a target lies between one minute and {LONGEST_TARGET}")
        if not 0 < self.warn_percent <= 100:
            raise ValueError(f"policy {self.id}: warn_percent lies between 1 and 100")


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything besides a conversation's events that a clock depends on."""

    policy: Policy
    calendar: BusinessCalendar

    def clock(self, ordinal: int, metric: Metric, started_at: datetime) -> ClockFacts:
        """The clock that starts at this instant."""
        target = timedelta(minutes=self.policy.minutes[metric])
        return ClockFacts(
            ordinal=ordinal,
            metric=metric,
            started_at=started_at,
            target_minutes=self.policy.minutes[metric],
            warn_at=self.calendar.add_open(started_at, target * self.policy.warn_percent / 100),
            due_at=self.calendar.add_open(started_at, target),
            policy=self.policy.id,
            policy_version=self.policy.version,
            calendar=self.calendar.id,
            calendar_version=self.calendar.version,
        )
