"""CPU time of process trees: the servers and the services, each under a name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Usage:
    """Seconds of CPU (user and system) used so far, by name."""

    seconds: dict[str, float]

    def since(self, earlier: Usage) -> Usage:
        """What was used between the two."""
        return Usage({name: used - earlier.seconds.get(name, 0.0) for name, used in self.seconds.items()})

    @property
    def total(self) -> float:
        """Of all together."""
        return sum(self.seconds.values())

    def ms_per(self, count: int) -> dict[str, float]:
        """Milliseconds per message, by name."""
        return {name: round(used * 1000 / max(count, 1), 3) for name, used in self.seconds.items()}


def usage_of(trees: Mapping[str, int]) -> Usage:
    """The CPU time of each tree by its root's pid; children that ended are counted by their parents."""
    return Usage({name: _tree(pid) for name, pid in trees.items()})


def seconds_of(pid: int) -> float:
    """CPU seconds of one process; none when it has ended."""
    try:
        return _one(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return 0.0


def _tree(pid: int) -> float:
    root = psutil.Process(pid)
    return sum(_one(process) for process in [root, *root.children(recursive=True)])


def _one(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)


def memory_mb(pid: int) -> float:
    """Resident memory of one process."""
    return round(psutil.Process(pid).memory_info().rss / 1024 / 1024, 1)
