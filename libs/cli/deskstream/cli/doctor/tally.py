"""What was received against what became of it; and the sentence for one that does not add up."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from deskstream.cli.doctor.finding import Finding, fine

CHECK: Final = "tally"


@dataclass(frozen=True, slots=True)
class Tally:
    """`received` = `applied` + `duplicate` + `rejected` + `dead` + `waiting` + `underway`."""

    reader: str
    source: str
    """A lane; at ingest a channel."""
    received: int
    applied: int
    duplicate: int
    """0 for a lane: an event delivered twice is still one event. How often that happened is in `repeated`."""
    rejected: int
    """At ingest what broke the contract; everywhere what somebody dropped."""
    dead: int
    waiting: int
    underway: int
    """On its way; 0 once everything is drained."""
    repeated: int | None = None
    """Deliveries of what was passed already, since the reader's start; None where it does not answer."""


@dataclass(frozen=True, slots=True)
class TallySheet:
    """All tallies, and what is wrong with them."""

    tallies: list[Tally] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def balanced(tallies: Sequence[Tally]) -> Finding:
    """All is fine, in numbers."""
    received = sum(tally.received for tally in tallies if "." not in tally.source)
    waiting = sum(tally.waiting + tally.underway for tally in tallies)
    return fine(
        CHECK,
        f"Every message is accounted for: {received:,} received by channels, {len(tallies)} tallies add up, "
        f"{waiting:,} on their way or waiting.",
    )
