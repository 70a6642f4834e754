"""One fault run from start to end: load, faults, recovery, verdict."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import asyncpg

from deskstream.cli.faults.breaking import Victims
from deskstream.cli.faults.broker import stored_inbound, stored_on
from deskstream.cli.faults.injector import Injector, Say
from deskstream.cli.faults.load import Load
from deskstream.cli.faults.publisher import Publisher
from deskstream.cli.faults.record import Database, Leftovers, count_archived, count_said, read_leftovers, read_record
from deskstream.cli.faults.verdict import Breach, Verdict, judge
from deskstream.cli.faults.world import World, running
from deskstream.cli.problem import Problem

CALM_S = 2.0
"""Load without faults at first: it shows that the rate is one that this machine keeps up with."""
CALM_BACKLOG_S = 2.0
RECOVERY_S = 30.0
LOOK_EVERY_S = 0.25


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do. `rate` is mails a second; `only` names the kinds of faults, where not all are wanted."""

    seconds: float = 30.0
    seed: int = 1
    rate: float = 50.0
    only: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """`figures` is the answer as one object; `logs` is where the services' logs are, if a promise was broken."""

    figures: dict[str, Any]
    breaches: list[Breach]
    logs: Path | None


async def run_faults(plan: Plan, say: Say) -> Outcome:
    """Runs on servers and processes of its own; leaves only logs, and those only if a promise was broken."""
    folder = Path(tempfile.mkdtemp(prefix="deskstream-faults-"))
    kept = False
    try:
        figures, breaches = await _run(plan, say, folder)
        kept = bool(breaches)
        return Outcome(figures, breaches, folder if kept else None)
    finally:
        if not kept:
            shutil.rmtree(folder, ignore_errors=True)


async def _run(plan: Plan, say: Say, folder: Path) -> tuple[dict[str, Any], list[Breach]]:
    say("starting servers and services")
    async with running(folder) as world:
        publisher = Publisher(world.client, Load(plan.seed), plan.rate)
        stop = asyncio.Event()
        publishing = asyncio.create_task(publisher.run(stop))
        await _calm(world, publisher, plan)
        victims = victims_of(world, publisher, plan)
        injector = Injector(victims, say, plan.only)
        await injector.run(plan.seconds)
        stop.set()
        recovered = await _recover(world, victims, publishing, plan.rate, say)
        figures, breaches = await _look_back(world, victims)
    breaches += [Breach(*one, "what was said of that fault") for one in victims.complaints]
    breaches += [Breach(*one, "the log of that process") for service in world.services for one in service.complaints]
    if recovered is None:
        breaches.append(Breach("P5", "not everything was done in time", "what waits, and the logs"))
    figures |= {"recovered_in_s": recovered, "faults": dict(injector.done), "skipped": dict(injector.skipped)}
    figures |= {"seed": plan.seed, "seconds": plan.seconds}
    figures["broken"] = [f"{one.promise}: {one.what}" for one in breaches]
    return figures, breaches


def victims_of(world: World, publisher: Publisher, plan: Plan) -> Victims:
    """Everything in this world that can be hurt."""
    return Victims(
        servers=world.servers,
        addresses=world.addresses,
        services=world.services,
        nats_lines=world.nats_lines,
        postgres_lines=world.postgres_lines,
        nats_disk=world.nats_disk,
        postgres_disk=world.postgres_disk,
        home=world.home,
        declarations=world.declarations,
        client=world.client,
        publisher=publisher,
        chance=random.Random(f"faults {plan.seed}"),
        run_s=plan.seconds,
    )


async def _calm(world: World, publisher: Publisher, plan: Plan) -> None:
    await asyncio.sleep(CALM_S)
    database = await asyncpg.connect(world.addresses.postgres_url)
    behind = publisher.given - await count_archived(database)
    await database.close()
    if behind > CALM_BACKLOG_S * plan.rate:
        raise Problem(f"This machine does not keep up with {plan.rate:g} mails a second; try a lower --rate")


async def _recover(
    world: World, victims: Victims, publishing: asyncio.Task[None], rate: float, say: Say
) -> float | None:
    """Waits until nothing is on its way; returns the seconds from now, None when the promise was missed."""
    started = monotonic()
    database = await asyncpg.connect(world.addresses.postgres_url)
    behind = await _behind(world, victims, database)
    within = RECOVERY_S + behind / rate
    say(f"no more faults; {behind} mails behind, to be done within {within:.0f} s")
    try:
        async with asyncio.timeout(within):
            await publishing
            while await _unfinished(world, victims, database):  # noqa: ASYNC110 - it looks at tables
                await asyncio.sleep(LOOK_EVERY_S)
    except TimeoutError:
        return None
    finally:
        publishing.cancel()
        await database.close()
    return round(monotonic() - started, 1)


async def _behind(world: World, victims: Victims, database: Database) -> int:
    """The backlog, in mails: those not taken in, not heard by everybody, or said in events that the broker has lost."""
    archived = await count_archived(database)
    stored = await stored_inbound(world.client) + victims.gone
    said = await count_said(database, world.declarations)
    held = await stored_on(world.client, list(said))
    owed = sum(max(0, number - held[lane]) for lane, number in said.items())
    left = await read_leftovers(database, world.declarations)
    return (
        victims.publisher.backlog
        + max(0, stored - archived)
        + _in_mails(left.to_read, left.read, archived)
        + _in_mails(owed, sum(said.values()), archived)
    )


def _in_mails(events: int, so_far: int, mails: int) -> int:
    """Of how many mails so many events are, when `so_far` were those of `mails`."""
    return round(events * mails / max(1, so_far, mails))


async def _unfinished(world: World, victims: Victims, database: Database) -> bool:
    if await count_archived(database) < await stored_inbound(world.client) + victims.gone:
        return True
    left: Leftovers = await read_leftovers(database, world.declarations)
    return not left.none


async def _look_back(world: World, victims: Victims) -> tuple[dict[str, Any], list[Breach]]:
    database = await asyncpg.connect(world.addresses.postgres_url)
    record = await read_record(database, world.declarations, await stored_inbound(world.client) + victims.gone)
    await database.close()
    verdict: Verdict = judge(victims.publisher.published, record, victims.planted)
    figures = {
        "accepted": verdict.accepted,
        "effects": verdict.effects,
        "duplicates": verdict.duplicates,
        "lost": verdict.lost,
        "order_violations": verdict.order_violations,
        "dead": record.left.dead,
        "waiting": record.left.waiting,
        "unpublished": record.left.unpublished,
        "unreadable_kept": len(victims.planted),
        "received": {"all": record.archived, **record.fates},
        "repeated_publishes": victims.publisher.published.repeats,
        "service_starts": sum(service.starts for service in world.services),
    }
    return figures, verdict.breaches
