"""What is measured, in words, and what it must reach: one list a measurement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of a measurement's answer; one without a bound is only told."""

    name: str
    what: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def must(self) -> str:
        """The bound in words; empty without one."""
        if self.at_least is not None:
            return f"≥ {self.at_least:,}"
        return "" if self.at_most is None else f"≤ {self.at_most:,}"

    def reached(self, measured: float) -> bool | None:
        """Whether the bound is kept; None without one."""
        if self.at_least is not None:
            return measured >= self.at_least
        return None if self.at_most is None else measured <= self.at_most


Figures = tuple[Figure, ...]


def judged(figures: Sequence[Figure], measured: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every figure that has a bound, beside what was measured."""
    return [
        {
            "figure": figure.name, "what": figure.what, "must": figure.must, "measured": measured[figure.name],
            "reached": figure.reached(measured[figure.name]),
        }
        for figure in figures
        if figure.must
    ]  # fmt: skip


_SHARE: Final = "share of what the raw figures of this run allow"

PIPELINE: Final[Figures] = (
    Figure("inbound_per_s", "mails a second, published to visible in the inbox", at_least=1500),
    Figure("cpu_ms_per_message", "CPU ms a mail, all processes together", at_most=1.3),
    Figure("ratio_to_raw", _SHARE, at_least=0.55),
    Figure("handlings_per_message", "handlings a mail", at_most=10.4),
    Figure("events_per_message", "events a mail", at_most=4.2),
    Figure("p50_ms", "published to visible at rest, ms, p50", at_most=15),
    Figure("p99_ms", "published to visible at rest, ms, p99", at_most=60),
    Figure("rest_cpu_ms_per_message", "CPU ms a mail at rest"),
    Figure("half_p50_ms", "published to visible at half the ceiling, ms, p50"),
    Figure("half_p99_ms", "published to visible at half the ceiling, ms, p99", at_most=250),
    Figure("half_cpu_ms_per_message", "CPU ms a mail at half the ceiling"),
)

START: Final[Figures] = (
    Figure("first_start_s", "seconds until ready, in an empty folder", at_most=6),
    Figure("start_s", "seconds until ready, with its data", at_most=6),
    Figure("memory_mb", "MB at rest, every service in one process", at_most=180),
    Figure("largest_service_mb", "MB at rest, the largest service in a process of its own", at_most=80),
)

BACKLOG: Final[Figures] = (
    Figure("events_per_s", "events a second, applied by one process", at_least=5000),
    Figure("ratio_to_raw", _SHARE),
    Figure("events", "events in all"),
    Figure("read_again", "events given to it once more after it was started anew", at_most=200),
    Figure("memory_mb", "MB, its process at most"),
)

REPLICAS: Final[Figures] = (
    Figure("one_per_s", "mails a second, one of every service"),
    Figure("two_per_s", "mails a second, two of every service"),
    Figure("two_to_one", "two to one", at_least=0.95),
    Figure("ratio_to_raw", f"{_SHARE}, one of every service"),
)

TICKETS: Final[Figures] = (
    Figure("commands_per_s", "ticket commands a second, every service running", at_least=1000),
    Figure("cpu_ms_per_command", "CPU ms a command, all processes together"),
    Figure("p50_ms", "answered at 100/s, ms, p50"),
    Figure("p99_ms", "answered at 100/s, ms, p99", at_most=40),
    Figure("chain_ms", "the whole chain, ms, p50: from the slowest of the five below", at_most=5),
    Figure("chain_ticket_ms", "the chain from a ticket, ms, p50"),
    Figure("chain_issue_ms", "the chain from an issue, ms, p50"),
    Figure("chain_part_ms", "the chain from a part, ms, p50"),
    Figure("chain_conversation_ms", "the chain from a conversation, ms, p50"),
    Figure("chain_account_ms", "the chain from an account, ms, p50"),
    Figure("tracker_ms", "a page of a tracker, ms, p50", at_most=5),
    Figure("handlings_per_command", "handlings a command"),
    Figure("ratio_to_raw", _SHARE),
)

REPLY: Final[Figures] = (
    Figure("p50_ms", "an agent's reply answered by HTTP at 20/s, ms, p50", at_most=8),
    Figure("p99_ms", "an agent's reply answered by HTTP at 20/s, ms, p99", at_most=40),
    Figure("cpu_ms_per_reply", "CPU ms a reply, all processes together"),
    Figure("conversations", "conversations there are"),
)

INBOX: Final[Figures] = (
    Figure("p50_ms", "the inbox's first page, ms, p50 of three views", at_most=5),
    Figure("p99_ms", "the inbox's first page, ms, p99 of three views", at_most=20),
    Figure("many_to_few", "the p50, to that at 10,000 conversations", at_most=1.5),
    Figure("few_p50_ms", "the first page at 10,000 conversations, ms, p50"),
    Figure("all_p50_ms", "all by urgency, ms, p50"),
    Figure("owner_p50_ms", "one agent's by urgency, ms, p50"),
    Figure("received_p50_ms", "all by receipt, ms, p50"),
    Figure("conversations", "conversations there are"),
)

ROUTING: Final[Figures] = (
    Figure("decision_us", "CPU µs a decision: 1,000 keyword rules, 50 agents, 200 words", at_most=200),
    Figure("rules_us", "CPU µs of it to try the rules"),
    Figure("rules", "rules there are"),
)

SLA: Final[Figures] = (
    Figure("clocks", "clocks that run, in one process", at_least=100_000),
    Figure("recompute_s", "seconds until all are computed anew from their events", at_most=20),
    Figure("raised_p50_ms", "due to raised, ms, p50"),
    Figure("raised_max_ms", "due to raised, ms, the latest of all", at_most=1000),
    Figure("raised", "clocks that became due meanwhile"),
    Figure("memory_mb", "MB, its process at most"),
    Figure("ratio_to_raw", _SHARE),
)
