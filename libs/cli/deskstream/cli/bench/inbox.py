"""`deskstream bench inbox`: the inbox's first page by HTTP, of few conversations and of very many."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from deskstream.cli.bench.http import Asked, asking
from deskstream.cli.bench.pipeline import ready
from deskstream.cli.bench.raw import measure_raw
from deskstream.cli.bench.repeating import Progress
from deskstream.cli.bench.running import Bench, furnish, running
from deskstream.cli.bench.servers import servers_of_its_own
from deskstream.cli.bench.watch import percentile

FEW: Final = 10_000
MAILS: Final = 2500
"""Of which a fifth begin a conversation; these are copied."""
CHUNK: Final = 50_000
READS: Final = 200
"""Of each view."""
VIEWS: Final[Mapping[str, Mapping[str, str | int]]] = {
    "all": {},
    "owner": {"owner": "agent7"},
    "received": {"sort": "received"},
}
"""What an agent looks at: all by urgency, one's own by urgency, all by receipt."""

_SETTLED: Final = "SELECT count(*) FROM gateway.inbox WHERE number IS NULL OR owner = '' OR first_due IS NULL"

# Each copy is a conversation of its own, received and due at a time of its own; of twenty one is still open, as on a
# desk that has worked for years.
_MULTIPLY: Final = """
WITH source AS (
    SELECT row_number() OVER (ORDER BY number) - 1 AS place, count(*) OVER () AS all_of_them, conversation_id
    FROM gateway.inbox
    WHERE number <= $3
), copied AS (
    SELECT s.conversation_id, n, gen_random_uuid() AS new_id, n + $3::bigint + 1 AS new_number, n % 20 = 0 AS open
    FROM generate_series($1::bigint, $2::bigint - 1) AS n
    JOIN source s ON s.place = n % s.all_of_them
)
INSERT INTO gateway.inbox
    (conversation_id, updated_at, conversation_seq, number, stage, kind, channel, inbox, account_id, created_at,
     unanswered, priority_said, facts, choice_seq, routing_seq, owner, priority_routed, routed,
     first_seq, first_due, first_clock, next_seq)
SELECT c.new_id, i.updated_at + c.n * interval '1 millisecond', i.conversation_seq, c.new_number,
       CASE WHEN c.open THEN i.stage ELSE 'archived' END, i.kind, i.channel, i.inbox, i.account_id,
       i.created_at + c.n * interval '1 millisecond',
       CASE WHEN c.open THEN i.unanswered + c.n * 1000 END, i.priority_said,
       i.facts::jsonb || jsonb_build_object(
           'id', c.new_id, 'number', c.new_number, 'stage', CASE WHEN c.open THEN i.stage ELSE 'archived' END
       ),
       i.choice_seq, i.routing_seq, i.owner, i.priority_routed, i.routed,
       i.first_seq, CASE WHEN c.open THEN i.first_due + c.n * 1000 END, i.first_clock, i.next_seq
FROM copied c
JOIN gateway.inbox i USING (conversation_id)
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """How many conversations there are in the end, and with how many that is compared."""

    size: int = 1_000_000
    few: int = FEW

    @property
    def about_s(self) -> float:
        """How long it takes, starts and stops included."""
        return 40 + self.size / 8000


async def bench_inbox(plan: Plan, progress: Progress) -> dict[str, Any]:
    """Milliseconds of the first page, all views together and each; with the many and, for comparison, with the few."""
    with servers_of_its_own() as (addresses, pids):
        progress("measuring what the machine gives")
        raw = await measure_raw(addresses.nats_url, addresses.postgres_url, pids)
        async with running(addresses, pids) as bench:
            await furnish(bench)
            progress(f"{MAILS:,} mails arrive")
            desk = Desk(bench, await _fill(bench))
            async with asking(bench.api) as asked:
                await desk.grow(plan.few, progress)
                few = await _read(asked)
                await desk.grow(plan.size, progress)
                many = await _read(asked)
    return {
        **many,
        "few_p50_ms": few["p50_ms"],
        "few_p99_ms": few["p99_ms"],
        "many_to_few": round(many["p50_ms"] / few["p50_ms"], 3),
        "conversations": desk.there,
        "cores": os.cpu_count(),
        "raw": raw.as_json(),
    }


@dataclass
class Desk:
    """A desk whose conversations become more, as copies of those that came by mail."""

    bench: Bench
    real: int

    def __post_init__(self) -> None:
        self.there = self.real

    async def grow(self, wanted: int, progress: Progress) -> None:
        """Until there are so many."""
        while self.there < wanted:
            progress(f"{self.there:,} of {wanted:,} conversations")
            upto = min(wanted, self.there + CHUNK)
            await self.bench.database.execute(
                _MULTIPLY, self.there - self.real, upto - self.real, self.real, timeout=600
            )
            self.there = upto
        progress(f"reading at {self.there:,} conversations")
        await self.bench.database.execute("VACUUM ANALYZE gateway.inbox", timeout=600)
        await self.bench.database.execute("CHECKPOINT", timeout=600)


async def _fill(bench: Bench) -> int:
    """How many conversations came by real mails, each with an owner and a clock by now."""
    generator, view = await ready(bench)
    for _ in range(MAILS):
        await generator.send()
    await view.until(generator.sent, 300)
    await view.until_none(_SETTLED, 120)
    return int(await bench.database.fetchval("SELECT max(number) FROM gateway.inbox"))


async def _read(asked: Asked) -> dict[str, float]:
    for query in VIEWS.values():
        for _ in range(READS // 10):
            await asked.get("/api/conversations", query)
    everything, figures = list[float](), dict[str, float]()
    for name, query in VIEWS.items():
        asked.delays.clear()
        for _ in range(READS):
            await asked.get("/api/conversations", query)
        figures[f"{name}_p50_ms"] = round(percentile(asked.delays, 0.5), 2)
        everything += asked.delays
    return {
        "p50_ms": round(percentile(everything, 0.5), 2),
        "p99_ms": round(percentile(everything, 0.99), 2),
        **figures,
    }
