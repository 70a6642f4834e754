"""What /metrics tells, asked over HTTP as Prometheus asks; held against what really happened."""

import asyncio
import urllib.request
from dataclasses import dataclass

import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from deskstream.messaging.connection import client_of
from deskstream.messaging.service import RunningService
from deskstream.runtime.embedded.processes import free_port
from deskstream.runtime.health import Health
from deskstream.runtime.launch import observed
from deskstream.runtime.metrics import Metrics
from deskstream.runtime.settings import RuntimeSettings
from deskstream.testkit.desk import desk
from deskstream.testkit.eventually import eventually
from deskstream.testkit.sample.services import COUNTING, POISON, SUMMING, Count, Wake

LANE = "events.counting"


@pytest.fixture(autouse=True)
def _no_poison():
    POISON.clear()
    yield
    POISON.clear()


class Scraped:
    """One answer of /metrics."""

    def __init__(self, text):
        self.families = {family.name: family for family in text_string_to_metric_families(text)}

    def of(self, name, **labels):
        """The one value of these labels; None when there is none."""
        found = [
            sample.value
            for family in self.families.values()
            for sample in family.samples
            if sample.name == name and sample.labels == labels
        ]
        assert len(found) <= 1
        return found[0] if found else None

    def sum(self, name, **labels):
        return sum(
            sample.value
            for family in self.families.values()
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )


@dataclass
class Scrape:
    """Services, and their /metrics asked anew each time."""

    services: dict[str, RunningService]
    metrics: Metrics
    port: int

    async def __call__(self):
        # What was made for the one who asked before is a second old at most.
        self.metrics._page = None
        return Scraped(await asyncio.to_thread(read, self.port))


@pytest_asyncio.fixture
async def scrape(database, nats_url):
    """Both sample services with /metrics before them: `await scrape()`; `scrape.services`."""
    health = Health("sample")
    metrics = Metrics(health)
    health.add_page("/metrics", metrics.page)
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        for name, service in services.items():
            health.add(name, service.problem)
        metrics.services |= services
        yield Scrape(services, metrics, await health.serve("127.0.0.1", 0))
        await health.stop()


