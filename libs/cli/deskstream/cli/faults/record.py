"""What the databases say after a run: every service's journal, positions and leftovers, read by SQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import asyncpg

from deskstream.contracts import subjects
from deskstream.messaging import Declaration

PLANTED = "planted"
"""What the keys of unreadable events begin with."""

Database: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@dataclass(frozen=True, slots=True)
class Applied:
    """A mail in a conversation's journal."""

    conversation: str
    sequence: int
    external_id: str


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What is still on its way, or stuck."""

    dead: int = 0
    waiting: int = 0
    unpublished: int = 0
    unread: tuple[str, ...] = ()
    """`sla has read events.conversation to 40 of 42`, in events."""
    read: int = 0
    """Events that were heard, by all readers together."""
    to_read: int = 0
    """Events that were said and not yet heard."""
    why: tuple[str, ...] = ()
    """The reasons of what waits and of what is dead."""

    @property
    def none(self) -> bool:
        """Whether all that was said is published and read; the dead do not come by themselves."""
        return not (self.waiting or self.unpublished or self.unread)


@dataclass(frozen=True, slots=True)
class Record:
    """Everything that the verdict needs."""

    applied: Sequence[Applied] = ()
    """In the order of conversation and sequence."""
    visible: Counter[str] = field(default_factory=Counter)
    """External id -> how often the gateway's feed shows it."""
    overtaken: Sequence[str] = ()
    """What the gateway's feed shows after a later one of its conversation, in words."""
    owners: Counter[str] = field(default_factory=Counter)
    """Conversation -> `owner_chosen` in routing's journal."""
    clocks: Counter[str] = field(default_factory=Counter)
    """Conversation -> `clock_started` in the journal of sla."""
    gaps: Sequence[str] = ()
    """Keys whose sequences are not 1, 2, 3 …, in words."""
    fates: dict[str, int] = field(default_factory=dict)
    """ingest's own counts: applied, duplicate, rejected."""
    archived: int = 0
    stored: int = 0
    """Messages that the stream INBOUND took, those included that its store has lost since."""
    left: Leftovers = Leftovers()
    kept: frozenset[tuple[str, str]] = frozenset()
    """(reader, key) of the unreadable events that wait for a person."""


_CHOOSE = "SELECT set_config('search_path', $1, false)"

_LEFT = """
SELECT
    (SELECT count(*) FROM waiting WHERE state = 'dead' AND NOT starts_with(key, $1)) AS dead,
    (SELECT count(*) FROM waiting WHERE state <> 'dead' AND NOT starts_with(key, $1)) AS waiting,
    (SELECT count(*) FROM unpublished) AS unpublished,
    (
        SELECT array_agg(DISTINCT state || ' in ' || lane || ': ' || left(reason, 200))
        FROM waiting
        WHERE NOT starts_with(key, $1)
    ) AS why
"""
_PLANTED = "SELECT key FROM waiting WHERE starts_with(key, $1) AND reason <> ''"

_HEADS = "SELECT lane, sum(seq)::bigint AS said FROM heads GROUP BY lane"
# No reader is ever ahead of the writer, so equal sums are equal positions.
_PROGRESS = "SELECT lane, sum(seq)::bigint AS read FROM progress GROUP BY lane"

_GAPS = """
SELECT lane, key, count(*) AS said, min(seq) AS first, max(seq) AS last
FROM journal
WHERE seq > 0
GROUP BY lane, key
HAVING count(*) <> max(seq) OR count(DISTINCT seq) <> max(seq)
ORDER BY lane, key
LIMIT 20
"""

_APPLIED = """
SELECT key, seq, body::json -> 'data' -> 'message' ->> 'external_id' AS external_id
FROM conversation.journal
WHERE lane = 'events.conversation' AND body::json -> 'data' -> 'message' ->> 'external_id' IS NOT NULL
ORDER BY key, seq
"""

_VISIBLE = """
SELECT body::json -> 'message' ->> 'external_id' AS external_id, count(*) AS shown
FROM gateway.feed
WHERE service = 'conversation' AND body::json -> 'message' ->> 'external_id' IS NOT NULL
GROUP BY 1
"""

_OVERTAKEN = """
SELECT service, conversation_id, sequence, before
FROM (
    SELECT service, conversation_id, sequence,
           lag(sequence) OVER (PARTITION BY service, conversation_id ORDER BY id) AS before
    FROM gateway.feed
) AS shown
WHERE sequence <= before
ORDER BY service, conversation_id, sequence
LIMIT 20
"""

