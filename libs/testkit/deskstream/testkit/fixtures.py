"""The pytest fixtures that give a test real servers of its own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import TypeAlias

import pytest
import pytest_asyncio

from deskstream.runtime.embedded.home import Home
from deskstream.runtime.embedded.nats import EmbeddedNats
from deskstream.runtime.migrations import migrate
from deskstream.runtime.pool import Pool, open_pool
from deskstream.runtime.schemas import schemas
from deskstream.testkit.databases import Template, importable_services, make_template, service_entry_points
from deskstream.testkit.identities import forget_everybody, guarded
from deskstream.testkit.lending import Databases, lending
from deskstream.testkit.shared_postgres import shared_postgres
from deskstream.testkit.smtp_sink import SmtpSink
from deskstream.testkit.streams import delete_streams, stream_names

PoolFor: TypeAlias = Callable[[str], Awaitable[Pool]]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL where databases may be made: DESKSTREAM_TEST_POSTGRES_URL or an embedded one."""
    if url := os.environ.get("DESKSTREAM_TEST_POSTGRES_URL"):
        yield url
        return
    with shared_postgres() as url:
        yield url


@pytest.fixture(scope="session")
def database_template(postgres_server: str) -> Template:
    """A database with the schema of every registered service."""
    return asyncio.run(make_template(postgres_server, importable_services()))


@pytest.fixture(scope="session")
def databases(database_template: Template) -> Iterator[Databases]:
    """The databases of this process; tests of other services' schemas put theirs in its place."""
    with lending(database_template) as databases:
        yield databases


@pytest_asyncio.fixture
async def database(databases: Databases) -> AsyncIterator[str]:
    """The URL of a fresh, migrated database that is this test's own."""
    async with databases.lend() as url:
        yield url


@pytest_asyncio.fixture
async def pool_for(database: str) -> AsyncIterator[PoolFor]:
    """`await pool_for("sla")`: a pool on this test's database in that service's schema; closed by itself."""
    async with AsyncExitStack() as stack:

        async def open_and_close(schema: str) -> Pool:
            pool = await open_pool(database, schema)
            stack.push_async_callback(_close, pool)
            await _insist_on_schema(pool, schema)
            return pool

        yield open_and_close


@pytest.fixture(scope="session")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of this worker's broker: DESKSTREAM_TEST_NATS_URL or an embedded one."""
    if url := os.environ.get("DESKSTREAM_TEST_NATS_URL"):
        yield url
        return
    home = Home(tmp_path_factory.mktemp("nats"), user=None)
    with guarded(lambda access: EmbeddedNats(home, access=access), tmp_path_factory.mktemp("credentials")) as url:
        yield url


@pytest.fixture
def nats_url(nats_server: str) -> Iterator[str]:
    """The URL of a broker on which a test may make streams; they are gone afterwards."""
    before = stream_names(nats_server)
    forget_everybody(nats_server)
    yield nats_server
    delete_streams(nats_server, but=before)


@pytest_asyncio.fixture
async def smtp_sink() -> AsyncIterator[SmtpSink]:
    """A mail server that keeps what it gets."""
    async with SmtpSink() as sink:
        yield sink


async def _insist_on_schema(pool: Pool, schema: str) -> None:
    # What kept the schema out of the template is raised where it concerns somebody.
    entry = service_entry_points().get(schema)
    if entry and await pool.fetchval("SELECT to_regnamespace($1)", schema) is None:
        async with pool.acquire() as connection:
            await migrate(connection, schema, schemas([entry.load()])[schema])


async def _close(pool: Pool) -> None:
    try:
        await asyncio.wait_for(pool.close(), timeout=5)
    except TimeoutError:
        pool.terminate()
