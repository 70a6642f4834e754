import asyncio
from dataclasses import replace

import asyncpg
import pytest

from deskstream.contracts import Command, Event
from deskstream.messaging import Aggregate, Answer, Declaration, Project, Service
from deskstream.messaging.topology import provision, topology
from deskstream.testkit.desk import desk, prepare
from deskstream.testkit.eventually import eventually
from deskstream.testkit.sample.events import counted, publish
from deskstream.testkit.sample.services import COUNTING, MIGRATIONS, SUMMING, Count, Counted, NoSettings


def totals(pool):
    async def read():
        return {row["id"]: row["total"] for row in await pool.fetch("SELECT id, total FROM counters")}

    return read


def totals_become(pool, expected):
    async def check():
        assert await totals(pool)() == expected
        return True

    return check


async def test_only_one_replica_of_an_exclusive_service_hears_and_the_other_takes_over(database, nats_url):
    alone = replace(SUMMING, exclusive=True)
    async with desk([COUNTING, alone], database, nats_url) as second_outlives:
        async with desk([alone, COUNTING], database, nats_url) as first:
            await first["counting"].call(Count(counter="a", times=50))
            await eventually(totals_become(first["summing"].pool, {"a": 50}))
            heard = {first["summing"].runner.applied, second_outlives["summing"].runner.applied}
            assert heard == {0, 50}
        await second_outlives["counting"].call(Count(counter="a", times=5))
        await eventually(totals_become(second_outlives["summing"].pool, {"a": 55}), within=10)


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        pytest.param(
            "beginning", {"old": 30, "new": 1}, id="from the beginning it gets all, although the stream is gone"
        ),
        pytest.param("now", {"new": 1}, id="from now on it gets only what comes"),
    ],
)
async def test_a_lane_newly_heard_is_taken_up(database, nats_url, broker, since, expected):
    async with desk([COUNTING], database, nats_url) as services:
        await services["counting"].call(Count(counter="old", times=30), idempotency_key="history")
        await eventually(lambda: services["counting"].publisher.unacknowledged == 0)
    await broker.jetstream().purge_stream("EVENTS_COUNTING")
    late = SUMMING if since == "beginning" else replace(SUMMING, since={"events.counting": since})
    async with desk([COUNTING, late], database, nats_url) as services:
        await services["counting"].call(Count(counter="new"))
        await eventually(totals_become(services["summing"].pool, expected))


async def test_a_projection_gets_the_events_of_a_batch_together_and_in_order(database, nats_url, broker):
    batches = []

    async def apply(tx, events):
        batches.append([(heard.key, heard.sequence) for heard in events])

    viewing = Declaration(
        name="viewing",
        settings=NoSettings,
        build=lambda settings: Service(hears=[Project((Counted,), apply)]),
        migrations=MIGRATIONS,
        hears=("events.counting",),
    )
    await prepare([COUNTING, viewing], database, nats_url)
    await publish(broker, [counted(key, n) for n in range(1, 21) for key in ("a", "b")])
    async with desk([COUNTING, viewing], database, nats_url):
        await eventually(lambda: sum(len(batch) for batch in batches) == 40)
    heard = [position for batch in batches for position in batch]
    assert [n for key, n in heard if key == "a"] == list(range(1, 21))
    assert len(batches) < 20


async def test_provisioning_again_changes_nothing_and_mends_what_drifted(nats_url, broker):
    wanted = topology([COUNTING, SUMMING])
    assert {change.how for change in await provision(broker, wanted)} == {"created"}
    assert {change.how for change in await provision(broker, wanted)} == {"unchanged"}
    stream = await broker.jsm().stream_info("EVENTS_COUNTING")
    await broker.jsm().update_stream(stream.config.evolve(max_age=600.0))
    drifted = [change.what for change in await provision(broker, wanted) if change.how == "updated"]
    assert drifted == ["stream EVENTS_COUNTING"]


@pytest.mark.parametrize(
    ("declarations", "complaint"),
    [
        pytest.param([COUNTING, replace(SUMMING, says=("events.counting",))], "one writer", id="a lane has one writer"),
        pytest.param([SUMMING], "nobody says", id="somebody must say what is heard"),
    ],
)
def test_a_topology_that_cannot_work_is_refused(declarations, complaint):
    with pytest.raises(ValueError, match=complaint):
        topology(declarations)


async def test_a_reader_that_was_away_catches_up_without_reading_anything_twice(database, nats_url, broker):
    await prepare([COUNTING, SUMMING], database, nats_url)
    await publish(broker, [counted(f"k{k}", n) for n in range(1, 11) for k in range(20)])
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        await eventually(totals_become(services["summing"].pool, {f"k{k}": 10 for k in range(20)}))
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        await publish(broker, [counted("k0", 11)])
        await eventually(totals_become(services["summing"].pool, {"k0": 11} | {f"k{k}": 10 for k in range(1, 20)}))
        assert services["summing"].runner.applied == 1


class Register(Command, service="registry"):
    who: str
    name: str


class Registered(Event, lane="events.registry", key="who"):
    who: str
    name: str


async def test_two_items_of_a_batch_that_collide_hold_up_nobody_else(database, nats_url):
    async def load(tx, keys):
        return dict.fromkeys(keys, "")

    async def save(tx, names):
        await tx.executemany("INSERT INTO names (name) VALUES ($1)", [(name,) for name in names])

    def decide(state, asked, now):
        return [Registered(at=now, who=asked.who, name=asked.name)]

    registry = Declaration(
        name="registry",
        settings=NoSettings,
        build=lambda settings: Service(
            hears=(),
            answers=[
                Answer(
                    Register,
                    Aggregate("names", load, save, decide, lambda state, event: event.name),
                    key=lambda asked: asked.who,
                )
            ],
        ),
        migrations=MIGRATIONS,
        says=("events.registry",),
    )
    await prepare([registry], database, nats_url)
    owner = await asyncpg.connect(database)
    await owner.execute("CREATE TABLE registry.names (name text UNIQUE)")
    await owner.close()
    async with desk([registry], database, nats_url) as services:
        service = services["registry"]
        asks = [Register(who=f"w{n}", name="same" if n < 2 else f"name{n}") for n in range(20)]
        answers = await asyncio.gather(*(service.call(ask) for ask in asks))
        assert sorted(answer.ok for answer in answers) == [False] + [True] * 19
        assert [answer.error.code for answer in answers if answer.error] == ["internal_error"]
