"""All checks at once; one that cannot be made is a finding like the others."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import asyncpg
from nats.errors import Error as NatsError

from deskstream.cli.asking import connected
from deskstream.cli.database import database
from deskstream.cli.doctor.broker import examine_broker
from deskstream.cli.doctor.finding import Finding, wrong
from deskstream.cli.doctor.store import examine_store
from deskstream.cli.doctor.surroundings import examine_doors, examine_machine, examine_services
from deskstream.cli.place import Place, without_password
from deskstream.cli.problem import Problem
from deskstream.messaging import Declaration
from deskstream.runtime.launch import reach_of
from deskstream.runtime.settings import RuntimeSettings

WITHIN_S: Final = 30.0

_UNWELL: Final = (OSError, TimeoutError, NatsError, asyncpg.PostgresError, asyncpg.InterfaceError)


async def examine(place: Place, declarations: Sequence[Declaration]) -> list[Finding]:
    """The whole report, in the order in which things depend on each other."""
    settings = place.servers
    found = await asyncio.gather(
        _guarded("NATS", lambda: _with_broker(settings, declarations), "Start it, or look at DESKSTREAM_NATS_URL."),
        _guarded("PostgreSQL", lambda: _with_store(settings, declarations), _START_POSTGRES.format(_shown(settings))),
        _guarded("doors", lambda: examine_doors(place), "Look at the addresses."),
    )
    return [*examine_machine(place), *(finding for group in found for finding in group)]


_START_POSTGRES: Final = "Start it, or look at DESKSTREAM_POSTGRES_URL ({})."


def _shown(settings: RuntimeSettings) -> str:
    return without_password(settings.postgres_url)


async def _with_broker(settings: RuntimeSettings, declarations: Sequence[Declaration]) -> list[Finding]:
    async with connected(reach_of(settings)) as client:
        names = [declaration.name for declaration in declarations]
        broker, services = await asyncio.gather(examine_broker(client, declarations), examine_services(client, names))
        return broker + services


async def _with_store(settings: RuntimeSettings, declarations: Sequence[Declaration]) -> list[Finding]:
    async with database(settings.postgres_dsn) as connection:
        return await examine_store(connection, declarations)


async def _guarded(check: str, work: Callable[[], Awaitable[list[Finding]]], mend: str) -> list[Finding]:
    try:
        return await asyncio.wait_for(work(), WITHIN_S)
    except Problem as problem:
        return [wrong(check, problem.sentence, mend)]
    except _UNWELL as error:
        return [wrong(check, f"It does not answer as it should ({error or type(error).__name__}).", mend)]
