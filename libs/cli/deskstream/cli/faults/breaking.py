"""The faults, each a coroutine that does its damage and returns when the world is whole again but for recovering."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic

import asyncpg
import psutil

from deskstream.cli.faults.processes import Kept
from deskstream.cli.problem import Problem
from deskstream.runtime.embedded.servers import Addresses, EmbeddedServers

Say = Callable[[str], None]
CHILDREN_END_WITHIN_S = 10.0

_END_SESSIONS = """
SELECT count(pg_terminate_backend(pid))
FROM pg_stat_activity
WHERE application_name LIKE 'deskstream-%' AND pid <> pg_backend_pid()
"""


@dataclass
class Victims:
    """Everything that can be hurt."""

    servers: EmbeddedServers
    addresses: Addresses
    services: Sequence[Kept]
    chance: random.Random

    def pause(self) -> float:
        return self.chance.uniform(0.5, 3.0)

    def service(self) -> Kept:
        return self.chance.choice(self.services)

    async def start_servers(self) -> None:
        """Whoever is dead lives again, where it was."""
        addresses = await asyncio.to_thread(self.servers.start)
        if addresses != self.addresses:
            raise Problem("A server could not have its port back: somebody took it meanwhile. Run this again.")


async def kill_service(victims: Victims) -> str:
    service = victims.service()
    return f"kill -9 of {service.name}" if service.send(signal.SIGKILL) else f"{service.name} was down already"


async def pause_service(victims: Victims) -> str:
    service, seconds = victims.service(), victims.pause()
    if not service.send(signal.SIGSTOP):
        return f"{service.name} was down already"
    await asyncio.sleep(seconds)
    service.send(signal.SIGCONT)
    return f"SIGSTOP of {service.name} for {seconds:.1f} s"


async def stop_service(victims: Victims) -> str:
    service = victims.service()
    seconds = await service.stop()
    return (
        f"{service.name} was down already" if seconds is None else f"SIGTERM of {service.name}: gone in {seconds:.1f} s"
    )


async def kill_nats(victims: Victims) -> str:
    seconds = victims.chance.uniform(0.0, 1.5)
    pid = victims.servers.status().nats_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await asyncio.to_thread(_wait_until_gone, [psutil.Process(pid)] if psutil.pid_exists(pid) else [])
    await asyncio.sleep(seconds)
    await victims.start_servers()
    return f"kill -9 of nats-server, started again after {seconds:.1f} s"


async def pause_nats(victims: Victims) -> str:
    seconds, pid = victims.pause(), victims.servers.status().nats_pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    await asyncio.sleep(seconds)
    os.kill(pid, signal.SIGCONT)
    return f"SIGSTOP of nats-server for {seconds:.1f} s"


async def kill_postgres(victims: Victims) -> str:
    seconds = victims.chance.uniform(0.0, 1.5)
    pid = victims.servers.status().postgres_pid
    assert pid is not None
    # Its children hold its memory until they notice; a new one does not start before.
    children = psutil.Process(pid).children(recursive=True)
    os.kill(pid, signal.SIGKILL)
    await asyncio.to_thread(_wait_until_gone, children)
    await asyncio.sleep(seconds)
    await victims.start_servers()
    return f"kill -9 of postgres, started again after {seconds:.1f} s"


async def end_sessions(victims: Victims) -> str:
    connection = await asyncpg.connect(victims.addresses.postgres_url, server_settings={"application_name": "faults"})
    try:
        ended = await connection.fetchval(_END_SESSIONS)
    finally:
        await connection.close()
    return f"{ended} database sessions of the services ended"


def _wait_until_gone(processes: Sequence[psutil.Process]) -> None:
    psutil.wait_procs(list(processes), timeout=CHILDREN_END_WITHIN_S)


KINDS: dict[str, Callable[[Victims], Awaitable[str]]] = {
    "kill_service": kill_service,
    "pause_service": pause_service,
    "stop_service": stop_service,
    "kill_nats": kill_nats,
    "pause_nats": pause_nats,
    "kill_postgres": kill_postgres,
    "end_sessions": end_sessions,
}


@dataclass
class Injector:
    """Does one damage after the other; every kind comes before any comes again."""

    victims: Victims
    say: Say
    done: Counter[str] = field(default_factory=Counter)

    async def run(self, seconds: float) -> None:
        """For so long; a fault that has begun is ended."""
        started, chance = monotonic(), self.victims.chance
        kinds: list[str] = []
        while True:
            await asyncio.sleep(chance.uniform(0.3, 2.0))
            begun = monotonic() - started
            if begun > seconds:
                return
            kinds = kinds or chance.sample(sorted(KINDS), len(KINDS))
            kind = kinds.pop()
            what = await KINDS[kind](self.victims)
            self.done[kind] += 1
            self.say(f"{begun:6.1f} s  {what}")
