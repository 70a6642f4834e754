import asyncio
from contextlib import suppress

import asyncpg
import pytest
import pytest_asyncio

from deskstream.messaging.transaction import batch_transaction
from deskstream.runtime.pool import Pool
from deskstream.testkit.fixtures import PoolFor

BY_KEYS = "SELECT key FROM unnest($1::text[]) AS asked(key) JOIN progress USING (key)"
PLANS = "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement = $1"
BACKEND = "SELECT pg_backend_pid()"
ADD = "INSERT INTO progress (lane, key, seq) VALUES ('events.test', $1, 1)"
KEYS = "SELECT array_agg(key ORDER BY key) FROM progress WHERE lane = 'events.test'"


@pytest_asyncio.fixture
async def pool(pool_for: PoolFor) -> Pool:
    return await pool_for("counting")


async def test_a_batch_plans_a_statement_once_a_connection_and_others_plan_for_their_values(pool):
    for _ in range(3):
        async with batch_transaction(pool) as tx:
            await tx.fetch(BY_KEYS, ["a"])
            (plans,) = await tx.fetch(PLANS, BY_KEYS)
            backend = await tx.fetchval(BACKEND)
    assert list(plans.values()) == [3, 0]

    async with pool.acquire() as connection:
        assert await connection.fetchval(BACKEND) == backend
        assert await connection.fetchval("SHOW plan_cache_mode") == "auto"
        assert await connection.fetchval("SHOW enable_seqscan") == "on"


async def test_a_plan_made_on_an_empty_table_finds_rows_by_their_keys(pool):
    async with batch_transaction(pool) as tx:
        plan = await tx.fetch("EXPLAIN SELECT seq FROM progress WHERE lane = 'events.test' AND key = ANY('{a,b}')")
    assert "Seq Scan" not in "\n".join(line[0] for line in plan)


async def test_what_was_done_is_kept_and_what_failed_leaves_nothing(pool):
    async with batch_transaction(pool) as tx:
        await tx.execute(ADD, "kept")

    async def fail() -> None:
        async with batch_transaction(pool) as tx:
            await tx.execute(ADD, "lost")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with pool.acquire() as connection:
        assert not connection.is_in_transaction()
        assert await connection.fetchval(KEYS) == ["kept"]


async def test_a_statement_that_fails_is_the_error_and_the_connection_serves_on(pool):
    backends = []

    async def fail() -> None:
        async with batch_transaction(pool) as tx:
            backends.append(await tx.fetchval(BACKEND))
            await tx.execute("SELECT 1 / 0")

    with pytest.raises(asyncpg.DivisionByZeroError):
        await fail()
    async with batch_transaction(pool) as tx:
        assert [await tx.fetchval(BACKEND)] == backends


async def test_p1_nothing_is_taken_for_done_after_an_error_that_was_swallowed(pool):
    async def swallow() -> None:
        async with batch_transaction(pool) as tx:
            await tx.execute(ADD, "lost")
            with suppress(asyncpg.DivisionByZeroError):
                await tx.execute("SELECT 1 / 0")

    with pytest.raises(asyncpg.InFailedSQLTransactionError, match="swallowed"):
        await swallow()
    async with batch_transaction(pool) as tx:
        assert await tx.fetchval(KEYS) is None


async def test_a_connection_that_broke_is_given_up_and_the_next_batch_has_another(pool):
    broken = []

    async def fail() -> None:
        async with batch_transaction(pool) as tx:
            broken.append(await tx.fetchval(BACKEND))
            await pool.execute("SELECT pg_terminate_backend($1)", *broken)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with batch_transaction(pool) as tx:
        assert await tx.fetchval(BACKEND) not in broken


async def test_a_cancelled_batch_leaves_no_transaction_open(pool):
    begun = asyncio.Event()

    async def hang() -> None:
        async with batch_transaction(pool) as tx:
            await tx.execute(ADD, "hanging")
            begun.set()
            await tx.execute("SELECT pg_sleep(60)")

    task = asyncio.create_task(hang())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    async with pool.acquire() as connection:
        assert not connection.is_in_transaction()
        assert await connection.fetchval(KEYS) is None
