"""Clocks in PostgreSQL: what was saved is what is loaded, and explained."""

from datetime import timedelta
from uuid import uuid4

import pytest

from deskstream.contracts.ids import ConversationId
from deskstream.contracts.sla import ExplainClocks
from deskstream.sla import store
from deskstream.sla.domain import KEPT_CLOCKS, Clocks
from deskstream.sla.handlers import explain

OPENS = "05-04 09:00 customer opens"


@pytest.fixture
async def tx(pool_for):
    pool = await pool_for("sla")
    async with pool.acquire() as connection, connection.transaction():
        yield connection


@pytest.mark.parametrize(
    "sentences",
    [
        pytest.param([], id="no clock yet"),
        pytest.param([OPENS], id="a running clock"),
        pytest.param([OPENS, "05-04 10:45 customer writes"], id="a warned clock"),
        pytest.param([OPENS, "05-04 12:45 agent answers: a"], id="a breached clock"),
        pytest.param([OPENS, "05-04 09:10 on hold"], id="a clock that left new"),
        pytest.param([OPENS, "05-04 09:10 resolved"], id="a clock without a reply"),
        pytest.param(
            [OPENS, "05-04 09:10 agent answers: a", "05-04 09:11 agent answers: b", "05-04 09:12 undelivered: a"],
            id="a clock that was resumed",
        ),
        pytest.param(
            [OPENS, "05-04 09:10 agent answers: a", "05-04 09:20 customer writes", "05-04 09:30 undelivered: a"],
            id="a clock that was replaced",
        ),
    ],
)
async def test_what_was_saved_is_loaded(sentences, tell, played, rules, tx):
    clocks = played(rules(), tell(*sentences)).clocks
    key = str(clocks.conversation_id)
    await store.save(tx, [clocks])
    assert await store.load(tx, [key]) == {key: clocks}


async def test_every_step_of_a_story_can_be_saved(tell, played, rules, tx):
    told = tell(OPENS, "05-04 09:10 agent answers: a", "05-04 09:20 customer writes", "05-04 12:00 undelivered: a",
        "05-04 13:30 agent answers: b", "05-04 14:00 resolved", "05-05 10:00 customer writes")  # fmt: skip
    clocks = Clocks.none_yet(told[0].conversation_id)
    for event in told:
        clocks = played(rules(), [event], clocks=clocks).clocks
        await store.save(tx, [clocks])
        clocks = (await store.load(tx, [str(clocks.conversation_id)]))[str(clocks.conversation_id)]
    assert clocks == played(rules(), told).clocks


async def test_a_batch_holds_many_conversations(story, played, rules, tx, at):
    def opened(conversation_id):
        told = story(conversation_id=conversation_id)
        told.say(at("05-04 09:00"), "customer opens")
        return played(rules(), told.events, clocks=Clocks.none_yet(conversation_id)).clocks

    ids = [ConversationId(uuid4()) for _ in range(200)]
    many = {str(conversation_id): opened(conversation_id) for conversation_id in ids}
    await store.save(tx, list(many.values()))
    assert await store.load(tx, list(many)) == many


async def test_unchanged_neighbours_get_no_new_row_version(tell, played, rules, tx):
    versions = "SELECT ordinal, ctid::text FROM clocks ORDER BY ordinal"
    told = tell(OPENS, "05-04 09:10 agent answers: a", "05-04 09:20 customer writes", "05-04 09:30 agent answers: b")
    await store.save(tx, [played(rules(), told[:3]).clocks])
    first, second = await tx.fetch(versions)
    await store.save(tx, [played(rules(), told).clocks])
    assert [row == old for row, old in zip(await tx.fetch(versions), (first, second), strict=True)] == [True, False]


async def test_settled_clocks_are_kept_but_no_longer_loaded(story, played, rules, tx, at):
    told = story()
    told.say(at("05-04 09:00"), "customer opens")
    clocks = Clocks.none_yet(told.conversation_id)
    key = str(told.conversation_id)
    for hour in range(KEPT_CLOCKS + 5):
        told.say(at("05-04 09:10") + timedelta(hours=hour), f"agent answers: {hour}")
        told.say(at("05-04 09:20") + timedelta(hours=hour), "customer writes")
        clocks = played(rules(), told.events[-2:] if hour else told.events, clocks=clocks).clocks
        await store.save(tx, [clocks])
        clocks = (await store.load(tx, [key]))[key]
    assert [clock.facts.ordinal for clock in clocks.recent] == list(range(7, KEPT_CLOCKS + 7))
    assert [clock.facts.ordinal for clock in await store.read(tx, told.conversation_id)] == list(
        range(1, KEPT_CLOCKS + 7)
    )


async def test_s8_why_is_this_due_then(tell, played, rules, tx, at):
    clocks = played(rules(60), tell("04-30 16:30 customer opens", "05-04 09:20 agent answers: r")).clocks
    await store.save(tx, [clocks])
    asked = ExplainClocks(conversation_id=clocks.conversation_id)
    (clock,) = (await explain(rules(60), tx, asked))["clocks"]
    (segment,) = clock["segments"]
    assert (clock["state"], clock["business_seconds"], clock["calendar_seconds"]) == ("met", 3000, 5330 * 60)
    assert (segment["began_by"]["event"], segment["began_by"]["sequence"]) == ("conversation_opened", 1)
    assert [window["seconds"] for window in segment["windows"]] == [1800, 1200]
    assert [window["seconds"] for window in clock["target_windows"]] == [1800, 1800]
    assert clock["holidays"] == {"2026-05-01": "Labour Day"}


async def test_s8_a_resumed_clock_shows_what_began_each_segment(tell, played, rules, tx, at):
    told = tell(OPENS, "05-04 09:10 agent answers: a", "05-04 09:40 undelivered: a")
    await store.save(tx, [played(rules(), told).clocks])
    asked = ExplainClocks(conversation_id=told[0].conversation_id, as_of=at("05-04 10:00"))
    (clock,) = (await explain(rules(), tx, asked))["clocks"]
    assert [(part["began_by"]["event"], part["business_seconds"]) for part in clock["segments"]] == [
        ("conversation_opened", 600),
        ("agent_replied", 1800),
        ("delivery_changed", 1200),
    ]


async def test_a_conversation_nobody_knows_has_no_clocks(rules, tx):
    unknown = ExplainClocks(conversation_id=ConversationId(uuid4()))
    assert (await explain(rules(), tx, unknown))["clocks"] == []


async def test_a_moment_far_ahead_is_counted_to_a_year_from_now(tell, played, rules, tx, at):
    clocks = played(rules(), tell(OPENS)).clocks
    await store.save(tx, [clocks])
    far = ExplainClocks(conversation_id=clocks.conversation_id, as_of=at("05-04 09:00").replace(year=9000))
    answer = await explain(rules(), tx, far)
    assert int(answer["as_of"][:4]) < 2100
    assert len(answer["clocks"][0]["segments"][0]["windows"]) == 50
    (segment,) = answer["clocks"][0]["segments"]
    assert sum(window["seconds"] for window in segment["windows"]) == segment["business_seconds"]
