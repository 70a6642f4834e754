"""A migrated database, and what the runner does with a batch: resolve, load, fold, save, in one transaction."""

import asyncpg
import pytest
import pytest_asyncio

from deskstream import blobs
from deskstream.ingest.app import SERVICE
from deskstream.ingest.handlers import hears
from deskstream.runtime.migrations import migrate
from deskstream.runtime.pool import open_pool

SECRET = "a secret of the desk, long enough"


@pytest_asyncio.fixture
async def pool(database):
    connection = await asyncpg.connect(database)
    await migrate(connection, blobs.SCHEMA, [blobs.MIGRATIONS])
    await migrate(connection, SERVICE.name, [SERVICE.migrations])
    await connection.close()
    opened = await open_pool(database, SERVICE.name)
    yield opened
    await opened.close()


@pytest.fixture
def handle():
    """`await handle(tx, batch)`: what ingest says of a batch, in order, in somebody's transaction."""
    [on] = hears(secret=SECRET)

    async def run(tx, batch):
        now = batch[0].at
        assert on.resolve is not None
        messages = await on.resolve(tx, batch, now)
        keys = [str(on.key(message)) for message in messages]
        states = await on.aggregate.load(tx, keys)
        said = []
        for key, message in zip(keys, messages, strict=True):
            for event in on.aggregate.decide(states[key], message, now):
                said.append(event)
                states[key] = on.aggregate.evolve(states[key], event)
        await on.aggregate.save(tx, list(states.values()))
        return said

    return run


@pytest.fixture
def hear(pool, handle):
    """`await hear(heard, …)`: the same in a transaction of its own."""

    async def run(*batch):
        async with pool.acquire() as tx, tx.transaction():
            return await handle(tx, batch)

    return run
