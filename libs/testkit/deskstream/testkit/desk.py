"""A desk for tests: chosen services, really running on this test's database and broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
import nats

from deskstream.messaging import Declaration
from deskstream.messaging.service import RunningService
from deskstream.messaging.topology import completed, provision, topology
from deskstream.runtime.channels import adapters_elsewhere
from deskstream.runtime.launch import running
from deskstream.runtime.migrations import migrate
from deskstream.runtime.schemas import schemas
from deskstream.runtime.settings import RuntimeSettings
from deskstream.testkit.identities import admit, employ


async def prepare(declarations: Iterable[Declaration], database: str, nats_url: str) -> None:
    """Schemas, roles, streams, durables, permissions: what `deskstream migrate` and `deskstream provision` make."""
    services = list(declarations)
    connection = await asyncpg.connect(database)
    for schema, sources in schemas(services).items():
        await migrate(connection, schema, sources)
    await employ(connection, database, [service.name for service in services])
    await connection.close()
    await asyncio.to_thread(admit, nats_url, completed([*services, *adapters_elsewhere()]))
    client = await nats.connect(nats_url)
    await provision(client, topology([*services, *adapters_elsewhere()]))
    await client.close()


@asynccontextmanager
async def desk(
    declarations: Iterable[Declaration], database: str, nats_url: str, *, clock_offset: timedelta = timedelta()
) -> AsyncIterator[dict[str, RunningService]]:
    """The services, prepared and started; stopped in good order afterwards."""
    services = list(declarations)
    await prepare(services, database, nats_url)
    settings = RuntimeSettings(nats_url=nats_url, postgres_url=database)
    async with running(services, settings, clock_offset=clock_offset) as started:
        yield started
