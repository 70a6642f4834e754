"""Starting and stopping services in one process: one, some or all of them, sharing nothing but the process."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import asyncpg
import structlog

from deskstream.messaging import Declaration
from deskstream.messaging.connection import Reach
from deskstream.messaging.service import RunningService
from deskstream.runtime.health import Health
from deskstream.runtime.pool import open_pool
from deskstream.runtime.settings import RuntimeSettings, read_settings

STOP_WITHIN_S: Final = 25.0
WAIT_FOR_SERVERS_S: Final = 60.0
YOUNG_OBJECTS: Final = 100_000

log = structlog.get_logger()


def reach_of(settings: RuntimeSettings) -> Reach:
    """Where the broker is, with the proof of who we are."""
    seed = settings.nats_seed_file.read_text().strip() if settings.nats_seed_file else None
    return Reach(settings.nats_servers, seed)


@asynccontextmanager
async def running(
    declarations: Iterable[Declaration], settings: RuntimeSettings, *, clock_offset: timedelta = timedelta()
) -> AsyncIterator[dict[str, RunningService]]:
    """The services, started; on leaving they are stopped in good order. They read their own settings themselves.

    Raises SettingsError for a wrong variable, OSError when a server cannot be reached for a minute.
    """
    async with AsyncExitStack() as stack:
        started: dict[str, RunningService] = {}
        for declaration in declarations:
            service = await _start(declaration, settings, stack, clock_offset)
            started[declaration.name] = service
        yield started


async def _start(
    declaration: Declaration, settings: RuntimeSettings, stack: AsyncExitStack, clock_offset: timedelta
) -> RunningService:
    own = read_settings(declaration.settings)
    pool = await _patiently_open(declaration.name, settings)
    stack.push_async_callback(pool.close)
    service = RunningService(declaration, declaration.build(own), pool, reach_of(settings), clock_offset=clock_offset)
    stack.push_async_callback(_stop, service)
    await service.start()
    log.info("service_started", service=declaration.name)
    return service


async def _patiently_open(name: str, settings: RuntimeSettings) -> asyncpg.Pool[asyncpg.Record]:
    """In docker-compose everything starts at once: the database may need a moment."""
    deadline = asyncio.get_running_loop().time() + WAIT_FOR_SERVERS_S
    while True:
        try:
            return await open_pool(settings.postgres_dsn, name, size=settings.pool_size)
        except (OSError, asyncpg.CannotConnectNowError) as error:
            if asyncio.get_running_loop().time() > deadline:
                raise
            log.warning("waiting_for_database", reason=str(error))
            await asyncio.sleep(0.5)


async def _stop(service: RunningService) -> None:
    try:
        await asyncio.wait_for(service.stop(), STOP_WITHIN_S)
    except TimeoutError:
        log.error("stopped_the_hard_way", service=service.name, after_s=STOP_WITHIN_S)


async def run_until_signalled(declarations: Sequence[Declaration], settings: RuntimeSettings) -> None:
    """Runs services until SIGTERM, SIGINT or the death of one of their loops, which is raised."""
    signalled = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signalled.set)
    health = Health("deskstream " + " ".join(d.name for d in declarations))
    async with running(declarations, settings) as services:
        for name, service in services.items():
            health.add(name, service.problem)
        if settings.health_port:
            await health.serve(settings.health_host, settings.health_port)
        _spare_the_collector()
        log.info("ready", services=list(services))
        await _first_of(signalled, services.values())
        log.info("stopping")
    if settings.health_port:
        await health.stop()


def _spare_the_collector() -> None:
    """A batch makes some 50,000 objects and lets go of them again by counting; looking for cycles among them every 700
    took a third of the time. What lives since the start is never looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 20)


async def _first_of(signalled: asyncio.Event, services: Iterable[RunningService]) -> None:
    waiting = asyncio.create_task(signalled.wait())
    deaths = [service.failed for service in services if service.failed is not None]
    until: list[asyncio.Future[Any]] = [waiting, *deaths]
    await asyncio.wait(until, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    for death in deaths:
        if death.done():
            death.result()
