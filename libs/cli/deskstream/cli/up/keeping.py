"""Keeping a desk up: servers, schemas, streams and services, until somebody says stop."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from nats.errors import Error as NatsError

from deskstream.cli.database import database
from deskstream.cli.migrate import migrate_all
from deskstream.cli.problem import Problem
from deskstream.cli.provision import provision_all
from deskstream.cli.state import State, forget_state, write_state
from deskstream.cli.up.surroundings import Surroundings, name_servers
from deskstream.messaging import Declaration
from deskstream.messaging.service import RunningService
from deskstream.runtime.channels import adapters_elsewhere
from deskstream.runtime.embedded.processes import EmbeddedServerError, born
from deskstream.runtime.embedded.servers import Addresses, EmbeddedServers
from deskstream.runtime.launch import observed, running
from deskstream.runtime.privileges.credentials import FOLDER
from deskstream.runtime.privileges.guard import Guard
from deskstream.runtime.reach import reach_of
from deskstream.runtime.settings import RuntimeSettings

LOOK_EVERY_S: Final = 1.0

log = structlog.get_logger("deskstream.up")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be kept up, and who hears how it goes."""

    folder: Path
    services: Sequence[Declaration]
    surroundings: Surroundings
    step: Callable[[str], None]
    """Gets a line for each step on the way."""
    ready: Callable[[State], None]
    """Called once everything runs."""


async def keep_up(plan: Plan) -> None:
    """Returns when SIGTERM or SIGINT came and everything is stopped again. Data stay.

    Raises EmbeddedServerError, MigrationError, SettingsError, CredentialsError, Problem; servers are stopped anyway.
    """
    guard = Guard(plan.folder / FOLDER, plan.services, adapters_elsewhere())
    servers = EmbeddedServers(plan.folder, access=guard.access())
    try:
        with suppress(asyncio.CancelledError), _signals_cancel():
            await _run(plan, servers, guard)
    finally:
        forget_state(plan.folder)
        await asyncio.to_thread(servers.stop)
    plan.step("Stopped.")


async def _run(plan: Plan, servers: EmbeddedServers, guard: Guard) -> None:
    plan.step("Starting NATS and PostgreSQL …")
    addresses = await asyncio.to_thread(servers.start)
    name_servers(addresses, os.environ)
    os.environ.update(guard.told)
    settings = RuntimeSettings()
    plan.step("Making schemas and streams …")
    await migrate_all(settings.postgres_dsn, plan.services)
    async with database(settings.postgres_dsn) as connection:
        await guard.employ(connection)
    await provision_all(reach_of(settings), plan.services)
    plan.step(f"Starting {len(plan.services)} services …")
    async with running(plan.services, settings) as services, observed(services, _on_loopback(settings)):
        state = _state(plan.surroundings, addresses)
        write_state(plan.folder, state)
        plan.ready(state)
        try:
            await _watch(plan, servers, services.values())
        except asyncio.CancelledError:
            plan.step("Stopping: what is being handled is finished first …")
            raise


async def _watch(plan: Plan, servers: EmbeddedServers, services: Iterable[RunningService]) -> None:
    """Starts a server again that died, with the streams it needs. Raises Problem when a service did."""
    deaths = [service.failed for service in services if service.failed is not None]
    while True:
        await asyncio.wait(deaths, timeout=LOOK_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
        for death in deaths:
            if death.done() and (error := death.exception()):
                raise Problem(f"A service cannot go on: {error!r}. The log says more.")
        status = await asyncio.to_thread(servers.status)
        if not status.both_run:
            log.warning("server_died", nats=status.nats_pid, postgres=status.postgres_pid)
            with suppress(EmbeddedServerError, Problem, NatsError, TimeoutError):
                await asyncio.to_thread(servers.start)
                # Its store may be gone, too; the services fill the streams again, and make none.
                await provision_all(reach_of(RuntimeSettings()), plan.services)


@contextmanager
def _signals_cancel() -> Iterator[None]:
    """The first signal cancels what runs, wherever it is; what it left behind is stopped in good order."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, task.cancel)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _on_loopback(settings: RuntimeSettings) -> RuntimeSettings:
    """Health is asked for by its port; others see it only where somebody named the address, too."""
    if "health_host" in settings.model_fields_set:
        return settings
    return settings.model_copy(update={"health_host": "127.0.0.1"})


def _state(around: Surroundings, addresses: Addresses) -> State:
    return State(
        pid=os.getpid(),
        born=born(os.getpid()),
        nats_url=addresses.nats_url,
        postgres_url=addresses.postgres_url,
        api_url=f"http://{around.http}",
        token=around.token,
        smtp=around.smtp,
        inbox=around.inbox,
        maildir=around.maildir,
    )
