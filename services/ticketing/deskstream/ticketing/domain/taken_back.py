"""What an older database takes back of an object: each event once, whether a message brings it again or nobody does."""

from collections.abc import Callable
from typing import TypeVar

from deskstream.contracts import Event

S = TypeVar("S")


def once(evolve: Callable[[S, Event], S]) -> Callable[[S, Event], S]:
    """`evolve`, but what a state has already of its own events changes it no more."""

    def apply(state: S, event: Event) -> S:
        facts, after = getattr(state, "facts", None), getattr(event, "after", None)
        known = facts is not None and after is not None and after.version <= facts.version
        return state if known else evolve(state, event)

    return apply
