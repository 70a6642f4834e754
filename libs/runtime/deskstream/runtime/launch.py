"""Starting and stopping services in one process: one, some or all of them, sharing nothing but the process."""

from __future__ import annotations

import asyncio
import ctypes
import gc
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from importlib import import_module
from typing import Any, Final

import structlog

from deskstream.messaging import Declaration
from deskstream.messaging.service import RunningService
from deskstream.messaging.tracing import Tracer
from deskstream.runtime.health import Check, Health
from deskstream.runtime.metrics import Metrics
from deskstream.runtime.migrations import missing_migrations
from deskstream.runtime.patience import NotMigrated, patiently
from deskstream.runtime.pool import Pool, open_pool
from deskstream.runtime.reach import reach_of
from deskstream.runtime.schemas import schemas
from deskstream.runtime.settings import RuntimeSettings, read_settings
from deskstream.runtime.signals import Signals

STOP_WITHIN_S: Final = 25.0
YOUNG_OBJECTS: Final = 100_000

__all__ = ["observed", "reach_of", "run_until_signalled", "running"]

log = structlog.get_logger()


@asynccontextmanager
async def running(
    declarations: Iterable[Declaration], settings: RuntimeSettings, *, clock_offset: timedelta = timedelta()
) -> AsyncIterator[dict[str, RunningService]]:
    """The services, started; on leaving they are stopped in good order. They read their own settings themselves.

    Raises SettingsError for a wrong variable; OSError, asyncpg.PostgresError or MigrationError when the database is
    not what it should be for longer than `settings.wait_for_servers` seconds.
    """
    async with AsyncExitStack() as stack:
        started: dict[str, RunningService] = {}
        tracer_of = await stack.enter_async_context(_tracing(settings))
        for declaration in declarations:
            tracer = tracer_of(declaration.name)
            service = await _start(declaration, settings, stack, clock_offset=clock_offset, tracer=tracer)
            started[declaration.name] = service
        yield started


@asynccontextmanager
async def _tracing(settings: RuntimeSettings) -> AsyncIterator[Callable[[str], Tracer | None]]:
    if not settings.otlp_url:
        yield lambda service: None
        return
    # Its libraries are a burden to every process that sends no spans.
    telemetry = import_module("deskstream.runtime.telemetry").Telemetry(settings.otlp_url, settings.trace_ratio)
    try:
        yield telemetry.tracer_of
    finally:
        await asyncio.to_thread(telemetry.stop)


async def _start(
    declaration: Declaration,
    settings: RuntimeSettings,
    stack: AsyncExitStack,
    *,
    clock_offset: timedelta,
    tracer: Tracer | None,
) -> RunningService:
    own = read_settings(declaration.settings)
    pool = await _furnished(declaration, settings)
    stack.push_async_callback(pool.close)
    service = RunningService(
        declaration,
        declaration.build(own),
        pool,
        reach_of(settings, declaration.name),
        clock_offset=clock_offset,
        tracer=tracer,
    )
    stack.push_async_callback(_stop, service)
    await service.start()
    log.info("service_started", service=declaration.name)
    return service


async def _furnished(declaration: Declaration, settings: RuntimeSettings) -> Pool:
    """In docker-compose and Kubernetes everything starts at once: servers and tables may need a moment."""

    async def look() -> Pool:
        pool = await open_pool(settings.postgres_dsn_of(declaration.name), declaration.name, size=settings.pool_size)
        try:
            await _insist_on_tables(pool, declaration)
        except BaseException:
            await pool.close()
            raise
        return pool

    return await patiently(look, server=settings.postgres_server, within=settings.wait_for_servers)


async def _insist_on_tables(pool: Pool, declaration: Declaration) -> None:
    sources = schemas([declaration])[declaration.name]
    async with pool.acquire() as connection:
        missing = await missing_migrations(connection, declaration.name, sources)
    if missing:
        raise NotMigrated(f"schema {declaration.name} lacks {missing[0]}: run `deskstream migrate`.")


async def _stop(service: RunningService) -> None:
    try:
        await asyncio.wait_for(service.stop(), STOP_WITHIN_S)
    except TimeoutError:
        log.error("stopped_the_hard_way", service=service.name, after_s=STOP_WITHIN_S)


async def run_until_signalled(declarations: Sequence[Declaration], settings: RuntimeSettings) -> None:
    """Runs services until SIGTERM, SIGINT or the death of one of their loops, which is raised."""
    health = Health("deskstream " + " ".join(d.name for d in declarations))
    metrics = Metrics(health)
    health.add_page("/metrics", metrics.page)
    signals, started = Signals(), asyncio.Event()
    health.add("start", _when(started))
    # Health is told from the first moment: who waits for a server is alive, and not ready yet.
    async with (
        _served(health, settings),
        signals.may_break_off_the_start(),
        running(declarations, settings) as services,
    ):
        signals.start_is_over()
        for name, service in services.items():
            health.add(name, service.problem)
        metrics.services |= services
        started.set()
        _settle_down()
        log.info("ready", services=list(services))
        await _first_of(signals.event, services.values())
        log.info("stopping")


@asynccontextmanager
async def observed(services: Mapping[str, RunningService], settings: RuntimeSettings) -> AsyncIterator[None]:
    """Health and metrics of services that run already, told where `settings.health_port` says."""
    health = Health("deskstream " + " ".join(services))
    metrics = Metrics(health)
    metrics.services |= services
    health.add_page("/metrics", metrics.page)
    for name, service in services.items():
        health.add(name, service.problem)
    async with _served(health, settings):
        yield


@asynccontextmanager
async def _served(health: Health, settings: RuntimeSettings) -> AsyncIterator[None]:
    if not settings.health_port:
        yield
        return
    await health.serve(settings.health_host, settings.health_port)
    try:
        yield
    finally:
        await health.stop()


def _when(started: asyncio.Event) -> Check:
    async def look() -> str | None:
        return None if started.is_set() else "waits for its servers, or takes up its work"

    return look


def _settle_down() -> None:
    """A batch makes some 50,000 objects and lets go of them again by counting; looking for cycles among them every 700
    took a third of the time. What lives since the start is never looked at again; what only the start needed goes back
    to the system, 3 MB a service."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 20)
    # Not every C library has it.
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)


async def _first_of(signalled: asyncio.Event, services: Iterable[RunningService]) -> None:
    waiting = asyncio.create_task(signalled.wait())
    deaths = [service.failed for service in services if service.failed is not None]
    until: list[asyncio.Future[Any]] = [waiting, *deaths]
    await asyncio.wait(until, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    for death in deaths:
        if death.done():
            death.result()