_SAID = """
SELECT key, count(*) AS said
FROM journal
WHERE type LIKE '%.' || $1
GROUP BY key
"""

_FATES = "SELECT fate, sum(number)::bigint AS number FROM ingest.counts GROUP BY fate"
_ARCHIVED = "SELECT count(*) FROM ingest.archive"


async def read_leftovers(database: Database, services: Sequence[Declaration]) -> Leftovers:
    """What every service has yet to publish, to read, to try again."""
    dead = waiting = unpublished = 0
    why: list[str] = []
    said: dict[str, int] = {}
    read: dict[tuple[str, str], int] = {}
    for service in services:
        await database.execute(_CHOOSE, service.name)
        row = await database.fetchrow(_LEFT, PLANTED)
        assert row is not None
        dead, waiting, unpublished = dead + row["dead"], waiting + row["waiting"], unpublished + row["unpublished"]
        why += [f"{service.name}: {one}" for one in row["why"] or ()]
        said |= _by_name(await database.fetch(_HEADS))
        read |= {(service.name, lane): number for lane, number in await database.fetch(_PROGRESS)}
    positions = [
        (service.name, lane, read.get((service.name, lane), 0), said.get(lane, 0))
        for service in services
        for lane in service.hears
        if lane != subjects.INBOUND
    ]
    return Leftovers(
        dead,
        waiting,
        unpublished,
        unread=tuple(f"{name} has read {lane} to {at} of {end}" for name, lane, at, end in positions if at != end),
        read=sum(at for *_, at, _ in positions),
        to_read=sum(end - at for *_, at, end in positions),
        why=tuple(why),
    )


async def count_archived(database: Database) -> int:
    """Messages that ingest has taken in, whatever became of them."""
    return int(await database.fetchval(_ARCHIVED))


async def count_said(database: Database, services: Sequence[Declaration]) -> dict[str, int]:
    """Lane -> events that its writer has said."""
    said: dict[str, int] = {}
    for service in services:
        await database.execute(_CHOOSE, service.name)
        said |= _by_name(await database.fetch(_HEADS))
    return said


async def read_record(database: Database, services: Sequence[Declaration], stored: int) -> Record:
    """Everything, once nothing moves any more; `stored` is what the stream INBOUND took."""
    return Record(
        applied=[Applied(*row) for row in await database.fetch(_APPLIED)],
        visible=Counter(_by_name(await database.fetch(_VISIBLE))),
        overtaken=await read_overtaken(database),
        owners=await _said_by(database, "routing", "owner_chosen"),
        clocks=await _said_by(database, "sla", "clock_started"),
        gaps=[gap for service in services for gap in await _gaps_of(database, service.name)],
        fates=_by_name(await database.fetch(_FATES)),
        archived=await count_archived(database),
        stored=stored,
        left=await read_leftovers(database, services),
        kept=await read_planted(database, [service.name for service in services]),
    )


async def read_overtaken(database: Database) -> list[str]:
    """Events that the gateway's feed took in after a later one of the same conversation and service, in words."""
    return [
        f"{service}: {sequence} of {conversation} after {before}"
        for service, conversation, sequence, before in await database.fetch(_OVERTAKEN)
    ]


async def read_planted(database: Database, services: Iterable[str]) -> frozenset[tuple[str, str]]:
    """(reader, key) of the unreadable events that these services keep."""
    found = []
    for service in services:
        await database.execute(_CHOOSE, service)
        found += [(service, row["key"]) for row in await database.fetch(_PLANTED, PLANTED)]
    return frozenset(found)


async def _said_by(database: Database, service: str, event: str) -> Counter[str]:
    await database.execute(_CHOOSE, service)
    return Counter(_by_name(await database.fetch(_SAID, event)))


async def _gaps_of(database: Database, service: str) -> list[str]:
    await database.execute(_CHOOSE, service)
    return [
        f"{service}: {row['lane']} {row['key']} has {row['said']} events from {row['first']} to {row['last']}"
        for row in await database.fetch(_GAPS)
    ]


def _by_name(rows: Sequence[asyncpg.Record]) -> dict[str, int]:
    return {row[0]: row[1] for row in rows}
