"""One kind of fault."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from deskstream.cli.faults.breaking.victims import Victims


@dataclass(frozen=True)
class Kind:
    """`do` damages something and says in words what it did; `long` ones take many seconds, and not every run has them.

    `needs` says whether it can be done here at all.
    """

    name: str
    do: Callable[[Victims], Awaitable[str]]
    long: bool = False
    needs: Callable[[Victims], bool] = lambda victims: True
