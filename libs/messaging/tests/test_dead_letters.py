import asyncio

import pytest

from deskstream.messaging import dead_letters
from deskstream.messaging.dead_letters import Author, NotDropped, Wanted
from deskstream.testkit.desk import desk, prepare
from deskstream.testkit.eventually import eventually
from deskstream.testkit.sample.services import COUNTING, POISON, SUMMING, Count

ANNA = Author("anna", "the order was cancelled by phone")

ROW = """
INSERT INTO waiting (lane, key, seq, message_id, subject, type, body, state, reason, tries, next_at, since)
VALUES ('events.counting', $1, $2, gen_random_uuid(), 'events.counting.counted.' || $1, 'deskstream.counting.counted',
        'body', $3, $4, 8, clock_timestamp() + $5 * interval '1 second', clock_timestamp())
"""


@pytest.fixture
async def summing(database, nats_url, pool_for):
    await prepare([COUNTING, SUMMING], database, nats_url)
    return await pool_for("summing")


async def waiting_in(pool):
    rows = await pool.fetch("SELECT seq, state FROM waiting ORDER BY key, seq")
    return [(row["seq"], row["state"]) for row in rows]


async def progress_of(pool, key):
    return await pool.fetchval("SELECT seq FROM progress WHERE lane = 'events.counting' AND key = $1", key)


async def one(pool, **wanted):
    async with pool.acquire() as connection:
        (letter,) = await dead_letters.find(connection, Wanted(**wanted))
    return letter


async def drop(pool, letter):
    async with pool.acquire() as connection, connection.transaction():
        await dead_letters.drop(connection, letter, ANNA)


@pytest.mark.parametrize(
    ("wanted", "keys"),
    [
        pytest.param({}, ["a", "a", "b"], id="O4: everything that failed, whether it is tried again or dead"),
        pytest.param({"dead_only": True}, ["a"], id="only what nobody tries any more"),
        pytest.param({"key": "b"}, ["b"], id="of one object"),
        pytest.param({"lane": "events.other"}, [], id="of a lane on which nothing failed"),
        pytest.param({"reason": "NO SUCH"}, ["b"], id="by a part of the reason, whatever its case"),
        pytest.param({"prefix": "not hex"}, [], id="an id that is none finds nothing"),
        pytest.param({"limit": 1}, ["a"], id="the oldest first, and no more than asked for"),
    ],
)
async def test_finding(summing, wanted, keys):
    await summing.execute(ROW, "a", 1, "dead", "RuntimeError: broken", 0)
    await summing.execute(ROW, "a", 2, "trying", "ValueError", 60)
    await summing.execute(ROW, "a", 3, "behind", "", 0)
    await summing.execute(ROW, "b", 1, "failed", "LookupError: no such thing", 60)
    async with summing.acquire() as connection:
        found = await dead_letters.find(connection, Wanted(**wanted))
    assert [letter.key for letter in found] == keys


async def test_an_id_may_be_cut_short_and_have_dashes(summing):
    await summing.execute(ROW, "a", 1, "dead", "", 0)
    letter = await one(summing)
    assert await one(summing, prefix=str(letter.message_id).upper()[:13]) == letter


async def test_counting(summing):
    for row in (("a", 1, "dead"), ("a", 2, "behind"), ("b", 1, "failed"), ("c", 2, "gap"), ("raw", 0, "dead")):
        await summing.execute(ROW, *row, "", 60)
    async with summing.acquire() as connection:
        counts = await dead_letters.count(connection)
    assert (counts.dead, counts.failing, counts.waiting, counts.blocked_keys) == (2, 1, 2, 2)
    assert counts.oldest_gap is not None


