"""Everything that can be hurt."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from nats.aio.client import Client

from deskstream.cli.faults.disks import Disk
from deskstream.cli.faults.lines import Line
from deskstream.cli.faults.processes import Kept
from deskstream.cli.faults.publisher import Publisher
from deskstream.cli.problem import Problem
from deskstream.messaging import Declaration
from deskstream.runtime.embedded.servers import Addresses, EmbeddedServers

END_WITHIN_S = 20.0
PAUSE_S = (0.5, 15.0)
PAUSE_SHARE = 0.5
"""Of a run's time no pause takes more."""


@dataclass(frozen=True)
class Planted:
    """An event that nobody can read, and who must have kept it."""

    reader: str
    key: str


@dataclass
class Victims:
    """What a fault may do something to; `chance` makes the same seed do the same."""

    servers: EmbeddedServers
    addresses: Addresses
    services: Sequence[Kept]
    nats_lines: Sequence[Line]
    postgres_lines: Sequence[Line]
    nats_disk: Disk | None
    postgres_disk: Disk | None
    home: Path
    """The servers' own folder."""
    declarations: Sequence[Declaration]
    client: Client
    publisher: Publisher
    chance: random.Random
    run_s: float
    """How long there are faults."""
    planted: list[Planted] = field(default_factory=list)
    gone: int = 0
    """Messages of adapters that were archived, and that the broker's store has no more."""
    complaints: list[tuple[str, str]] = field(default_factory=list)
    """Promises seen broken meanwhile, in words."""

    @property
    def nats_store(self) -> Path:
        """Where the broker keeps streams and durables."""
        return self.home / "nats" / "jetstream"

    @property
    def postgres_data(self) -> Path:
        """All that the database keeps."""
        return self.home / "postgres" / "data"

    def seconds(self, least: float = 0.5, most: float = 3.0) -> float:
        return self.chance.uniform(least, most)

    def pause_s(self) -> float:
        """How long something stands still."""
        return pause_s(self.chance, self.run_s)

    def service(self) -> Kept:
        return self.chance.choice(self.services)

    def nats(self) -> psutil.Process:
        """The broker's process."""
        pid = self.servers.status().nats_pid
        assert pid is not None
        return psutil.Process(pid)

    def postgres(self) -> psutil.Process:
        """The database's first process."""
        pid = self.servers.status().postgres_pid
        assert pid is not None
        return psutil.Process(pid)

    async def start_servers(self) -> None:
        """Whoever is dead lives again, where it was."""
        addresses = await asyncio.to_thread(self.servers.start)
        if addresses != self.addresses:
            raise Problem("A server could not have its port back: somebody took it meanwhile. Run this again.")


def pause_s(chance: random.Random, run_s: float) -> float:
    """How long something stands still: most times shortly; the longer the run, the longer it may be."""
    least, most = PAUSE_S
    longest = max(least, min(most, PAUSE_SHARE * run_s))
    return float(least * (longest / least) ** chance.random())


async def until_gone(processes: Sequence[psutil.Process], *, within: float = END_WITHIN_S) -> None:
    """Waits until they have ended. Raises Problem, which names those that have not."""
    _, alive = await asyncio.to_thread(psutil.wait_procs, list(processes), timeout=within)
    if alive:
        names = ", ".join(str(process) for process in alive)
        raise Problem(f"What was to end is still there after {within:g} s: {names}")
