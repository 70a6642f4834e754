"""Two ingests at once, and any order of any batches: the same effects."""

import asyncio

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deskstream.contracts.ingest import MessageDuplicate, MessageReceived
from deskstream.testkit.eventually import eventually
from services.ingest.tests.mails import TOKEN, mail


async def somebody_waits(pool):
    return await pool.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param(mail("1", position=1), mail("1", position=1), [], id="the same stored message"),
        pytest.param(mail("1"), mail("1"), [MessageDuplicate], id="the same message, published twice"),
        pytest.param(
            mail("1", thread={"external_id": "t"}),
            mail("2", thread={"external_id": "t"}),
            [MessageReceived],
            id="the same thread of a channel",
        ),
    ],
)
async def test_the_slower_of_two_ingests_fails_and_finds_the_others_work_when_it_tries_again(
    pool, handle, hear, first, second, expected
):
    async with pool.acquire() as tx, tx.transaction():
        await handle(tx, [first])
        slower = asyncio.create_task(hear(second))
        await eventually(lambda: somebody_waits(pool))
    with pytest.raises(asyncpg.UniqueViolationError):
        await slower
    said = await hear(second)
    assert await pool.fetchval("SELECT count(*) FROM threads") == 1
    assert [type(one) for one in said] == expected


async def test_two_ingests_open_the_thread_that_an_agent_began_once(pool, handle, hear):
    async with pool.acquire() as tx, tx.transaction():
        await handle(tx, [mail("1", thread={"tokens": [TOKEN]})])
        slower = asyncio.create_task(hear(mail("2", sender="eve@example.org", thread={"tokens": [TOKEN]})))
        await eventually(lambda: somebody_waits(pool))
    await slower
    assert await pool.fetchval("SELECT count(*) FROM threads") == 1
    assert await pool.fetchval("SELECT count(*) FROM participants") == 2


PUBLISHES = st.tuples(st.sampled_from("abc"), st.sampled_from(["hello", "other"]), st.sampled_from(["", "a", "b"]))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_any_order_any_repeats_and_any_batches_apply_the_same_external_ids(hear, pool, data):
    publishes = data.draw(st.lists(PUBLISHES, min_size=1, max_size=6))
    repeats = data.draw(st.lists(st.sampled_from(range(len(publishes))), max_size=6))
    order = data.draw(st.permutations([*range(len(publishes)), *repeats]))
    await pool.execute("TRUNCATE archive, links, threads, participants, counts")
    said = []
    while order:
        size = data.draw(st.integers(1, len(order)))
        said += await hear(*(_published(publishes, number) for number in order[:size]))
        order = order[size:]
    applied = [one.message.external_id for one in said if isinstance(one, MessageReceived)]
    assert sorted(applied) == sorted({name for name, _, _ in publishes})
    assert len(said) == len(publishes)


def _published(publishes, number):
    name, text, answers = publishes[number]
    return mail(name, text=text, position=number, thread={"references": [answers]} if answers else {})