async def test_p6_a_dead_letter_is_retried_in_order_after_a_fix(database, nats_url):
    POISON.add("poison")
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        pool = services["summing"].pool
        for note in ("poison", "", ""):
            await services["summing"].call(Count(counter="sick", note=note))
        await eventually(lambda: waits(pool, [(1, "failed"), (2, "behind"), (3, "behind")]))
        await pool.execute("UPDATE waiting SET state = 'dead', tries = 8 WHERE state = 'failed'")
        letter = await one(pool, dead_only=True)
        assert (letter.behind, letter.reason) == (2, "RuntimeError: cannot add poison")
        POISON.clear()
        async with pool.acquire() as connection:
            assert await dead_letters.retry(connection, [letter]) == {letter.message_id}
        await eventually(lambda: waits(pool, []))
        assert await progress_of(pool, "sick") == 3


async def test_o4_a_dropped_one_is_passed_with_author_and_reason_and_the_rest_of_its_key_goes_on(database, nats_url):
    POISON.add("poison")
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        pool = services["summing"].pool
        for note in ("", "poison", "", ""):
            await services["summing"].call(Count(counter="sick", note=note))
        await eventually(lambda: waits(pool, [(2, "failed"), (3, "behind"), (4, "behind")]))
        await drop(pool, await one(pool))
        await eventually(lambda: waits(pool, []))
        assert await progress_of(pool, "sick") == 4
        numbers = await pool.fetch("SELECT body::json -> 'data' ->> 'number' AS n FROM journal WHERE key = 'sick'")
        assert sorted(row["n"] for row in numbers) == ["1", "3", "4"]
        (row,) = await pool.fetch("SELECT key, seq, author, reason, body FROM dropped")
        assert (row["key"], row["seq"], row["author"], row["reason"]) == ("sick", 2, "anna", ANNA.reason)
        assert b"poison" in row["body"]


def waits(pool, expected):
    async def check():
        return await waiting_in(pool) == expected

    return check()


async def test_what_is_tried_just_now_is_neither_retried_nor_dropped(summing):
    await summing.execute(ROW, "a", 1, "trying", "", 60)
    letter = await one(summing)
    async with summing.acquire() as connection:
        assert await dead_letters.retry(connection, [letter]) == set()
    with pytest.raises(NotDropped, match="handled just now"):
        await drop(summing, letter)
    assert await waiting_in(summing) == [(1, "trying")]
    assert await progress_of(summing, "a") is None


async def test_what_a_dead_process_was_trying_can_be_dropped(summing):
    await summing.execute(ROW, "a", 1, "trying", "", -1)
    await drop(summing, await one(summing))
    assert await progress_of(summing, "a") == 1


async def test_an_earlier_one_has_to_go_first(summing):
    await summing.execute(ROW, "a", 3, "dead", "", 0)
    with pytest.raises(NotDropped, match=r"Number 1 of events\.counting a"):
        await drop(summing, await one(summing))
    assert await waiting_in(summing) == [(3, "dead")]


async def test_a_leftover_of_what_was_passed_long_ago_is_taken_away(summing):
    await summing.execute("INSERT INTO progress (lane, key, seq) VALUES ('events.counting', 'a', 5)")
    await summing.execute(ROW, "a", 3, "dead", "", 0)
    await drop(summing, await one(summing))
    assert await progress_of(summing, "a") == 5
    assert await waiting_in(summing) == []


async def test_what_is_not_numbered_moves_no_progress(summing):
    await summing.execute(ROW, "raw-1", 0, "dead", "", 0)
    await drop(summing, await one(summing))
    assert await progress_of(summing, "raw-1") is None
    assert await summing.fetchval("SELECT count(*) FROM dropped") == 1


async def test_two_people_who_drop_the_same_one_drop_it_once(summing):
    await summing.execute(ROW, "a", 1, "dead", "", 0)
    letter = await one(summing)
    done = await asyncio.gather(drop(summing, letter), drop(summing, letter), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in done) == ["NoneType", "NotDropped"]
    assert await progress_of(summing, "a") == 1
    assert await summing.fetchval("SELECT count(*) FROM dropped") == 1
