"""Comparing lane by lane, and mending: lists first, then readers, then journals, then what the broker is owed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Final

from deskstream.cli.asking import Client
from deskstream.cli.database import Connection, schema, schemas_made
from deskstream.cli.problem import Problem
from deskstream.contracts import subjects
from deskstream.messaging import Declaration
from deskstream.messaging.failpoints import FailPoints
from deskstream.messaging.publishing import Publisher
from deskstream.messaging.reconcile import mending
from deskstream.messaging.reconcile.lists import Lists, compared
from deskstream.messaging.reconcile.stored import StreamState, state_of
from deskstream.messaging.sweeping import publish_page
from deskstream.messaging.topology import stream_of

STANDSTILL_S: Final = 15.0
"""When nothing more could be published for so long, the rest is left to the service's own sweeper."""
AGAIN_S: Final = 0.3

_OWED = "SELECT count(*) FROM unpublished"
_USE = "SELECT set_config('search_path', $1, true)"


@dataclass(frozen=True, slots=True)
class Lane:
    """One lane of one service, and the state of its stream."""

    service: str
    name: str
    state: StreamState


@dataclass(frozen=True, slots=True)
class Result:
    """What was found about a lane, and what was done."""

    lane: Lane
    lists: Lists
    owed: int = 0
    """How much is published again."""
    taken_back: int = 0
    numbers_lost: int = 0


@dataclass
class Reporting:
    """Hears how far the work is: `step(what, of how many)` begins something, `moved(by)` goes on with it."""

    step: Callable[[str, int], None] = field(default=lambda what, total: None)
    moved: Callable[[int], None] = field(default=lambda by: None)


async def lanes_of(client: Client, connection: Connection, declarations: Sequence[Declaration]) -> list[Lane]:
    """The lanes that can be compared. Raises Problem when a schema or a stream is missing."""
    made = await schemas_made(connection, [one.name for one in declarations])
    found = []
    for declaration in declarations:
        if declaration.name not in made:
            raise Problem(f"The database has no schema {declaration.name}: run `deskstream migrate` first.")
        for lane in declaration.says:
            state = await state_of(client, stream_of(lane))
            if state is None:
                raise Problem(f"There is no stream {stream_of(lane)}: run `deskstream provision` first.")
            found.append(Lane(declaration.name, lane, state))
    return found


async def compare_all(
    client: Client, connection: Connection, lanes: Sequence[Lane], reporting: Reporting
) -> list[Result]:
    """The three lists of each lane; changes nothing."""
    results = []
    for lane in lanes:
        reporting.step(f"comparing {lane.name}", lane.state.messages)
        async with (
            schema(connection, lane.service) as tx,
            compared(tx, client, lane.name, lane.state, reporting.moved) as comparison,
        ):
            results.append(Result(lane, await comparison.lists()))
    return results


async def mend(
    client: Client,
    connection: Connection,
    results: Sequence[Result],
    declarations: Sequence[Declaration],
    reporting: Reporting,
) -> list[Result]:
    """Mends what was found. Safe to repeat, and to interrupt: what is left is found the next time."""
    lost = sum(result.lists.missing_in_journal.number for result in results)
    if lost:
        reporting.step("preparing the services", len(declarations))
        for declaration in declarations:
            async with schema(connection, declaration.name) as tx:
                await mending.prepare_reader(tx, client, declaration)
                await mending.skip_numbers(tx, lost)
            reporting.moved(1)
    mended = [await _mend_one(client, connection, result, declarations, reporting) for result in results]
    for name in dict.fromkeys(result.lane.service for result in mended if result.owed or result.numbers_lost):
        await _publish(client, connection, name, reporting)
    return mended


async def _mend_one(
    client: Client,
    connection: Connection,
    result: Result,
    declarations: Sequence[Declaration],
    reporting: Reporting,
) -> Result:
    lane, lists = result.lane, result.lists
    if not (lists.missing_in_stream.number or lists.missing_in_journal.number):
        return result
    reporting.step(f"mending {lane.name}", 2 * lane.state.messages)
    async with (
        schema(connection, lane.service) as tx,
        compared(tx, client, lane.name, lane.state, reporting.moved) as comparison,
    ):
        owed = await comparison.owe()
        back = await mending.take_back(comparison, client, lane.state, reporting.moved)
        if back.events:
            await _tell_readers(tx, lane, declarations)
    return replace(result, owed=owed, taken_back=back.events, numbers_lost=back.numbers_lost)


async def _tell_readers(tx: Connection, lane: Lane, declarations: Sequence[Declaration]) -> None:
    """In the same transaction: nobody must hear what was taken back before it is in doubt, or never hear of it."""
    leaving = lane.name.startswith(f"{subjects.OUTBOUND}.")
    sent = await mending.taken_back(tx, lane.name) if leaving else []
    for reader in [one.name for one in declarations if lane.name in one.hears]:
        await tx.execute(_USE, reader)
        await mending.hear_again(tx, lane.name)
        await mending.doubt_sends(tx, lane.name, sent)
    await tx.execute(_USE, lane.service)


async def _publish(client: Client, connection: Connection, name: str, reporting: Reporting) -> None:
    """Publishes what the broker is owed, as the service's own sweeper does; both may be at it."""
    publisher = Publisher(FailPoints("reconcile", "::"))
    await publisher.start(client)
    async with schema(connection, name) as tx:
        left = await tx.fetchval(_OWED)
    reporting.step(f"publishing {name}", left)
    still = monotonic() + STANDSTILL_S
    while left and monotonic() < still:
        async with schema(connection, name) as tx:
            if not await publish_page(tx, publisher):
                await asyncio.sleep(AGAIN_S)
            now_left = await tx.fetchval(_OWED)
        if now_left < left:
            still = monotonic() + STANDSTILL_S
        reporting.moved(left - now_left)
        left = now_left
