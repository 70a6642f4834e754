"""`deskstream bench tickets`: ticket commands over NATS while every service runs, and reads at 100,000 tickets."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from deskstream.cli.bench.counts import counted
from deskstream.cli.bench.pipeline import Progress, servers_of_its_own
from deskstream.cli.bench.raw import measure_raw
from deskstream.cli.bench.running import Bench, running
from deskstream.cli.bench.usage import usage_of
from deskstream.cli.bench.watch import percentile
from deskstream.contracts import Command
from deskstream.contracts.chain_facts import PartKind, Severity
from deskstream.contracts.ids import IssueId, PartId, TicketId
from deskstream.contracts.issues import FileIssue, SavePart
from deskstream.contracts.ticket_commands import (
    AddTicketTask,
    ChangeTicket,
    LinkIssue,
    ListTickets,
    OpenTicket,
    ReadChain,
    RecordAnswer,
    RecordCustomer,
)
from deskstream.messaging import commands

AT_ONCE = 200
"""Callers that each wait for their answer before they ask again."""
WARM_UP_S = 3.0
PARTS = 50
ISSUES = 200
READS = 300

# Each copy is a ticket of its own: with its id, its number, and the same links.
_MULTIPLY = """
WITH source AS (
    SELECT row_number() OVER (ORDER BY number) - 1 AS place, count(*) OVER () AS all_of_them, id
    FROM ticketing.tickets
), copied AS (
    SELECT s.id, gen_random_uuid() AS new_id, nextval('ticketing.ticket_numbers') AS new_number
    FROM generate_series(0, $1::bigint - 1) AS n
    JOIN source s ON s.place = n % s.all_of_them
), tickets AS (
    INSERT INTO ticketing.tickets
        (id, number, stage, triage, tracker, type, severity, part_id, owner, account, contact, internal, deleted, state)
    SELECT c.new_id, c.new_number, t.stage, t.triage, t.tracker, t.type, t.severity, t.part_id, t.owner, t.account,
           t.contact, t.internal, t.deleted,
           replace(
               replace(t.state, t.id::text, c.new_id::text),
               '"number":' || t.number || ',', '"number":' || c.new_number || ','
           )
    FROM copied c
    JOIN ticketing.tickets t USING (id)
)
INSERT INTO ticketing.weights (object_id, ticket_id, customer, answered)
SELECT w.object_id, c.new_id, c.new_id::text, w.answered
FROM copied c
JOIN ticketing.weights w ON w.ticket_id = c.id
"""


@dataclass
class Desk:
    """What there is to ask about; grows while it is asked."""

    bench: Bench
    chance: random.Random = field(default_factory=lambda: random.Random(1))
    parts: list[PartId] = field(default_factory=list)
    issues: list[IssueId] = field(default_factory=list)
    tickets: list[TicketId] = field(default_factory=list)
    answered: int = 0

    async def ask(self, command: Command) -> dict[str, Any]:
        """The result. Raises RuntimeError when it is refused: a bench that measures refusals measures nothing."""
        answer = await commands.call(self.bench.client, command, within=30.0)
        if not answer.ok:
            raise RuntimeError(f"{command!r} was refused: {answer.error}")
        self.answered += 1
        return answer.result

    async def furnish(self) -> None:
        """Parts and issues."""
        for number in range(PARTS):
            saved = await self.ask(SavePart(name=f"Product {number}", kind=PartKind.PRODUCT))
            self.parts.append(PartId(saved["part"]["id"]))
        for number in range(ISSUES):
            filed = await self.ask(FileIssue(title=f"Export {number} stops", part_id=self.chance.choice(self.parts)))
            self.issues.append(IssueId(filed["issue"]["id"]))

    async def work(self) -> None:
        """One command of the mix: 40 % open a ticket, the others go on with one."""
        place = self.chance.random()
        if place < 0.4 or not self.tickets:
            opened = await self.ask(self._opening())
            self.tickets.append(TicketId(opened["ticket"]["id"]))
            return
        await self.ask(self._going_on(place, self.chance.choice(self.tickets)))

    def _opening(self) -> OpenTicket:
        return OpenTicket(
            title="Export of the monthly report stops",
            text="At 40 % it shows an empty page, in two browsers.",
            part_id=self.chance.choice(self.parts),
            severity=self.chance.choice(list(Severity)),
        )

    def _going_on(self, place: float, ticket: TicketId) -> Command:
        if place < 0.55:
            return ChangeTicket(ticket_id=ticket, severity=self.chance.choice(list(Severity)))
        if place < 0.70:
            return AddTicketTask(ticket_id=ticket, title="Update the article")
        if place < 0.80:
            return LinkIssue(ticket_id=ticket, issue_id=self.chance.choice(self.issues))
        if place < 0.90:
            return RecordAnswer(ticket_id=ticket, asks="information")
        return RecordCustomer(ticket_id=ticket)


async def bench_tickets(seconds: float, tickets: int, progress: Progress) -> dict[str, Any]:
    """Runs the whole measurement on servers and processes of its own. Returns the figures as one object."""
    with servers_of_its_own() as (addresses, pids):
        progress("measuring what the machine gives")
        raw = await measure_raw(addresses.nats_url, addresses.postgres_url, pids)
        async with running(addresses, pids) as bench:
            await bench.answering()
            desk = Desk(bench)
            await desk.furnish()
            progress(f"full speed for {seconds:g} s")
            figures = await _full_speed(desk, seconds)
            progress("at 100/s")
            figures |= await _at_rest(desk, 100.0, min(10.0, seconds))
            progress(f"reading at {tickets:,} tickets")
            figures |= await _reads(desk, tickets)
    needed = figures["commands_per_s"] * figures["handlings_per_command"] * raw.handling_us
    figures["ratio_to_raw"] = round(needed / ((os.cpu_count() or 1) * 1e6), 3)
    return {**figures, "cores": os.cpu_count(), "raw": raw.as_json()}


async def _full_speed(desk: Desk, seconds: float) -> dict[str, Any]:
    stop = asyncio.Event()
    callers = [asyncio.create_task(_call_on(desk, stop)) for _ in range(AT_ONCE)]
    await asyncio.sleep(WARM_UP_S)
    counts, used, answered, started = (
        await counted(desk.bench.client), usage_of(desk.bench.trees), desk.answered, time.monotonic(),
    )  # fmt: skip
    await asyncio.sleep(seconds)
    took, number = time.monotonic() - started, max(desk.answered - answered, 1)
    used = usage_of(desk.bench.trees).since(used)
    counts = (await counted(desk.bench.client)).since(counts)
    stop.set()
    await asyncio.gather(*callers)
    return {
        "commands_per_s": round(number / took, 1),
        "cpu_ms_per_command": round(used.total * 1000 / number, 3),
        "cpu_ms_by_process": used.ms_per(number),
        # The command itself is one, although no durable delivers it.
        "handlings_per_command": round(1 + counts.all_handlings / number, 2),
        "events_per_command": round(counts.events / number, 2),
    }


async def _call_on(desk: Desk, stop: asyncio.Event) -> None:
    while not stop.is_set():
        await desk.work()


async def _at_rest(desk: Desk, rate: float, seconds: float) -> dict[str, Any]:
    delays: list[float] = []
    asked: list[asyncio.Task[None]] = []
    started = time.monotonic()
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, started + number / rate - time.monotonic()))
        asked.append(asyncio.create_task(_timed(delays, desk.work)))
    await asyncio.gather(*asked)
    return {"p50_ms": round(percentile(delays, 0.5), 1), "p99_ms": round(percentile(delays, 0.99), 1)}


async def _timed(delays: list[float], work: Callable[[], Awaitable[object]]) -> None:
    started = time.monotonic()
    await work()
    delays.append((time.monotonic() - started) * 1000)


async def _reads(desk: Desk, tickets: int) -> dict[str, Any]:
    database = desk.bench.database
    there = await database.fetchval("SELECT count(*) FROM ticketing.tickets")
    await database.execute(_MULTIPLY, max(0, tickets - there), timeout=120)
    await database.execute("VACUUM ANALYZE ticketing.tickets, ticketing.weights", timeout=120)
    numbers: Sequence[int] = [row[0] for row in await database.fetch("SELECT number FROM ticketing.tickets")]
    chain = await _each(lambda: desk.ask(ReadChain(ticket=desk.chance.choice(numbers))))
    tracker = await _each(lambda: desk.ask(ListTickets(tracker=desk.chance.choice(("product_assist", "active")))))
    return {
        "tickets": len(numbers),
        "chain_ms": round(percentile(chain, 0.5), 2),
        "chain_p99_ms": round(percentile(chain, 0.99), 2),
        "tracker_ms": round(percentile(tracker, 0.5), 2),
        "tracker_p99_ms": round(percentile(tracker, 0.99), 2),
    }


async def _each(work: Callable[[], Awaitable[object]]) -> list[float]:
    """Milliseconds of each of some hundred requests, one after the other."""
    delays: list[float] = []
    for _ in range(READS):
        await _timed(delays, work)
    return delays
