"""One kind of fault."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from deskstream.cli.faults.breaking.victims import Victims


@dataclass(frozen=True)
class Kind:
    """`do` damages something and says in words what it did. `takes_s` is about how long, where that is many seconds.

    `needs` says whether it can be done here at all.
    """

    name: str
    do: Callable[[Victims], Awaitable[str]]
    takes_s: float = 0.0
    needs: Callable[[Victims], bool] = lambda victims: True
