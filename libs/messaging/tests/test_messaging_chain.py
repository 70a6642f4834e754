import asyncio
import random

import pytest

from deskstream.contracts.journal import ReadHeads, ReadJournal
from deskstream.messaging import commands
from deskstream.testkit.desk import desk
from deskstream.testkit.eventually import eventually
from deskstream.testkit.sample.events import counted, publish
from deskstream.testkit.sample.services import COUNTING, POISON, SUMMING, Count, Wake


def totals_are(pool, expected):
    async def check():
        rows = await pool.fetch("SELECT id, total, last FROM counters ORDER BY id")
        assert {row["id"]: (row["total"], row["last"]) for row in rows} == expected
        return True

    return check


async def added(pool, counter):
    """What summing said about a counter: the numbers in the order of their sequences."""
    rows = await pool.fetch(
        "SELECT seq, body::json -> 'data' ->> 'number' AS number FROM journal "
        "WHERE lane = 'events.summing' AND key = $1 AND type LIKE '%added' ORDER BY seq",
        counter,
    )
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    return [int(row["number"]) for row in rows]


async def test_a_command_is_answered_after_commit_and_heard_once_in_order(database, nats_url):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        pool = services["summing"].pool
        asks = (services["summing"].call(Count(counter=f"c{n % 5}")) for n in range(100))
        assert all(answer.ok for answer in await asyncio.gather(*asks))
        await eventually(totals_are(pool, {f"c{n}": (20, 20) for n in range(5)}))
        assert await added(pool, "c3") == list(range(1, 21))


@pytest.mark.parametrize("seed", range(3))
async def test_p2_p3_any_order_and_any_repeat_has_each_effect_once_and_in_order(database, nats_url, broker, seed):
    chance = random.Random(seed)
    events = [counted(f"k{key}", number) for key in range(4) for number in range(1, 31)]
    events += chance.choices(events, k=60)
    chance.shuffle(events)
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        pool = services["summing"].pool
        await publish(broker, events)
        await eventually(totals_are(pool, {f"k{key}": (30, 30) for key in range(4)}), within=15)
        for key in range(4):
            assert await added(pool, f"k{key}") == list(range(1, 31))
        assert await pool.fetchval("SELECT count(*) FROM waiting") == 0


async def journaled(pool, number, *, owed):
    """As if counting had committed this event of `a`, and died before it was published."""
    subject, body, headers = counted("a", number)
    row = await pool.fetchrow(
        "INSERT INTO journal (message_id, lane, key, seq, subject, type, correlation, causation, at, body) "
        "VALUES ($1, 'events.counting', 'a', $2, $3, $4, $1, $1, now() - interval '10 s', $5) RETURNING id, at",
        headers["ce-id"],
        number,
        subject,
        headers["ce-type"],
        body.decode(),
    )
    await pool.execute(
        "INSERT INTO heads VALUES ('events.counting', 'a', $1) ON CONFLICT (lane, key) DO UPDATE SET seq = $1", number
    )
    if owed:
        await pool.execute("INSERT INTO unpublished VALUES ($1, $2)", *row)


async def test_p3_an_event_that_never_came_is_read_from_its_owner(database, nats_url):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        counting, summing = services["counting"], services["summing"]
        await summing.call(Count(counter="a", times=300))
        await eventually(totals_are(summing.pool, {"a": (300, 300)}))
        await journaled(counting.pool, 301, owed=False)
        await summing.call(Count(counter="a"))
        await eventually(totals_are(summing.pool, {"a": (302, 301)}), within=15)
        assert await added(summing.pool, "a") == [*range(1, 302), 301]


async def test_p1_what_was_committed_but_not_published_is_published_by_the_sweeper(database, nats_url):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        counting, summing = services["counting"], services["summing"]
        for number in (1, 2, 3):
            await journaled(counting.pool, number, owed=True)
        await eventually(totals_are(summing.pool, {"a": (3, 3)}), within=15)
        await eventually(nothing_owed(counting.pool), within=5)


def nothing_owed(pool):
    async def check():
        return await pool.fetchval("SELECT count(*) FROM unpublished") == 0

    return check


async def test_marks_are_written_although_no_further_batch_comes(database, nats_url):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        await services["summing"].call(Count(counter="a", times=5))
        await eventually(nothing_owed(services["counting"].pool), within=3)


