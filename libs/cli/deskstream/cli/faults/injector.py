"""Does one damage after the other; every kind comes before any comes again."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from deskstream.cli.faults.breaking import KINDS, Kind, Victims
from deskstream.cli.problem import Problem

Say = Callable[[str], None]

SHARE = 0.5
"""A run leaves out the kinds that take more of its time."""
PAUSE_S = (0.2, 1.5)


@dataclass
class Injector:
    """`only` names the kinds to choose from, where not all are wanted."""

    victims: Victims
    say: Say
    only: tuple[str, ...] = ()
    done: Counter[str] = field(default_factory=Counter)

    async def run(self, seconds: float) -> None:
        """For so long; a fault that has begun is ended."""
        started, chance = monotonic(), self.victims.chance
        possible, turn = self._possible(seconds), list[Kind]()
        while True:
            await asyncio.sleep(chance.uniform(*PAUSE_S))
            begun = monotonic() - started
            if begun > seconds:
                return
            turn = turn or chance.sample(possible, len(possible))
            kind = turn.pop()
            what = await kind.do(self.victims)
            self.done[kind.name] += 1
            self.say(f"{begun:6.1f} s  {what}")

    def _possible(self, seconds: float) -> list[Kind]:
        found = [kind for kind in KINDS.values() if kind.name in self.only] if self.only else list(KINDS.values())
        cannot = [kind.name for kind in found if not kind.needs(self.victims)]
        if cannot:
            self.say(f"cannot be done here: {', '.join(cannot)}")
        if len(cannot) == len(found):
            raise Problem("None of these faults can be done here: only root can fill disks.")
        return [kind for kind in found if kind.name not in cannot and (self.only or kind.takes_s <= SHARE * seconds)]
