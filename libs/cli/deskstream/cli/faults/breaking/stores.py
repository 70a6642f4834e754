"""Faults after which streams and journals tell different stories: a store lost or put back, a database put back."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx

from deskstream.cli.environment import environment_of_its_own
from deskstream.cli.faults.breaking.kind import Spared
from deskstream.cli.faults.breaking.victims import Victims, until_gone
from deskstream.cli.faults.broker import furnish_broker, stored_inbound
from deskstream.cli.faults.processes import Kept
from deskstream.cli.faults.record import count_archived, read_planted
from deskstream.cli.problem import WRONG

ARCHIVED_WITHIN_S: Final = 30.0
NOTICED_WITHIN_S: Final = 45.0
"""Of a process that starts on servers that start: it has to come to its work, and to be asked."""
LOOK_EVERY_S: Final = 0.2


async def lose_nats_store(victims: Victims) -> str:
    """What adapters of others published is as safe as the stream until it is archived; so it is archived first."""
    async with victims.publisher.held():
        await _all_archived(victims)
        await _kill_nats(victims)
        await asyncio.to_thread(shutil.rmtree, victims.nats_store)
        await victims.start_servers()
        await furnish_broker(victims.client, victims.declarations)
        await _note_what_is_gone(victims)
    return "kill -9 of nats-server, and its store deleted"


async def put_back_nats_store(victims: Victims) -> str:
    """A copy from seconds ago, durables included."""
    copy, seconds = _beside(victims.nats_store), victims.seconds(1.0, 3.0)
    server = victims.nats()
    server.terminate()
    await until_gone([server])
    await asyncio.to_thread(_copy, victims.nats_store, copy)
    await victims.start_servers()
    await asyncio.sleep(seconds)
    try:
        async with victims.publisher.held():
            await _all_archived(victims)
            await _kill_nats(victims)
            await asyncio.to_thread(_replace, victims.nats_store, copy)
            await victims.start_servers()
            await _note_what_is_gone(victims)
    finally:
        await asyncio.to_thread(shutil.rmtree, copy, ignore_errors=True)
    return f"kill -9 of nats-server, and its store put back by {seconds:.1f} s"


async def put_back_database(victims: Victims) -> str:
    """Mended as the how-to says: services hold themselves back, somebody reconciles, and they go on by themselves."""
    copy, seconds = _beside(victims.postgres_data), victims.seconds(1.0, 4.0)
    await _stop_postgres(victims, signal.SIGINT)
    await asyncio.to_thread(_copy, victims.postgres_data, copy)
    await victims.start_servers()
    await asyncio.sleep(seconds)
    await _stop_postgres(victims, signal.SIGKILL)
    # Whoever went on would remember what the older database does not know; those that start now wait for it.
    for service in victims.services:
        service.send(signal.SIGKILL)
    await asyncio.to_thread(_replace, victims.postgres_data, copy)
    await victims.start_servers()
    await _forget_planted(victims)
    noticed = await _held_back(victims.services)
    lost = await _reconcile(victims, noticed=noticed)
    if not lost:
        raise Spared("nothing had been said since the copy of the database")
    return f"the database put back by {seconds:.1f} s; {lost} events taken back from the streams"


async def _all_archived(victims: Victims) -> None:
    database = await asyncpg.connect(victims.addresses.postgres_url)
    try:
        async with asyncio.timeout(ARCHIVED_WITHIN_S):
            while await count_archived(database) < await stored_inbound(victims.client) + victims.gone:  # noqa: ASYNC110
                await asyncio.sleep(LOOK_EVERY_S)
    except TimeoutError:
        raise Spared("ingest was behind: the store of NATS was left alone") from None
    finally:
        await database.close()


async def _note_what_is_gone(victims: Victims) -> None:
    await _forget_planted(victims)
    database = await asyncpg.connect(victims.addresses.postgres_url)
    victims.gone = await count_archived(database) - await stored_inbound(victims.client)
    await database.close()


async def _kill_nats(victims: Victims) -> None:
    server = victims.nats()
    server.kill()
    await until_gone([server])


async def _stop_postgres(victims: Victims, how: signal.Signals) -> None:
    server = victims.postgres()
    children = server.children(recursive=True)
    server.send_signal(how)
    await until_gone([server, *children])


async def _forget_planted(victims: Victims) -> None:
    """Nobody's journal has what was planted: a reader that forgot it, or had not read it yet, hears it no more."""
    database = await asyncpg.connect(victims.addresses.postgres_url)
    kept = await read_planted(database, sorted({one.reader for one in victims.planted}))
    await database.close()
    victims.planted[:] = [one for one in victims.planted if (one.reader, one.key) in kept]


async def _held_back(services: Sequence[Kept]) -> bool:
    """Whether some process says of itself that its database is older, within the time."""
    async with httpx.AsyncClient(timeout=5.0, trust_env=False) as client:
        try:
            async with asyncio.timeout(NOTICED_WITHIN_S):
                while not any([await _says_so(client, service) for service in services]):  # noqa: ASYNC110
                    await asyncio.sleep(LOOK_EVERY_S)
        except TimeoutError:
            return False
    return True


async def _says_so(client: httpx.AsyncClient, service: Kept) -> bool:
    try:
        answer = await client.get(service.health_url("ready"))
    except httpx.HTTPError:
        return False
    return answer.status_code == httpx.codes.SERVICE_UNAVAILABLE and "deskstream reconcile" in answer.text


async def _reconcile(victims: Victims, *, noticed: bool) -> int:
    """Returns how many events were taken back; complains of what does not go as it is written."""
    found, applied = await _ask(victims), await _ask(victims, "--apply")
    missing = sum(lane["missing_in_journal"]["number"] for lane in found.said)
    if missing and not noticed:
        victims.complaints.append(("P4", "no service noticed that its database is older than its stream"))
    if missing and found.code != WRONG:
        victims.complaints.append(("P4", f"reconcile found {missing} events lost, and ended with code {found.code}"))
    if applied.code:
        victims.complaints.append(("P4", f"reconcile --apply ended with code {applied.code}: {applied.told}"))
    return sum(lane["journaled_again"] for lane in applied.said)


@dataclass(frozen=True, slots=True)
class _Answer:
    code: int
    told: str

    @property
    def said(self) -> list[dict[str, Any]]:
        return list(json.loads(self.told)["lanes"]) if self.told.startswith("{") else []


async def _ask(victims: Victims, *options: str) -> _Answer:
    told = {
        "DESKSTREAM_NATS_URL": victims.addresses.nats_url,
        "DESKSTREAM_POSTGRES_URL": victims.addresses.postgres_url,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "deskstream.cli", "reconcile", "--json", *options,
        env=environment_of_its_own(told), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    return _Answer(process.returncode or 0, said.decode())


def _beside(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.kept")


def _copy(folder: Path, copy: Path) -> None:
    # The owner must stay: servers of root's run as somebody else.
    subprocess.run(["cp", "-a", str(folder), str(copy)], check=True, capture_output=True)


def _replace(folder: Path, copy: Path) -> None:
    shutil.rmtree(folder)
    copy.rename(folder)
