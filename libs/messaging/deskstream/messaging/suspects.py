"""Messages that may be what kills the process: the try of each is counted before any handler sees it."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final

import asyncpg

from deskstream.messaging import waiting
from deskstream.messaging.fates import MAX_TRIES
from deskstream.messaging.item import Item, Source
from deskstream.messaging.transaction import batch_transaction

SUSPICIOUS_DELIVERIES: Final = 2
"""A message delivered more often may be to blame."""
NAKS_KEPT: Final = 100_000
NAK_PAUSE_S: Final = 0.25
LONGEST_NAK_PAUSE_S: Final = 30.0


class Suspects:
    """Tells the broker's deliveries after a death from those that this process asked for itself."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", clock_offset: timedelta = timedelta()) -> None:
        """`clock_offset` is that of the service's clock, by which the waiting table says what is due."""
        self._pool = pool
        self._offset = clock_offset
        self._naks: dict[str, int] = {}
        self._untried = set[Item]()

    def include(self, item: Item) -> bool:
        """Whether a try of it must be counted first."""
        return item.suspect or item.delivered - self._naks.get(item.origin, 0) > SUSPICIOUS_DELIVERIES

    def not_tried(self, items: Iterable[Item]) -> None:
        """What was counted of these came to no end, and they are not to blame for it."""
        self._untried.update(item for item in items if item.counted)

    def handed_back(self, item: Item) -> float:
        """It will be delivered again, and is not to blame for it. Returns after how many seconds: later each time."""
        self.not_tried([item])
        naks = self._naks.get(item.origin, 0) + 1
        if item.origin and len(self._naks) < NAKS_KEPT:
            self._naks[item.origin] = naks
        return min(LONGEST_NAK_PAUSE_S, NAK_PAUSE_S * 2.0 ** min(naks, 7))

    def handled(self, items: Iterable[Item]) -> None:
        """The broker will not deliver these again."""
        if self._naks:
            for item in items:
                self._naks.pop(item.origin, None)

    async def unfinished(self, items: Sequence[Item]) -> set[Item]:
        """Those a try of which was begun and never came to an end: a process may have died of them. Raises whatever the
        database does."""
        self.not_tried(items)
        await self.take_tries_back()
        async with self._pool.acquire() as connection:
            return await waiting.unfinished(connection, items)

    async def start_tries(self, items: Sequence[Item]) -> dict[Item, str]:
        """Counts a try of each; returns which are `trying` and which `dead` now. About the others there is nothing to
        try: they were applied, are dead already, or somebody else is at them. An earlier try that never came to its
        end, because the database was unwell, does not count. Raises whatever the database does."""
        standing = [item for item in items if item.source is Source.WAITING]
        arriving = [item for item in items if item.source is not Source.WAITING]
        self.not_tried(items)
        untried = set(self._untried)
        async with batch_transaction(self._pool) as tx:
            await waiting.take_tries_back(tx, untried)
            states = await waiting.start_tries(tx, arriving, MAX_TRIES, self._offset)
            states |= await waiting.claim(tx, standing, MAX_TRIES, self._offset)
        self._untried -= untried
        for item in items:
            item.retry = item.counted = states.get(item) == "trying"
        return states

    async def take_tries_back(self) -> None:
        """What was handed back may be tried again at once: nobody died of it. Raises whatever the database does."""
        if self._untried:
            untried = set(self._untried)
            async with batch_transaction(self._pool) as tx:
                await waiting.take_tries_back(tx, untried)
            self._untried -= untried
