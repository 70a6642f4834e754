"""Following events from the broker to the screen, until somebody has seen enough."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from nats.aio.client import Client

from deskstream.cli.asking import answered, connected
from deskstream.cli.output import hint
from deskstream.cli.problem import Problem
from deskstream.cli.tail.choosing import Filters, is_label
from deskstream.cli.tail.labels import Labels
from deskstream.cli.tail.merging import Choice, Merged
from deskstream.cli.tail.seen import Seen
from deskstream.cli.tail.stream import Start
from deskstream.cli.tail.trouble import Trouble
from deskstream.contracts.conversation import FindConversation
from deskstream.messaging.connection import Reach

LOOK_EVERY_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Following:
    """What is followed, and until when; without an end, for ever."""

    filters: Filters
    since: datetime | None = None
    count: int | None = None
    until_idle_s: float | None = None
    dsn: str | None = None
    """The database, for what fails; without it events only."""


async def follow(reach: Reach, wanted: Following, show: Callable[[Seen, str], None]) -> None:
    """Calls `show` with every event that passes the filters and its label. Raises Problem where nobody answers."""
    async with connected(reach, patient=True) as client:
        filters = await _with_same_ids(client, wanted.filters)
        merged = Merged(client, Choice(Start(wanted.since), filters.takes_stream, filters.subject_of))
        async with merged.following(), _with_trouble(merged, wanted):
            if not merged.streams:
                hint("There is no such stream yet (`deskstream provision` makes them); waiting for one.")
            await _show_all(merged, replace(wanted, filters=filters), show)


async def _show_all(merged: Merged, wanted: Following, show: Callable[[Seen, str], None]) -> None:
    labels, shown, connection = Labels(), 0, _Connection(merged)
    while wanted.count is None or shown < wanted.count:
        seen = await merged.next_event(LOOK_EVERY_S)
        connection.tell()
        if seen is None:
            if wanted.until_idle_s is not None and merged.idle_s >= wanted.until_idle_s:
                return
            continue
        label = labels.of(seen)
        if wanted.filters.match(seen, label):
            shown += 1
            show(seen, label)


@asynccontextmanager
async def _with_trouble(merged: Merged, wanted: Following) -> AsyncIterator[None]:
    """While it is entered, what fails comes among the events."""
    if wanted.dsn is None:
        yield
        return
    looking = asyncio.create_task(Trouble(wanted.dsn, wanted.since, merged.add).run(), name="look for trouble")
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


async def _with_same_ids(client: Client, filters: Filters) -> Filters:
    """A conversation's number, as its id and its thread's: events before it had a number know these."""
    same: set[str] = set()
    for key in filters.keys:
        if is_label(key) and key.upper().startswith("CONV-"):
            same |= await _ids_of(client, int(key[5:]))
    return replace(filters, same=frozenset(same))


async def _ids_of(client: Client, number: int) -> set[str]:
    try:
        answer = await answered(client, FindConversation(number=number), within=2.0)
    except Problem:
        return set()
    facts = answer.result.get("conversation", {})
    return {str(facts[name]) for name in ("id", "thread_id") if name in facts}


class _Connection:
    """Says once that the broker is away, and once that it is back."""

    PATIENCE_S = 1.0

    def __init__(self, merged: Merged) -> None:
        self._merged = merged
        self._away_since: float | None = None
        self._told = False

    def tell(self) -> None:
        if not self._merged.away:
            if self._told:
                hint("NATS is back; going on where it was.")
            self._away_since, self._told = None, False
        elif self._away_since is None:
            self._away_since = time.monotonic()
        elif not self._told and time.monotonic() - self._away_since > self.PATIENCE_S:
            hint("NATS does not answer; waiting for it. Nothing will be missing.")
            self._told = True
