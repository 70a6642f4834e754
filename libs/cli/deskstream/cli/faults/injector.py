"""Does one damage after the other; every kind comes before any comes again."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from time import monotonic

import psutil

from deskstream.cli.faults.breaking import KINDS, Kind, Spared, Victims
from deskstream.cli.problem import Problem

Say = Callable[[str], None]

PAUSE_S = (0.2, 1.5)


@dataclass
class Turns:
    """Which kind comes next: in a turn each once, in an order by chance."""

    kinds: Sequence[Kind]
    chance: random.Random
    _turn: list[Kind] = field(default_factory=list)

    def next(self, left_s: float) -> Kind | None:
        """One that takes no longer than is left; those that do come earlier in a run of another seed."""
        self._turn = _in_time(self._turn, left_s) or _in_time(self._mixed(), left_s)
        return self._turn.pop() if self._turn else None

    def _mixed(self) -> list[Kind]:
        return self.chance.sample(self.kinds, len(self.kinds))


def _in_time(kinds: Sequence[Kind], left_s: float) -> list[Kind]:
    return [kind for kind in kinds if kind.takes_s <= left_s]


@dataclass
class Injector:
    """`only` names those of the kinds to choose from, where not all are wanted."""

    victims: Victims
    say: Say
    only: tuple[str, ...] = ()
    kinds: Mapping[str, Kind] = field(default_factory=lambda: KINDS)
    done: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    """Kinds that came, and found nothing to damage."""

    async def run(self, seconds: float) -> None:
        """For so long; a fault that has begun is ended."""
        started, turns = monotonic(), Turns(self._possible(), self.victims.chance)
        while True:
            await asyncio.sleep(self.victims.chance.uniform(*PAUSE_S))
            begun = monotonic() - started
            kind = turns.next(inf if self.only else seconds - begun)
            if begun > seconds or kind is None:
                return
            self.say(f"{begun:6.1f} s  {await self._do(kind)}")

    async def _do(self, kind: Kind) -> str:
        try:
            what = await kind.do(self.victims)
        except (Spared, psutil.NoSuchProcess) as why:
            self.skipped[kind.name] += 1
            return f"{why}: no {kind.name}"
        self.done[kind.name] += 1
        return what

    def _possible(self) -> list[Kind]:
        found = [kind for kind in self.kinds.values() if not self.only or kind.name in self.only]
        cannot = [kind.name for kind in found if not kind.needs(self.victims)]
        if cannot:
            self.say(f"cannot be done here: {', '.join(cannot)}")
        if len(cannot) == len(found):
            raise Problem("None of these faults can be done here: only root can fill disks and take a network down.")
        return [kind for kind in found if kind.name not in cannot]
