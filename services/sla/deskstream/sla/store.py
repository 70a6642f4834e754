"""All SQL of the clocks: one row a clock, loaded and saved for a whole batch."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import TypeAdapter

from deskstream.contracts.facts import Stage
from deskstream.contracts.ids import ConversationId
from deskstream.contracts.sla import Cause, ClockFacts
from deskstream.messaging import Tx
from deskstream.sla.domain import Clock, Clocks

# The runner has locked the conversation's head: no row is locked here, most messages change none.
_LOAD = """
    SELECT conversation_id, ordinal, number, created_at, metric, started_at, target_minutes, warn_at, due_at,
        policy, policy_version, calendar, calendar_version, causes, endings, left_new_to, left_new_at,
        warned, breached, replaced, settled
    FROM clocks
    WHERE conversation_id = ANY ($1::uuid[])
        AND NOT settled
    ORDER BY conversation_id, ordinal
"""

_READ = """
    SELECT conversation_id, ordinal, number, created_at, metric, started_at, target_minutes, warn_at, due_at,
        policy, policy_version, calendar, calendar_version, causes, endings, left_new_to, left_new_at,
        warned, breached, replaced, settled
    FROM clocks
    WHERE conversation_id = $1
    ORDER BY ordinal
"""

_NOW = "SELECT now()"

# A clock's start never changes. Its neighbours come along unchanged, and cost no new row version.
_SAVE = """
    INSERT INTO clocks AS c (
        conversation_id, ordinal, number, created_at, metric, started_at, target_minutes, warn_at, due_at,
        policy, policy_version, calendar, calendar_version, causes, endings, left_new_to, left_new_at,
        warned, breached, replaced, settled, stopped_at, outcome
    )
    SELECT conversation_id, ordinal, number, created_at, metric, started_at, target_minutes, warn_at, due_at,
        policy, policy_version, calendar, calendar_version, causes, endings, left_new_to, left_new_at,
        warned, breached, replaced, settled, stopped_at, outcome
    FROM unnest(
        $1::uuid[], $2::integer[], $3::integer[], $4::timestamptz[], $5::text[], $6::timestamptz[], $7::integer[],
        $8::timestamptz[], $9::timestamptz[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[],
        $15::text[], $16::text[], $17::timestamptz[], $18::boolean[], $19::boolean[], $20::boolean[],
        $21::boolean[], $22::timestamptz[], $23::text[]
    ) AS new (
        conversation_id, ordinal, number, created_at, metric, started_at, target_minutes, warn_at, due_at,
        policy, policy_version, calendar, calendar_version, causes, endings, left_new_to, left_new_at,
        warned, breached, replaced, settled, stopped_at, outcome
    )
    ON CONFLICT (conversation_id, ordinal) DO UPDATE
    SET causes = excluded.causes,
        endings = excluded.endings,
        left_new_to = excluded.left_new_to,
        left_new_at = excluded.left_new_at,
        warned = excluded.warned,
        breached = excluded.breached,
        replaced = excluded.replaced,
        settled = excluded.settled,
        stopped_at = excluded.stopped_at,
        outcome = excluded.outcome
    WHERE (c.causes, c.endings, c.left_new_at, c.warned, c.breached, c.replaced, c.settled)
        IS DISTINCT FROM
        (excluded.causes, excluded.endings, excluded.left_new_at, excluded.warned, excluded.breached,
            excluded.replaced, excluded.settled)
"""

_CAUSES: TypeAdapter[tuple[Cause, ...]] = TypeAdapter(tuple[Cause, ...])


async def load(tx: Tx, keys: Sequence[str]) -> dict[str, Clocks]:
    found: dict[str, list[Clock]] = {key: [] for key in keys}
    for row in await tx.fetch(_LOAD, keys):
        found[str(row["conversation_id"])].append(_clock(row))
    return {key: Clocks(ConversationId(UUID(key)), tuple(clocks)) for key, clocks in found.items()}


async def save(tx: Tx, states: Sequence[Clocks]) -> None:
    rows = [_row(clocks.conversation_id, clock) for clocks in states for clock in clocks.recent]
    if rows:
        await tx.execute(_SAVE, *map(list, zip(*rows, strict=True)))


async def read(tx: Tx, conversation_id: ConversationId) -> list[Clock]:
    """All clocks of a conversation, the settled ones too."""
    return [_clock(row) for row in await tx.fetch(_READ, conversation_id)]


async def clock_of_database(tx: Tx) -> datetime:
    now: datetime = await tx.fetchval(_NOW)
    return now


def _clock(row: asyncpg.Record) -> Clock:
    left_to = row["left_new_to"]
    return Clock(
        number=row["number"],
        created_at=row["created_at"],
        facts=ClockFacts(
            ordinal=row["ordinal"],
            metric=row["metric"],
            started_at=row["started_at"],
            target_minutes=row["target_minutes"],
            warn_at=row["warn_at"],
            due_at=row["due_at"],
            policy=row["policy"],
            policy_version=row["policy_version"],
            calendar=row["calendar"],
            calendar_version=row["calendar_version"],
        ),
        causes=_CAUSES.validate_json(row["causes"]),
        endings=_CAUSES.validate_json(row["endings"]),
        left_new=(Stage(left_to), row["left_new_at"]) if left_to else None,
        warned=row["warned"],
        breached=row["breached"],
        replaced=row["replaced"],
        settled=row["settled"],
    )


def _row(conversation_id: ConversationId, clock: Clock) -> tuple[Any, ...]:
    facts, (left_to, left_at) = clock.facts, clock.left_new or (None, None)
    return (
        conversation_id,
        facts.ordinal,
        clock.number,
        clock.created_at,
        facts.metric,
        facts.started_at,
        facts.target_minutes,
        facts.warn_at,
        facts.due_at,
        facts.policy,
        facts.policy_version,
        facts.calendar,
        facts.calendar_version,
        _CAUSES.dump_json(clock.causes).decode(),
        _CAUSES.dump_json(clock.endings).decode(),
        left_to,
        left_at,
        clock.warned,
        clock.breached,
        clock.replaced,
        clock.settled,
        clock.stop.at if clock.stop else None,
        clock.outcome,
    )
