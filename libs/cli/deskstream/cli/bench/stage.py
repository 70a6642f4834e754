"""Where one service reads a long lane: servers of its own, services as single processes, and how far it has read."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final

import asyncpg
from nats.aio.client import Client

from deskstream.cli.bench.load import connect
from deskstream.cli.bench.raw import Raw, measure_raw
from deskstream.cli.bench.repeating import Progress
from deskstream.cli.bench.running import told_to_services
from deskstream.cli.bench.servers import servers_of_its_own
from deskstream.cli.bench.usage import memory_mb
from deskstream.cli.environment import environment_of_its_own
from deskstream.contracts.conversation import LANE
from deskstream.contracts.health import HealthRead, ReadHealth
from deskstream.contracts.subjects import stream_of
from deskstream.messaging import commands
from deskstream.messaging.topology import provision, topology
from deskstream.runtime.embedded.servers import Addresses
from deskstream.runtime.migrations import migrate
from deskstream.runtime.schemas import installed_services, schemas

LOOK_EVERY_S: Final = 2.0
TELL_EVERY_S: Final = 10.0
SETTLES_S: Final = 60.0
SETTLED_LOOK_S: Final = 0.1
WITHIN_S: Final = 3600.0

_READ = "SELECT coalesce(sum(seq), 0)::bigint FROM progress WHERE lane = $1"
_KNOWN = "SELECT count(*) FROM lanes_heard WHERE lane = $1 AND whole"


@dataclass
class Stage:
    """The servers, and how to look into them."""

    addresses: Addresses
    servers: dict[str, int]
    client: Client
    database: asyncpg.Connection[asyncpg.Record]
    reader: str
    """Which service reads."""
    raw: Raw
    progress: Progress
    peak_mb: float = 0.0
    look_every_s: float = LOOK_EVERY_S

    async def read(self) -> int:
        """How many events the reader has applied."""
        await self.database.execute(f"SET search_path = {self.reader}")
        return int(await self.database.fetchval(_READ, LANE))

    async def until(self, wanted: int, pid: int) -> float:
        """Returns when so many are applied, with the seconds that took; watches the reader's memory."""
        started = told = time.monotonic()
        while (read := await self.read()) < wanted:
            if time.monotonic() - started > WITHIN_S:
                raise TimeoutError(f"only {read:,} of {wanted:,} events after {WITHIN_S:g} s")
            if time.monotonic() - told > TELL_EVERY_S:
                self.progress(f"{read:,} of {wanted:,} events")
                told = time.monotonic()
            self.peak_mb = max(self.peak_mb, memory_mb(pid))
            await asyncio.sleep(self.look_every_s)
        return time.monotonic() - started

    async def settled(self) -> None:
        """Until the broker has handed out all that the reader hears, and has every acknowledgement of it."""
        deadline = time.monotonic() + SETTLES_S
        while True:
            durable = await self.client.jsm().consumer_info(stream_of(LANE), self.reader)
            if not durable.num_pending and not durable.num_ack_pending:
                return
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"the broker still has {durable.num_pending} messages for {self.reader}, and waits for "
                    f"{durable.num_ack_pending} acknowledgements"
                )
            await asyncio.sleep(SETTLED_LOOK_S)

    async def duplicates(self) -> int:
        """How many events the running process was given that were applied before."""
        answer = await commands.call(self.client, ReadHealth(), service=self.reader, within=30.0)
        return HealthRead.model_validate(answer.result).handled.get(LANE, {}).get("duplicate", 0)

    async def heard_once(self) -> None:
        """Until the reader has taken up the lane as something that it hears from now on."""
        await self.database.execute(f"SET search_path = {self.reader}")
        deadline = time.monotonic() + 60
        while not await self.database.fetchval(_KNOWN, LANE):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.reader} did not begin to hear {LANE}")
            await asyncio.sleep(LOOK_EVERY_S)

    @contextmanager
    def process(self, name: str, more: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
        """A service in a process of its own, told more if need be; stopped afterwards."""
        environment = environment_of_its_own({**told_to_services(self.addresses), **(more or {})})
        command = [sys.executable, "-m", "deskstream.runtime", name]
        # Its log would stand between the figures.
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)


@asynccontextmanager
async def on_stage(reader: str, progress: Progress) -> AsyncIterator[Stage]:
    """Servers with streams and tables, on which nothing runs yet; gone afterwards."""
    with servers_of_its_own() as (addresses, pids):
        progress("measuring what the machine gives")
        raw = await measure_raw(addresses.nats_url, addresses.postgres_url, pids)
        database, client = await asyncpg.connect(addresses.postgres_url), await connect(addresses.nats_url)
        installed = installed_services()
        for schema, sources in schemas(installed.values()).items():
            await migrate(database, schema, sources)
        await provision(client, topology(list(installed.values())))
        yield Stage(addresses, pids, client, database, reader, raw, progress)
        await client.close()
        await database.close()
