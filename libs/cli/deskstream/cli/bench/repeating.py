"""A measurement run several times: the median of its figures, their spread, and every run beside them."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from deskstream.cli.bench.bounds import Figures, judged
from deskstream.cli.bench.machine import Moment

Progress = Callable[[str], None]
Run = Callable[[Progress], Awaitable[dict[str, Any]]]

SIDE: Final = ("raw", "machine")
"""What stands beside the figures and is as independent as they are."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """`run` measures once, in about so many seconds; the median of the figure `middle` finds the run in the middle."""

    name: str
    figures: Figures
    middle: str
    run: Run
    about_s: float
    runs: int


@dataclass
class Ahead:
    """Says how far the runs are, and about how long it takes from here."""

    runs: int
    about_s: float
    say: Progress

    def __post_init__(self) -> None:
        self._started = self._since = time.monotonic()
        self.done = 0

    def __call__(self, step: str) -> None:
        self.say(f"run {self.done + 1} of {self.runs}, {self._left()}: {step}")

    def another(self) -> None:
        """One more run is done: the next ones take as long as those did."""
        self.done, self._since = self.done + 1, time.monotonic()
        self.about_s = (self._since - self._started) / self.done

    def _left(self) -> str:
        left = self.about_s * (self.runs - self.done) - (time.monotonic() - self._since)
        if left <= 0:
            return "longer than expected"
        return f"about {left:.0f} s left" if left < 90 else f"about {left / 60:.0f} min left"


async def repeated(measurement: Measurement, say: Progress) -> dict[str, Any]:
    """Runs it as often as it says; returns the answer as one object."""
    ahead = Ahead(measurement.runs, measurement.about_s, say)
    runs: list[dict[str, Any]] = []
    for _ in range(measurement.runs):
        before = Moment.now()
        figures = await measurement.run(ahead)
        runs.append(figures | {"machine": before.until(Moment.now())})
        ahead.another()
    middle = in_the_middle(runs, measurement.middle)
    return {
        "measurement": measurement.name,
        **middle,
        **medians(runs),
        "spread": spread(runs),
        "bounds": judged(measurement.figures, medians(runs)),
        "runs": runs,
    }


def in_the_middle(runs: Sequence[dict[str, Any]], leading: str) -> dict[str, Any]:
    """The run with the median of this figure. What is made of parts is told of one run: medians do not add up."""
    return sorted(runs, key=lambda run: float(run[leading]))[(len(runs) - 1) // 2]


def medians(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Of every number, and of the numbers of what stands beside them."""
    found: dict[str, Any] = {name: _median([run[name] for run in runs]) for name in _numbers(runs[0])}
    return found | {side: medians([run[side] for run in runs]) for side in SIDE if side in runs[0]}


def spread(runs: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """The least and the most of every number."""
    return {name: [min(run[name] for run in runs), max(run[name] for run in runs)] for name in _numbers(runs[0])}


def _numbers(run: Mapping[str, Any]) -> list[str]:
    return [name for name, value in run.items() if isinstance(value, int | float) and not isinstance(value, bool)]


def _median(values: Sequence[float]) -> float:
    return values[0] if len(set(values)) == 1 else round(median(values), 3)
