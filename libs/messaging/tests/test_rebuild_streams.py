"""P4: the whole store of the broker is lost, or put back to an earlier copy; nobody does anything but provision."""

import shutil
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import nats
import pytest
from nats.errors import Error as NatsError

from deskstream.messaging.topology import provision, topology
from deskstream.runtime.embedded.home import Home
from deskstream.runtime.embedded.nats import EmbeddedNats
from deskstream.testkit.desk import desk, prepare
from deskstream.testkit.eventually import eventually
from deskstream.testkit.sample.services import COUNTING, SUMMING, Count

STREAM = "EVENTS_COUNTING"
KEYS = [f"k{n}" for n in range(5)]


@dataclass
class Store:
    """A broker of one's own whose store can be lost."""

    server: EmbeddedNats
    home: Home
    url: str = field(init=False)

    def __post_init__(self):
        self.url = self.server.start()

    @property
    def folder(self):
        return self.home.folder / "nats" / "jetstream"

    def copy(self, kept):
        self.server.stop()
        shutil.copytree(self.folder, kept)
        assert self.server.start() == self.url

    def lose(self, kept=None):
        self.server.stop()
        shutil.rmtree(self.folder)
        if kept:
            shutil.copytree(kept, self.folder)
        assert self.server.start() == self.url

    async def provision(self):
        client = await nats.connect(self.url)
        await provision(client, topology([COUNTING, SUMMING]))
        await client.close()

    @asynccontextmanager
    async def connected(self):
        client = await nats.connect(self.url)
        yield client
        await client.close()

    async def held(self):
        """Numbers of each key as the stream has them, each once."""
        async with self.connected() as client:
            state = (await client.jsm().stream_info(STREAM)).state
            found: dict[str, set[int]] = {}
            for position in range(max(1, state.first_seq), state.last_seq + 1):
                message = await client.jsm().get_msg(STREAM, position)
                found.setdefault(message.subject.rpartition(".")[2], set()).add(int(message.headers["ce-sequence"]))
            return found


@pytest.fixture
def store(tmp_path):
    home = Home(tmp_path, user=None)
    made = Store(EmbeddedNats(home), home)
    yield made
    made.server.stop()


def is_answered(services, asked):
    """Whether somebody answered by now; the connection may be gone just then."""

    async def check():
        try:
            return (await services["counting"].call(asked, idempotency_key="once")).ok
        except (TimeoutError, NatsError):
            return False

    return check


async def count(services, times, keys=KEYS):
    for key in keys:
        assert (await services["counting"].call(Count(counter=key, times=times))).ok


def all_heard(pool, numbers):
    async def check():
        rows = await pool.fetch("SELECT id, total, last FROM counters")
        assert {row["id"]: (row["total"], row["last"]) for row in rows} == {k: (n, n) for k, n in numbers.items()}
        assert await pool.fetchval("SELECT count(*) FROM waiting") == 0
        return True

    return check


def stream_holds(store, numbers):
    async def check():
        assert await store.held() == {key: set(range(1, last + 1)) for key, last in numbers.items()}
        return True

    return check


@pytest.mark.long
async def test_p4_a_store_that_is_lost_is_filled_again_from_the_journals(database, store):
    await prepare([COUNTING, SUMMING], database, store.url)
    async with desk([COUNTING, SUMMING], database, store.url) as services:
        await count(services, 20)
        await eventually(all_heard(services["summing"].pool, dict.fromkeys(KEYS, 20)))
        store.lose()
        await store.provision()
        await eventually(stream_holds(store, dict.fromkeys(KEYS, 20)), within=60)
        await count(services, 1)
        await eventually(all_heard(services["summing"].pool, dict.fromkeys(KEYS, 21)), within=60)


@pytest.mark.long
async def test_p4_what_an_earlier_copy_of_the_store_lacks_is_published_and_reaches_who_had_not_heard_it(
    database, store, tmp_path
):
    await prepare([COUNTING, SUMMING], database, store.url)
    async with desk([COUNTING, SUMMING], database, store.url) as services:
        await count(services, 10)
        await eventually(all_heard(services["summing"].pool, dict.fromkeys(KEYS, 10)))
    store.copy(tmp_path / "kept")
    async with desk([COUNTING], database, store.url) as services:
        await count(services, 10)
        await eventually(lambda: services["counting"].publisher.unacknowledged == 0)
    store.lose(tmp_path / "kept")
    async with desk([COUNTING, SUMMING], database, store.url) as services:
        await eventually(all_heard(services["summing"].pool, dict.fromkeys(KEYS, 20)), within=60)
        await eventually(stream_holds(store, dict.fromkeys(KEYS, 20)), within=60)


@pytest.mark.long
async def test_p1_the_last_messages_that_a_power_cut_took_are_published_again_on_reconnecting(
    database, store, tmp_path
):
    await prepare([COUNTING, SUMMING], database, store.url)
    async with desk([COUNTING, SUMMING], database, store.url) as services:
        await count(services, 10)
        await eventually(all_heard(services["summing"].pool, dict.fromkeys(KEYS, 10)))
        store.copy(tmp_path / "kept")
        await eventually(is_answered(services, Count(counter="after", times=3)), within=60)
        await eventually(stream_holds(store, {**dict.fromkeys(KEYS, 10), "after": 3}), within=60)
        store.lose(tmp_path / "kept")
        await eventually(stream_holds(store, {**dict.fromkeys(KEYS, 10), "after": 3}), within=60)


async def test_p4_a_purged_stream_is_filled_again_although_the_broker_remembers_what_it_dropped(
    database, nats_url, broker
):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        await count(services, 5)
        await eventually(all_heard(services["summing"].pool, dict.fromkeys(KEYS, 5)))
    late = replace(SUMMING, since={"events.counting": "now"})
    await broker.jetstream().purge_stream(STREAM)
    async with desk([COUNTING, late], database, nats_url) as services:
        pool = services["counting"].pool
        assert await eventually(lambda: pool.fetchval("SELECT count(*) FROM unpublished")) == 25
