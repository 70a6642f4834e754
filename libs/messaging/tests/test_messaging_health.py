"""P20: ready means that a write, a publish and the own backlog are fine; what is not is named, and passes."""

import asyncio
from urllib.parse import urlsplit, urlunsplit

import pytest
import pytest_asyncio

from deskstream.runtime.embedded.home import Home
from deskstream.runtime.embedded.nats import EmbeddedNats
from deskstream.testkit.desk import desk
from deskstream.testkit.eventually import eventually
from deskstream.testkit.sample.services import COUNTING, SUMMING, Count


class Line:
    """A TCP line to a server that can be cut, and can go dead without a word."""

    def __init__(self, host, port):
        self._target = (host, port)
        self._ends: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def open(self):
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self):
        """Every connection breaks, and nobody answers new ones."""
        assert self._server is not None
        self._server.close()
        for end in self._ends:
            end.transport.abort()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    def die(self):
        """Connections stay, but nothing comes through."""
        self._flowing.clear()

    def revive(self):
        self._flowing.set()

    async def _connect(self, reader, writer):
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        self._ends |= {writer, far_writer}
        self._start(self._pump(reader, far_writer))
        self._start(self._pump(far_reader, writer))

    def _start(self, work):
        pump = asyncio.create_task(work)
        self._pumps.add(pump)
        pump.add_done_callback(self._pumps.discard)

    async def _pump(self, reader, writer):
        try:
            while received := await reader.read(65536):
                await self._flowing.wait()
                writer.write(received)
                await writer.drain()
        except OSError:
            return
        finally:
            writer.close()


@pytest_asyncio.fixture
async def line(database):
    """The line between the services and PostgreSQL."""
    parts = urlsplit(database)
    found = Line(parts.hostname, parts.port or 5432)
    await found.open()
    yield found
    found.revive()
    await found.cut()


def through(line, database):
    """The database's URL by way of the line."""
    parts = urlsplit(database)
    user = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{line.port}"))


async def problems(services):
    """Health gives up on a check after three seconds; a little later even one that hangs has to have an answer."""
    async with asyncio.timeout(6):
        return await asyncio.gather(*(service.problem() for service in services.values()))


async def are_fine(services):
    return not any(await problems(services))


async def still_work(services, key):
    await eventually(lambda: are_fine(services), within=20)
    answer = await services["summing"].call(Count(counter=key))
    assert answer.ok
    await eventually(lambda: summed(services["summing"].pool, key), within=10)
    assert not any(service.failed.done() for service in services.values())


async def summed(pool, key):
    return await pool.fetchval("SELECT total FROM counters WHERE id = $1", key) == 1


async def have_problem(services, *, naming):
    found = await problems(services)
    assert all(problem and naming in problem for problem in found), found
    return True


async def test_p20_nothing_is_wrong_with_a_service_that_works(database, nats_url):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        assert await problems(services) == [None, None]
        await still_work(services, "a")


@pytest.fixture
def server(tmp_path):
    """A broker of this test's own, stopped whatever happens."""
    found = EmbeddedNats(Home(tmp_path, user=None))
    yield found
    found.stop()


@pytest.mark.slow
async def test_p20_without_a_broker_a_service_says_so_and_recovers_by_itself(database, server):
    async with desk([COUNTING, SUMMING], database, server.start()) as services:
        await asyncio.to_thread(server.stop)
        await eventually(lambda: have_problem(services, naming="broker"), within=10)
        await asyncio.to_thread(server.start)
        await still_work(services, "a")


@pytest.mark.slow
async def test_p20_a_broker_that_hangs_is_noticed(database, server):
    parts = urlsplit(server.start())
    found = Line(parts.hostname, parts.port)
    await found.open()
    try:
        async with desk([COUNTING, SUMMING], database, f"nats://127.0.0.1:{found.port}") as services:
            found.die()
            await eventually(lambda: have_problem(services, naming="broker: no answer"), within=10)
            found.revive()
            await still_work(services, "a")
    finally:
        found.revive()
        await found.cut()


@pytest.mark.slow
async def test_p20_without_a_database_a_service_says_so_and_recovers_by_itself(database, nats_url, line):
    async with desk([COUNTING, SUMMING], through(line, database), nats_url) as services:
        await line.cut()
        await eventually(lambda: have_problem(services, naming="database"), within=10)
        await line.open()
        await still_work(services, "a")


@pytest.mark.slow
async def test_p20_a_database_that_hangs_is_noticed(database, nats_url, line):
    async with desk([COUNTING, SUMMING], through(line, database), nats_url) as services:
        line.die()
        await eventually(lambda: have_problem(services, naming="database: no answer"), within=10)
        line.revive()
        await still_work(services, "a")
