"""Reads at 100,000 tickets: the chain from every kind of member, and pages of the trackers."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import asyncpg

from deskstream.cli.bench.ticket_mix import Desk
from deskstream.cli.bench.watch import percentile
from deskstream.contracts.ticket_commands import ListTickets, ReadChain

READS: Final = 300

# Each copy is a ticket of its own, with its id and number; two have a conversation, as where one mail told of two
# things. Customer, part and issues are those of the original.
_MULTIPLY: Final = """
WITH source AS (
    SELECT row_number() OVER (ORDER BY number) - 1 AS place, count(*) OVER () AS all_of_them, id
    FROM ticketing.tickets
), copied AS (
    SELECT s.id, gen_random_uuid() AS new_id, nextval('ticketing.ticket_numbers') AS new_number,
           md5((n / 2)::text)::uuid AS conversation, 10000000 + n / 2 AS conversation_number
    FROM generate_series(0, $1::bigint - 1) AS n
    JOIN source s ON s.place = n % s.all_of_them
), tickets AS (
    INSERT INTO ticketing.tickets
        (id, number, stage, triage, tracker, type, severity, part_id, owner, account, contact, internal, deleted, state)
    SELECT c.new_id, c.new_number, t.stage, t.triage, t.tracker, t.type, t.severity, t.part_id, t.owner, t.account,
           t.contact, t.internal, t.deleted,
           jsonb_set(t.state::jsonb, '{facts}', t.state::jsonb -> 'facts' || jsonb_build_object(
               'id', c.new_id,
               'number', c.new_number,
               'conversations', jsonb_build_array(
                   jsonb_build_object('id', c.conversation, 'number', c.conversation_number, 'channel', 'email')
               )
           ))
    FROM copied c
    JOIN ticketing.tickets t USING (id)
), links AS (
    INSERT INTO ticketing.ticket_conversations (ticket_id, conversation_id, number)
    SELECT new_id, conversation, conversation_number
    FROM copied
)
INSERT INTO ticketing.weights (object_id, ticket_id, customer, answered)
SELECT w.object_id, c.new_id, c.new_id::text, w.answered
FROM copied c
JOIN ticketing.weights w ON w.ticket_id = c.id
"""

_MEMBERS: Final[Mapping[str, str]] = {
    "ticket": "SELECT number FROM ticketing.tickets",
    "issue": "SELECT number FROM ticketing.issues",
    "part": "SELECT number FROM ticketing.parts",
    "conversation": "SELECT DISTINCT number FROM ticketing.ticket_conversations",
    "account_id": "SELECT DISTINCT account FROM ticketing.tickets WHERE account IS NOT NULL",
}
"""From which members a chain is read, by their name in `ReadChain`."""


async def multiply(database: asyncpg.Connection[asyncpg.Record], tickets: int) -> None:
    """Copies tickets until there are so many."""
    there = await database.fetchval("SELECT count(*) FROM ticketing.tickets")
    await database.execute(_MULTIPLY, max(0, tickets - there), timeout=300)
    await database.execute(
        "VACUUM ANALYZE ticketing.tickets, ticketing.weights, ticketing.ticket_conversations", timeout=120
    )


async def bench_reads(desk: Desk, tickets: int) -> dict[str, Any]:
    """Milliseconds of each kind of chain and of a tracker's page. `chain_ms` is the worst median of all kinds."""
    database = desk.bench.database
    await multiply(database, tickets)
    medians, tails = dict[str, float](), list[float]()
    for member, statement in _MEMBERS.items():
        delays = await _each(desk, _chains(desk, member, [row[0] for row in await database.fetch(statement)]))
        medians[f"chain_{member.removesuffix('_id')}_ms"] = round(percentile(delays, 0.5), 2)
        tails.append(percentile(delays, 0.99))
    tracker = await _each(desk, lambda: ListTickets(tracker=desk.chance.choice(("product_assist", "active"))))
    return {
        "tickets": await database.fetchval("SELECT count(*) FROM ticketing.tickets"),
        "chain_ms": max(medians.values()),
        "chain_p99_ms": round(max(tails), 2),
        **medians,
        "tracker_ms": round(percentile(tracker, 0.5), 2),
        "tracker_p99_ms": round(percentile(tracker, 0.99), 2),
    }


async def timed(delays: list[float], work: Callable[[], Awaitable[object]]) -> None:
    """Adds the milliseconds that it took."""
    started = time.monotonic()
    await work()
    delays.append((time.monotonic() - started) * 1000)


def _chains(desk: Desk, member: str, values: list[Any]) -> Callable[[], ReadChain]:
    return lambda: ReadChain(**{member: desk.chance.choice(values)})


async def _each(desk: Desk, asked: Callable[[], ReadChain | ListTickets]) -> list[float]:
    """Milliseconds of each of some hundred requests, one after the other."""
    delays: list[float] = []
    for _ in range(READS):
        await timed(delays, lambda: desk.ask(asked()))
    return delays
