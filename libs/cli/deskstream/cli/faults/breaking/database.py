"""Faults of PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg
import psutil

from deskstream.cli.faults.breaking.kind import Spared
from deskstream.cli.faults.breaking.processes import HEARING
from deskstream.cli.faults.breaking.victims import Victims, until_gone
from deskstream.messaging.topology import ACK_WAIT

_END_SESSIONS = """
SELECT count(pg_terminate_backend(pid))
FROM (
    SELECT pid
    FROM pg_stat_activity
    WHERE application_name LIKE 'deskstream-%' AND pid <> pg_backend_pid()
    ORDER BY state = 'idle', pid
    LIMIT $1
) AS chosen
"""


_NO_SESSION = "no service had a database session"


async def kill(victims: Victims) -> str:
    seconds, server = victims.seconds(0.0, 1.5), victims.postgres()
    # Its children hold its memory until they notice; a new one does not start before.
    children = server.children(recursive=True)
    server.kill()
    await until_gone([server, *children])
    await asyncio.sleep(seconds)
    await victims.start_servers()
    return f"kill -9 of postgres, started again after {seconds:.1f} s"


async def pause(victims: Victims) -> str:
    """All of its processes stand still."""
    seconds, server = victims.pause_s(), victims.postgres()
    stopped = [server, *server.children(recursive=True)]
    for process in stopped:
        with suppress(psutil.NoSuchProcess):
            process.suspend()
    await asyncio.sleep(seconds)
    for process in stopped:
        with suppress(psutil.NoSuchProcess):
            process.resume()
    return f"SIGSTOP of postgres for {seconds:.1f} s"


async def restart(victims: Victims) -> str:
    server = victims.postgres()
    server.send_signal(2)
    await until_gone([server])
    await victims.start_servers()
    return "postgres restarted in its fast way"


async def fill_disk(victims: Victims) -> str:
    disk, seconds = victims.postgres_disk, victims.seconds(2.0, 4.0)
    assert disk is not None
    await asyncio.to_thread(disk.fill)
    await asyncio.sleep(seconds)
    await asyncio.to_thread(disk.free)
    await victims.start_servers()
    return f"the disk of postgres was full for {seconds:.1f} s"


async def end_sessions(victims: Victims) -> str:
    async with _connected(victims) as connection:
        ended = await connection.fetchval(_END_SESSIONS, 1000)
    if not ended:
        raise Spared(_NO_SESSION)
    return f"{ended} database sessions of the services ended"


async def end_one_session(victims: Victims) -> str:
    """One that is at work, if any is."""
    async with _connected(victims) as connection:
        if not await connection.fetchval(_END_SESSIONS, 1):
            raise Spared(_NO_SESSION)
    return "one database session of a service ended"


async def slow_handler(victims: Victims) -> str:
    """One service's batches take longer than the broker waits for an acknowledgement."""
    service, seconds = victims.chance.choice(HEARING), ACK_WAIT.total_seconds() + 2
    async with _connected(victims) as connection, connection.transaction():
        await connection.execute(f"LOCK TABLE {service}.progress IN ACCESS EXCLUSIVE MODE")
        await asyncio.sleep(seconds)
    return f"no batch of {service} ended for {seconds:.0f} s"


@asynccontextmanager
async def _connected(victims: Victims) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    connection = await asyncpg.connect(
        victims.addresses.postgres_url, timeout=20, server_settings={"application_name": "faults"}
    )
    try:
        yield connection
    finally:
        await connection.close()