def read(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain")
        return answer.read().decode()


async def drained(services):
    async def look():
        lags = await services["summing"].look()
        return lags.lags == {LANE: 0}

    await eventually(look, within=10)


async def test_p7_what_was_received_is_what_became_of_it(scrape):
    services = scrape.services
    POISON.add("poison")
    await services["counting"].call(Count(counter="a", times=30))
    for note in ("poison", "", ""):
        await services["counting"].call(Count(counter="sick", note=note))
    await services["counting"].call(Count(counter="b", note="refuse"))
    await eventually(lambda: services["summing"].pool.fetchval("SELECT count(*) = 3 FROM waiting"))
    await drained(services)
    told = await scrape()
    fates = {
        fate: told.of("deskstream_handled_total", service="summing", lane=LANE, fate=fate) or 0
        for fate in ("applied", "skipped", "refused", "duplicate")
    }
    waiting = told.sum("deskstream_waiting", service="summing")
    assert fates["applied"] == 30
    assert waiting == 3
    assert told.of("deskstream_received_total", service="summing", lane=LANE) == sum(fates.values()) + waiting
    assert told.of("deskstream_waiting", service="summing", state="failing") == 1
    assert told.of("deskstream_blocked_keys", service="summing") == 1


async def test_o5_commands_and_batches_are_counted_by_service(scrape):
    services = scrape.services
    await services["counting"].call(Count(counter="a", times=5))
    await services["counting"].call(Count(counter="a", note="refuse"))
    await drained(services)
    told = await scrape()
    assert told.of("deskstream_commands_total", service="counting", command="count", answer="ok") == 1
    assert told.of("deskstream_commands_total", service="counting", command="count", answer="refused") == 1
    assert told.of("deskstream_command_seconds_count", service="counting") == 2
    assert told.of("deskstream_batch_size_sum", service="summing") >= 5
    assert told.of("deskstream_batch_size_bucket", service="summing", le="+Inf") == told.of(
        "deskstream_batch_seconds_count", service="summing"
    )
    assert told.of("deskstream_published_total", service="counting") == 6
    assert told.of("deskstream_ready", service="summing") == 1
    assert told.of("deskstream_event_age_seconds_count", service="summing") >= 1


async def test_p14_what_the_broker_denied_is_seen_before_and_after_the_first_time(scrape):
    assert (await scrape()).of("deskstream_denied_total", service="summing") == 0
    await client_of(scrape.services["summing"].broker).publish("$JS.API.STREAM.DELETE.EVENTS_COUNTING", b"")
    await eventually(lambda: scrape.services["summing"].figures.denied)
    told = await scrape()
    assert told.of("deskstream_denied_total", service="summing") == 1
    assert told.of("deskstream_denied_total", service="counting") == 0


async def test_o5_what_falls_behind_is_seen(scrape):
    services = scrape.services
    pool = services["summing"].pool
    async with pool.acquire() as other, other.transaction():
        # Whoever wants to wake or add waits for this one.
        await other.execute("LOCK TABLE counters IN ACCESS EXCLUSIVE MODE")
        await pool.execute("INSERT INTO unpublished VALUES (1, now() - interval '1 hour')")
        await pool.execute("INSERT INTO timers VALUES ('sums', 'x', now() - interval '1 minute')")
        told = await scrape()
    assert 3600 <= told.of("deskstream_unpublished_oldest_seconds", service="summing") < 3700
    assert told.of("deskstream_unpublished", service="summing") == 1
    assert told.of("deskstream_timers_due", service="summing") == 1
    assert 60 <= told.of("deskstream_timers_late_seconds", service="summing") < 100
    assert told.of("deskstream_ready", service="summing") == 0


async def test_o5_a_database_that_hangs_leaves_the_counters_and_says_so(scrape):
    services = scrape.services
    await services["counting"].call(Count(counter="a", times=5))
    await drained(services)
    async with services["summing"].pool.acquire() as other, other.transaction():
        await other.execute("LOCK TABLE timers IN ACCESS EXCLUSIVE MODE")
        told = await scrape()
    assert told.of("deskstream_handled_total", service="summing", lane=LANE, fate="applied") == 5
    assert told.of("deskstream_unseen", service="summing", what="backlog") == 1
    assert told.of("deskstream_unseen", service="counting", what="backlog") == 0
    assert told.of("deskstream_unpublished", service="summing") is None
    assert told.of("deskstream_unpublished", service="counting") is not None


async def test_however_many_ask_the_servers_are_looked_at_once_a_second(database, nats_url):
    health = Health("none")
    metrics = Metrics(health)
    health.add_page("/metrics", metrics.page)
    port = await health.serve("127.0.0.1", 0)
    pages = await asyncio.gather(*(asyncio.to_thread(read, port) for _ in range(5)))
    assert len(set(pages)) == 1
    assert "deskstream_loop_stalled_seconds" in pages[0]
    await health.stop()


async def test_services_that_run_already_are_observed_on_a_port_of_ones_choice(database, nats_url):
    settings = RuntimeSettings(health_host="127.0.0.1", health_port=free_port())
    async with desk([COUNTING], database, nats_url) as services, observed(services, settings):
        told = Scraped(await asyncio.to_thread(read, settings.health_port))
    assert told.of("deskstream_ready", service="counting") == 1


async def test_timers_that_fired_are_counted(scrape):
    services = scrape.services
    await services["summing"].call(Wake(counter="a", after_ms=10))

    async def fired():
        return (await scrape()).of("deskstream_handled_total", service="summing", lane="timers", fate="applied") == 1

    await eventually(fired, within=5)
