"""P7: every delivery is counted once by its fate, whatever comes twice, early, broken or on strange lanes."""

import asyncio
import json
import logging

import pytest
import structlog

from deskstream.messaging.figures import LANES, OTHER, Figures, Histogram
from deskstream.messaging.item import Fate, Item, Source
from deskstream.testkit.desk import desk, prepare
from deskstream.testkit.eventually import eventually
from deskstream.testkit.sample.events import counted, publish
from deskstream.testkit.sample.services import COUNTING, POISON, SUMMING, Count

LANE = "events.counting"
SAMPLE = [COUNTING, SUMMING]


def fates(services, lane=LANE):
    return {str(fate): count for (of, fate), count in services["summing"].figures.handled.items() if of == lane}


async def waits(services):
    return await services["summing"].pool.fetchval("SELECT count(*) FROM waiting")


async def add_up(services):
    """Once nothing moves any more: what was received met its end, or waits."""
    ends = sum(count for fate, count in fates(services).items() if fate not in {"waiting", "failed", "dead"})
    figures = services["summing"].figures
    return figures.received[LANE] == ends + await waits(services)


@pytest.mark.parametrize(
    ("numbers", "ends"),
    [
        pytest.param([1, 2, 3], {"applied": 3}, id="in order"),
        pytest.param([3, 2, 1], {"applied": 3}, id="in the wrong order"),
        pytest.param([1, 1, 2, 2], {"applied": 2, "duplicate": 2}, id="each twice"),
        pytest.param([3, 3, 2, 2, 1, 1], {"applied": 3, "duplicate": 3}, id="each twice, in the wrong order"),
    ],
)
async def test_p7_what_is_delivered_is_counted_by_what_became_of_it(database, nats_url, broker, numbers, ends):
    await prepare(SAMPLE, database, nats_url)
    await publish(broker, [counted("a", number) for number in numbers])
    async with desk(SAMPLE, database, nats_url) as services:
        await eventually(lambda: services["summing"].figures.received[LANE] == len(numbers))
        await eventually(lambda: {name: n for name, n in fates(services).items() if name in ends} == ends)
        assert await add_up(services)


async def test_p7_a_failing_message_and_its_copy_are_one_that_waits(database, nats_url, broker):
    POISON.add("poison")
    await prepare(SAMPLE, database, nats_url)
    await publish(broker, [counted("a", number, "poison" if number == 1 else "") for number in (1, 1, 2)])
    async with desk(SAMPLE, database, nats_url) as services:
        await eventually(lambda: services["summing"].figures.received[LANE] == 3)
        assert await waits(services) == 2
        assert fates(services) == {"failed": 1, "duplicate": 1, "waiting": 1}
        assert await services["summing"].pool.fetchval("SELECT state FROM waiting WHERE seq = 1") == "failed"
        POISON.clear()
        await services["summing"].pool.execute("UPDATE waiting SET next_at = now()")
        await eventually(lambda: fates(services).get("applied") == 2)
        assert await add_up(services)


async def test_p7_what_comes_again_while_it_waits_is_a_double(database, nats_url, broker):
    POISON.add("poison")
    await prepare(SAMPLE, database, nats_url)
    events = [counted("a", 1, "poison"), counted("a", 2)]
    async with desk(SAMPLE, database, nats_url) as services:
        await publish(broker, events)
        await eventually(lambda: services["summing"].figures.received[LANE] == 2)
        await publish(broker, events)
        await eventually(lambda: services["summing"].figures.received[LANE] == 4)
        assert fates(services) == {"failed": 1, "waiting": 1, "duplicate": 2}
        assert await add_up(services)
    POISON.clear()


async def test_p7_commands_that_are_refused_are_counted_so(database, nats_url):
    async with desk(SAMPLE, database, nats_url) as services:
        await services["summing"].call(Count(counter="a", note="refuse"))
        await services["summing"].call(Count(counter="a"))
        asked = services["counting"].figures.handled
        assert (asked["commands", Fate.REFUSED], asked["commands", Fate.APPLIED]) == (1, 1)


async def test_what_nobody_handles_is_skipped(database, nats_url):
    async with desk(SAMPLE, database, nats_url) as services:
        await services["summing"].call(Count(counter="a", note="refuse"))
        await eventually(lambda: fates(services) == {"skipped": 1})


def item(lane):
    return Item(Source.STREAM, lane, "k", 0, "raw", f"{lane}.k", b"", fate=Fate.APPLIED)


def test_strangers_lanes_share_one_name_when_there_are_too_many():
    figures = Figures()
    figures.count(item(f"inbound.{n}") for n in range(LANES + 20))
    assert len(figures.received) == LANES + 1
    assert figures.received[OTHER] == 20


@pytest.mark.parametrize(
    ("value", "place"),
    [
        pytest.param(1, 0, id="on the first bound"),
        pytest.param(1.5, 1, id="between two"),
        pytest.param(99, 2, id="beyond the last"),
    ],
)
def test_a_histogram_counts_a_value_in_its_place(value, place):
    histogram = Histogram((1, 2))
    histogram.observe(value)
    assert histogram.counts[place] == 1
    assert sum(histogram.counts) == 1
    assert histogram.sum == value


@pytest.fixture
def lines(request):
    """The lines that services write at the level asked for."""
    written: list[dict[str, object]] = []

    def keep(logger, method, fields):
        written.append(fields | {"level": method})
        raise structlog.DropEvent

    structlog.configure(processors=[keep])
    logger = logging.getLogger("deskstream")
    before = logger.level
    logger.setLevel(request.param)
    yield written
    logger.setLevel(before)
    structlog.reset_defaults()


@pytest.mark.parametrize("lines", [logging.DEBUG], indirect=True)
async def test_each_delivery_has_one_line_that_says_all(lines, database, nats_url):
    async with desk(SAMPLE, database, nats_url) as services:
        await services["counting"].call(Count(counter="a", times=3))
        await eventually(lambda: fates(services) == {"applied": 3})
        await asyncio.sleep(0)
    handled = [line for line in lines if line["event"] == "handled" and line["service"] == "summing"]
    assert [line["sequence"] for line in handled] == [1, 2, 3]
    first = handled[0]
    assert (first["message"], first["outcome"], first["key"]) == ("deskstream.counting.counted", "applied", "a")
    assert first["lane"] == LANE
    assert float(str(first["ms"])) > 0
    assert len(str(first["correlation"])) == 36
    assert "body" not in json.dumps(handled)


@pytest.mark.parametrize("lines", [logging.INFO], indirect=True)
async def test_at_info_only_what_business_refused_has_a_line(lines, database, nats_url):
    async with desk(SAMPLE, database, nats_url) as services:
        await services["counting"].call(Count(counter="a", times=3))
        await services["counting"].call(Count(counter="b", note="refuse"))
        await eventually(lambda: fates(services) == {"applied": 3, "skipped": 1})
    assert [line["outcome"] for line in lines if line["event"] == "handled"] == ["refused"]