async def test_p6_a_poison_message_holds_up_its_own_key_only_and_is_retried_in_order(database, nats_url):
    POISON.add("poison")
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        summing = services["summing"]
        for note in ("", "poison", "", ""):
            await summing.call(Count(counter="sick", note=note))
        await summing.call(Count(counter="well", times=5))
        await eventually(totals_are(summing.pool, {"sick": (1, 1), "well": (5, 5)}))
        await eventually(waiting_states(summing.pool, [(2, "failed"), (3, "behind"), (4, "behind")]))
        [row] = await summing.pool.fetch("SELECT reason, handler, stack, tries FROM waiting WHERE seq = 2")
        assert row["reason"] == "RuntimeError: cannot add poison"
        assert "summing" in row["handler"]
        assert "services.py" in row["stack"]
        POISON.clear()
        await summing.pool.execute("UPDATE waiting SET next_at = now() WHERE state = 'failed'")
        await eventually(totals_are(summing.pool, {"sick": (4, 4), "well": (5, 5)}))
        assert await added(summing.pool, "sick") == [1, 2, 3, 4]
        assert await summing.pool.fetchval("SELECT count(*) FROM waiting") == 0


def waiting_states(pool, expected):
    async def check():
        found = [tuple(row) for row in await pool.fetch("SELECT seq, state FROM waiting ORDER BY seq")]
        assert found == expected
        return True

    return check


@pytest.mark.slow
async def test_p6_a_message_that_always_fails_is_dead_after_eight_tries(database, nats_url):
    POISON.add("poison")
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        summing = services["summing"]
        await summing.call(Count(counter="sick", note="poison"))
        await summing.call(Count(counter="sick"))

        async def dead():
            await summing.pool.execute("UPDATE waiting SET next_at = now() WHERE state = 'failed'")
            return await summing.pool.fetchval("SELECT tries FROM waiting WHERE state = 'dead'") == 8

        await eventually(dead, within=20)
        await waiting_states(summing.pool, [(1, "dead"), (2, "behind")])()


@pytest.mark.parametrize(
    "body",
    [b"", b"not json", b"\xff\xfe\x00", b"[" * 5000, b'{"specversion":"1.0"}', b'{"data":{}}'],
    ids=["empty", "not JSON", "not UTF-8", "nested", "no event", "no envelope"],
)
async def test_an_unreadable_event_is_kept_and_disturbs_nobody(database, nats_url, broker, body):
    subject, _, headers = counted("bad", 1)
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        pool = services["summing"].pool
        await publish(broker, [(subject, body, headers), counted("good", 1)])
        await eventually(totals_are(pool, {"good": (1, 1)}))
        kept = await eventually(first_of(pool, "SELECT state, body, reason FROM waiting"))
        assert (kept["state"], kept["body"]) == ("failed", body)
        assert kept["reason"].startswith("Unreadable")


async def test_an_event_without_headers_or_about_something_else_is_kept_and_disturbs_nobody(database, nats_url, broker):
    subject, body, headers = counted("a", 1)
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        pool = services["summing"].pool
        await publish(broker, [(subject, body, {}), ("events.counting.counted.b", body, headers), counted("c", 1)])
        await eventually(totals_are(pool, {"c": (1, 1)}))
        assert await eventually(first_of(pool, "SELECT count(*) AS kept FROM waiting HAVING count(*) = 2"))


def first_of(pool, query):
    return lambda: pool.fetchrow(query)


async def test_p18_an_event_of_an_unknown_type_is_skipped_and_counts_in_its_order(database, nats_url, broker):
    subject, body, headers = counted("a", 1)
    headers = {**headers, "ce-type": "deskstream.counting.celebrated"}
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        pool = services["summing"].pool
        await publish(broker, [(subject, body, headers), counted("a", 2)])
        await eventually(totals_are(pool, {"a": (1, 2)}))


