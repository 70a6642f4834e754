"""Objects of an older database, which took back what was said of them: whoever is loaded has it again."""

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any, TypeVar

from deskstream.contracts import Event
from deskstream.messaging import Tx, taken_back
from deskstream.ticketing.domain.taken_back import once

S = TypeVar("S")


async def with_taken_back(
    tx: Tx, lane: str, states: Mapping[str, S], evolve: Callable[[Any, Event], Any]
) -> dict[str, S]:
    """The states with what was taken back; nobody hears again the commands that caused it."""
    said = await taken_back(tx, lane, states)
    return {key: reduce(once(evolve), said.get(key, ()), state) for key, state in states.items()}
