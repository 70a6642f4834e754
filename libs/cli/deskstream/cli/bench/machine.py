"""The machine beside us: how many cores, how loaded, and what others took of it while we measured."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any

import psutil

from deskstream.cli.bench.usage import usage_of


@dataclass(frozen=True, slots=True)
class Moment:
    """What the cores, and of them we and all that we started, have worked so far, in seconds."""

    at: float
    all_of_it: float
    ours: float
    load: float

    @classmethod
    def now(cls) -> Moment:
        """Looked at just now; the load average is the one of the last minute."""
        ours = usage_of({"ours": os.getpid()}).total
        return cls(time.monotonic(), _worked(), ours, round(os.getloadavg()[0], 2))

    def until(self, later: Moment) -> dict[str, Any]:
        """For the report. `cores_used_by_others` is CPU time a second of processes that are not ours."""
        others = (later.all_of_it - self.all_of_it) - (later.ours - self.ours)
        return {
            "cores": os.cpu_count() or 1,
            "cores_used_by_others": round(max(0.0, others) / (later.at - self.at), 2),
            "load_average_before": self.load,
            "load_average_after": later.load,
        }


def _worked() -> float:
    """Of all cores together; what a hypervisor gave to others counts, for it was taken from us."""
    times = psutil.cpu_times()
    return float(sum(getattr(times, part, 0.0) for part in ("user", "nice", "system", "irq", "softirq", "steal")))