async def test_a_refusal_is_answered_and_journaled_and_changes_nothing(database, nats_url):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        counting = services["counting"]
        answer = await services["summing"].call(Count(counter="a", note="refuse"))
        assert answer.error is not None
        assert (answer.error.code, answer.error.details) == ("not_today", {"counter": "a"})
        [said] = await counting.pool.fetch("SELECT lane, type, body::json -> 'data' ->> 'code' AS code FROM journal")
        assert tuple(said) == ("events.counting", "deskstream.command_refused", "not_today")
        assert await counting.pool.fetchval("SELECT count(*) FROM counters") == 0


async def test_a_command_that_breaks_its_contract_names_the_field(database, nats_url, broker):
    async with desk([COUNTING, SUMMING], database, nats_url):
        for body in (b"{}", b"", b'{"counter": 7}', b"[1]"):
            answer = await broker.request("commands.counting.count", body, timeout=2)
            assert b'"invalid_command"' in answer.data


async def test_commands_wait_for_their_batch_and_not_for_each_other(database, nats_url):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        asks = (services["summing"].call(Count(counter=f"c{n % 50}")) for n in range(500))
        assert all(answer.ok for answer in await asyncio.gather(*asks))
        assert services["counting"].runner.batches < 200


async def test_every_service_serves_its_journal_in_pages(database, nats_url, broker):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        await services["summing"].call(Count(counter="a", times=7))
        await services["summing"].call(Count(counter="b", times=2))
        after, numbers = 0, []
        while True:
            ask = ReadJournal(lane="events.counting", after=after, limit=3)
            page = (await commands.call(broker, ask, service="counting")).result
            if not page["rows"]:
                break
            numbers += [(row["key"], row["sequence"]) for row in page["rows"]]
            after = page["last"]
        assert numbers == [("a", n) for n in range(1, 8)] + [("b", 1), ("b", 2)]
        heads = await commands.call(broker, ReadHeads(lane="events.counting"), service="counting")
        assert heads.result == {"a": 7, "b": 2}


async def test_p8_a_timer_fires_once_and_on_time_and_a_cancelled_one_never(database, nats_url):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        summing = services["summing"]
        await summing.call(Wake(counter="soon", after_ms=200))
        await summing.call(Wake(counter="never", after_ms=400))
        await summing.call(Wake(counter="never", after_ms=0))
        await summing.call(Wake(counter="later", after_ms=60_000))
        woken = await eventually(first_of(summing.pool, "SELECT key, body FROM journal WHERE type LIKE '%woken'"))
        assert woken["key"] == "soon"
        await summing.call(Wake(counter="after_never", after_ms=400))
        await eventually(
            first_of(summing.pool, "SELECT 1 FROM journal WHERE type LIKE '%woken' AND key = 'after_never'")
        )
        rows = await summing.pool.fetch(
            "SELECT key, (body::json -> 'data' ->> 'late_ms')::float AS late "
            "FROM journal WHERE type LIKE '%woken' ORDER BY id"
        )
        assert [row["key"] for row in rows] == ["soon", "after_never"]
        assert 0 <= rows[0]["late"] < 1000
        assert await summing.pool.fetchval("SELECT key FROM timers") == "later"


async def test_p2_what_is_said_when_the_same_moment_was_set_again_is_no_duplicate(database, nats_url):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        pool = services["summing"].pool
        await services["summing"].call(Wake(counter="a", after_ms=0))
        moment = await pool.fetchval("SELECT clock_timestamp()")
        woken = "SELECT 1 FROM journal WHERE type LIKE '%woken' HAVING count(DISTINCT message_id) = "
        for times in ("1", "2"):
            await pool.execute("UPDATE counters SET wake = $1", moment)
            await pool.execute("INSERT INTO timers (aggregate, key, due_at) VALUES ('sums', 'a', $1)", moment)
            await eventually(first_of(pool, woken + times))


async def test_p8_nobody_is_woken_while_a_backlog_is_heard(database, nats_url, broker):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        await services["summing"].call(Wake(counter="k0", after_ms=600))
    await publish(broker, [counted("k0", n) for n in range(1, 2001)])
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        pool = services["summing"].pool
        await eventually(first_of(pool, "SELECT 1 FROM journal WHERE type LIKE '%woken'"), within=15)
        heard = await pool.fetchval(
            "SELECT count(*) FROM journal WHERE type LIKE '%added' AND id < (SELECT min(id) FROM journal "
            "WHERE type LIKE '%woken')"
        )
        assert heard >= 1000
