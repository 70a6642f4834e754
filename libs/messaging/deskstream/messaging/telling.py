"""What a service tells of each message it handled: numbers always, a line where somebody reads it, a span if followed.

A line of JSON costs ten times what its message may cost for being seen, so the line of each delivery is written at
DEBUG only; at INFO it is there for what was refused. What failed has its own line at ERROR.
"""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import structlog

from deskstream.messaging.batch import Done
from deskstream.messaging.figures import Figures
from deskstream.messaging.item import Fate, Item
from deskstream.messaging.tracing import Tracer

POSTPONED: Final = "postponed"

log = structlog.get_logger()
_level = logging.getLogger(__name__)


class Telling:
    """One service's figures, and what it tells of single messages."""

    def __init__(self, service: str, tracer: Tracer | None = None) -> None:
        self.tracer = tracer
        self.figures = Figures()
        self._service = service

    def batch(self, done: Done, items: Sequence[Item], seconds: float) -> None:
        """Tells of a batch that was committed."""
        self.figures.batch(done, items, seconds)
        self._lines(done, items, seconds)
        for item in (*items, *done.resumed):
            if item.span is not None:
                self._end(item, item.fate or Fate.DUPLICATE, done.now)

    def given_up(self, item: Item, *, dead: bool) -> None:
        """Tells of a message that was not handled again: it killed its process too often, or was done meanwhile."""
        item.fate = Fate.DEAD if dead else Fate.DUPLICATE
        self.figures.count([item])

    def postponed(self, items: Sequence[Item]) -> None:
        """Tells of messages that will come again, because the world is unwell."""
        self.figures.postponed += len(items)
        for item in items:
            if item.span is not None:
                self._end(item, POSTPONED, None)

    def command(self, name: str, answer: bytes, seconds: float) -> None:
        """Tells of a command that was answered."""
        self.figures.command_seconds.observe(seconds)
        self.figures.commands[name, _kind_of(answer)] += 1

    def _lines(self, done: Done, items: Sequence[Item], seconds: float) -> None:
        """The canonical line of each delivery. Its time is the batch's: they were handled together."""
        everything = _level.isEnabledFor(logging.DEBUG)
        if not everything and not (done.outcomes.refused and _level.isEnabledFor(logging.INFO)):
            return
        write = log.debug if everything else log.info
        for item in (*items, *(resumed for resumed in done.resumed if resumed.fate)):
            if everything or item.fate is Fate.REFUSED:
                write("handled", service=self._service, ms=round(seconds * 1000, 1), batch=len(items), **_about(item))

    def _end(self, item: Item, outcome: str, now: datetime | None) -> None:
        lag = (now - item.heard.at).total_seconds() * 1000 if now and item.heard else 0.0
        item.span.end(str(outcome), lag_ms=round(lag, 1))
        item.span = None


def _kind_of(answer: bytes) -> str:
    if answer.startswith(b'{"ok":true'):
        return "ok"
    codes = {b'"code":"unavailable"': "unavailable", b'"code":"internal_error"': "failed"}
    return next((kind for code, kind in codes.items() if code in answer[:80]), "refused")


def _about(item: Item) -> dict[str, object]:
    return {
        "message": item.type,
        "outcome": str(item.fate or Fate.DUPLICATE),
        "lane": item.lane,
        "key": item.key,
        "sequence": item.sequence,
        "correlation": str(item.heard.correlation) if item.heard else None,
    }
