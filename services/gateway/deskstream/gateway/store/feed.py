"""Reading the feed by id: what the live stream shows and resumes from."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from deskstream.messaging import Tx

WINDOW = 500
"""Ids looked at in one go: bounds what a listener with a narrow filter, far behind, costs at a time."""

_NEWEST = "SELECT COALESCE(max(id), 0) FROM feed"

_NEXT = """
    SELECT id, at, service, event, conversation_id, sequence, number, actor, summary
    FROM feed
    WHERE id > $1
    ORDER BY id
    LIMIT $2::integer
"""

_BETWEEN = """
    SELECT id, at, service, event, conversation_id, sequence, number, actor, summary
    FROM feed
    WHERE id > $1 AND id <= $2
        AND ($3::text[] IS NULL OR service = ANY ($3))
        AND ($4::text[] IS NULL OR event = ANY ($4))
        AND ($5::uuid[] IS NULL OR conversation_id = ANY ($5))
    ORDER BY id
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a listener asked for; an empty set is everything."""

    services: frozenset[str] = frozenset()
    events: frozenset[str] = frozenset()
    keys: frozenset[UUID] = frozenset()

    def matches(self, row: asyncpg.Record) -> bool:
        """Whether the listener gets this row of the feed."""
        return (
            (not self.services or row["service"] in self.services)
            and (not self.events or row["event"] in self.events)
            and (not self.keys or row["conversation_id"] in self.keys)
        )


async def newest(tx: Tx) -> int:
    """The id of the last row, 0 when there is none."""
    found: int = await tx.fetchval(_NEWEST)
    return found


async def following(tx: Tx, after: int) -> Sequence[asyncpg.Record]:
    """At most `WINDOW` rows behind an id."""
    return await tx.fetch(_NEXT, after, WINDOW)


async def between(tx: Tx, after: int, upto: int, wanted: Wanted) -> Sequence[asyncpg.Record]:
    """What a listener wants of the rows behind `after` up to `upto`."""
    services, events, keys = sorted(wanted.services), sorted(wanted.events), sorted(wanted.keys)
    return await tx.fetch(_BETWEEN, after, upto, services or None, events or None, keys or None)
