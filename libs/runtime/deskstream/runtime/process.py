"""What a service process does from start to end: read the environment, run what it is told to, stop when asked."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import Final

import asyncpg
import structlog
import uvloop

from deskstream.messaging import Declaration
from deskstream.runtime.launch import run_until_signalled
from deskstream.runtime.logs import configure_logging
from deskstream.runtime.migrations import MigrationError
from deskstream.runtime.schemas import GROUP
from deskstream.runtime.settings import RuntimeSettings, SettingsError, read_settings

ALL: Final = "all"

log = structlog.get_logger()


def chosen_services(names: Sequence[str]) -> list[Declaration]:
    """The services of these names; `all` is every one installed. Raises SettingsError for an unknown name."""
    installed = {entry.name: entry for entry in entry_points(group=GROUP)}
    unknown = [name for name in names if name not in installed and name != ALL]
    if unknown or not names:
        raise SettingsError(
            f"there is no service {', '.join(unknown) or 'named'}; known are: {', '.join(sorted(installed))}, all"
        )
    return [installed[name].load() for name in (sorted(installed) if ALL in names else names)]


def run(names: Sequence[str]) -> int:
    """Runs services until SIGTERM or SIGINT; returns the exit code: 2 for a wrong name or variable, 1 when a server
    is not there for too long."""
    try:
        settings = read_settings(RuntimeSettings)
        configure_logging(settings.log_format, level=settings.log_level)
        chosen = chosen_services(names)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run_until_signalled(chosen, settings))
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201 - said to whoever started it, before there is a log
        return 2
    except (MigrationError, OSError, asyncpg.PostgresError) as error:
        log.error("given_up", reason=str(error) or type(error).__name__)
        return 1
    return 0
