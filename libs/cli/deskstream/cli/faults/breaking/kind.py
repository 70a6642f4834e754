"""One kind of fault."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from deskstream.cli.faults.breaking.victims import Victims


class Spared(Exception):
    """There was nothing to damage, and why, in words."""


@dataclass(frozen=True)
class Kind:
    """`do` damages something and says in words what it did, or raises `Spared`.

    `takes_s` is about how long that takes, where it is many seconds; `needs` says whether it can be done here at all.
    """

    name: str
    do: Callable[[Victims], Awaitable[str]]
    takes_s: float = 0.0
    needs: Callable[[Victims], bool] = lambda victims: True
