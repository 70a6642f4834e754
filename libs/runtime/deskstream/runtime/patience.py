"""Waiting for what a process stands on and what may start later."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import asyncpg
import structlog

from deskstream.runtime.migrations import MigrationError

Found = TypeVar("Found")

LOOK_EVERY_S: Final = 0.5
SAY_EVERY_S: Final = 10.0


class NotMigrated(MigrationError):
    """Tables are missing that somebody may be making just now."""


_LATE: Final = (
    NotMigrated,
    OSError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.ConnectionDoesNotExistError,
    # A session that ends while it looks ends in one of these, too.
    asyncpg.AdminShutdownError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    # A database and its roles are made by somebody who may not have come to it yet.
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
)

log = structlog.get_logger()


async def patiently(look: Callable[[], Awaitable[Found]], *, server: str, within: float) -> Found:
    """What `look` finds, asked again while that is only late, with a warning that names the server every few seconds.

    Raises what `look` raised last after `within` seconds, and at once what no waiting mends.
    """
    now = asyncio.get_running_loop().time
    began = said = now()
    while True:
        try:
            return await look()
        except _LATE as error:
            if now() - began > within:
                raise
            if said == began or now() - said > SAY_EVERY_S:
                said = now()
                why, left = str(error) or type(error).__name__, round(began + within - said)
                log.warning("waiting_for_database", server=server, reason=why, patience_left_s=left)
            await asyncio.sleep(LOOK_EVERY_S)
