"""What waits for a service in its tables and in the broker, counted when somebody asks."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar

from nats.aio.client import Client
from nats.errors import Error as NatsError

from deskstream.messaging import dead_letters
from deskstream.messaging.accounts import manager_of
from deskstream.messaging.declare import Declaration, Figure, Tx
from deskstream.messaging.fates import DATABASE_UNWELL
from deskstream.messaging.topology import stream_of

Told = TypeVar("Told")

_STANDING: Final = """
SELECT (SELECT count(*) FROM unpublished) AS unpublished,
       (SELECT clock_timestamp() - at FROM unpublished ORDER BY id LIMIT 1) AS unpublished_for,
       (SELECT count(*) FROM timers WHERE due_at <= clock_timestamp() + $1::interval) AS timers_due,
       (SELECT clock_timestamp() + $1::interval - min(due_at) FROM timers) AS timers_late,
       (SELECT clock_timestamp() - min(since) FROM waiting WHERE state = 'gap') AS gap_for
"""

_SENDS: Final = """
SELECT state, count(*) AS number, clock_timestamp() - min(at) AS oldest
FROM sends
WHERE state IN ('queued', 'sending', 'unknown')
GROUP BY state
"""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What one service's tables hold that should go on."""

    letters: dead_letters.Counts
    unpublished: int
    unpublished_for: timedelta
    """Since the oldest of them was said; 0 where there is none."""
    gap_for: timedelta
    """Since the longest-waiting event arrived before an earlier one of its key."""
    timers_due: int
    timers_late: timedelta
    """Since the first of them was due; 0 where none is."""
    sends: Mapping[str, int]
    """By state: queued, sending, unknown."""
    sends_oldest: timedelta


@dataclass(frozen=True, slots=True)
class Look:
    """What monitoring asks a service for; None where a server does not tell."""

    backlog: Backlog | None
    lags: Mapping[str, int] | None
    own: Sequence[Figure] | None


async def told(asked: Awaitable[Told], within: float) -> Told | None:
    """What was asked for; None when it is not to be had in time. Monitoring must not fail with what it watches."""
    try:
        async with asyncio.timeout(within):
            return await asked
    except (*DATABASE_UNWELL, NatsError):
        return None


async def backlog_of(tx: Tx, offset: timedelta) -> Backlog:
    """Counts it; `offset` is the service's clock's."""
    letters = await dead_letters.count(tx)
    row, sends = await tx.fetchrow(_STANDING, offset), await tx.fetch(_SENDS)
    assert row is not None
    return Backlog(
        letters=letters,
        unpublished=row["unpublished"],
        unpublished_for=max(row["unpublished_for"] or timedelta(), timedelta()),
        gap_for=row["gap_for"] or timedelta(),
        timers_due=row["timers_due"],
        timers_late=max(row["timers_late"] or timedelta(), timedelta()),
        sends={found["state"]: found["number"] for found in sends},
        sends_oldest=max((found["oldest"] for found in sends), default=timedelta()),
    )


async def lags_of(client: Client, declaration: Declaration) -> dict[str, int]:
    """How many messages a reader has not acknowledged, by lane, as the broker counts them.

    Raises a NATS error when it does not answer, or knows no such durable.
    """
    manager = manager_of(client)
    about = [manager.consumer_info(stream_of(lane), declaration.name) for lane in declaration.hears]
    infos = await asyncio.gather(*about)
    return {
        lane: (info.num_pending or 0) + (info.num_ack_pending or 0)
        for lane, info in zip(declaration.hears, infos, strict=True)
    }
