"""What an older database took back from the stream: events that were said already, before their cause is handled again.

They have their number and their readers. So whoever handles the cause once more says them again, word for word, instead
of deciding anew, and nothing is journaled or published twice.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from functools import cache
from typing import Any, Final
from uuid import UUID

from asyncpg import Record

from deskstream.contracts import Event
from deskstream.contracts.envelope import decode, event_type
from deskstream.messaging.declare import Tx

KEPT: Final = timedelta(days=7)
"""A cause that comes later is none of those that were lost."""

_ANY = "SELECT EXISTS (SELECT 1 FROM recovered)"

_FIND = """
SELECT r.causation, j.lane, j.key, j.type, j.body
FROM recovered r
JOIN journal j ON j.id = r.journal_id AND j.at = r.said_at
WHERE r.causation = ANY($1::uuid[])
ORDER BY j.id
"""

_OF_KEYS = """
SELECT j.key, j.lane, j.type, j.body
FROM recovered r
JOIN journal j ON j.id = r.journal_id AND j.at = r.said_at
WHERE j.lane = $1 AND j.key = ANY($2::text[])
ORDER BY j.key, j.seq
"""

_FORGET = "DELETE FROM recovered WHERE at < clock_timestamp() - $1::interval"


class Recovered:
    """`any` is whether there is something to look for; a service asks when it starts and now and then."""

    def __init__(self) -> None:
        self.any = False

    async def look(self, tx: Tx) -> None:
        """Finds out whether there is anything."""
        self.any = bool(await tx.fetchval(_ANY))

    async def said(self, tx: Tx, causes: Iterable[UUID]) -> dict[UUID, Sequence[Event]]:
        """Cause -> what was said because of it, in the order of the journal."""
        found: dict[UUID, list[Event]] = {}
        for row in await tx.fetch(_FIND, list(causes)):
            if event := _read(row):
                found.setdefault(row["causation"], []).append(event)
        return dict(found)


async def taken_back(tx: Tx, lane: str, keys: Iterable[str]) -> dict[str, Sequence[Event]]:
    """Key -> what an older database took back that it had said of it on a lane, in order.

    For objects that commands change: nobody will hear these again.
    """
    found: dict[str, list[Event]] = {}
    for row in await tx.fetch(_OF_KEYS, lane, list(keys)):
        if event := _read(row):
            found.setdefault(row["key"], []).append(event)
    return dict(found)


async def forget(tx: Tx) -> None:
    """What nobody handled again in time is history like any other."""
    await tx.execute(_FORGET, KEPT)


def _read(row: Record) -> Event | None:
    kind = _kinds().get((row["lane"], row["type"])) or _kinds().get(("", row["type"]))
    return decode(kind, row["body"]).data if kind is not None else None


@cache
def _kinds() -> dict[tuple[str, str], type[Event]]:
    return {(kind.LANE, event_type(kind)): kind for kind in _all(Event)}


def _all(kind: type[Event]) -> Iterator[Any]:
    for one in kind.__subclasses__():
        yield one
        yield from _all(one)
