"""A span for each handling and each send of a message that is followed; without a tracer there are none.

Nothing here knows how spans leave the process.
"""

from typing import Protocol

from deskstream.messaging.item import Item
from deskstream.messaging.sends import Send


class Span(Protocol):
    """One handling, begun. `context` is what its effects carry."""

    context: str

    def end(self, outcome: str, **about: str | int | float) -> None:
        """It has met this fate."""


class Tracer(Protocol):
    """Makes the spans of one service."""

    def begin(self, item: Item, context: str | None) -> Span | None:
        """A span for a message whose sender named this context; None when it is not followed."""

    def send(self, send: Send, context: str | None) -> Span | None:
        """A span for handing a message to a provider."""
