import asyncio
from collections.abc import AsyncIterator, Iterator

import nats
import pytest
import pytest_asyncio
from nats.aio.client import Client

from deskstream.testkit.databases import make_template
from deskstream.testkit.lending import Databases, lending
from deskstream.testkit.sample.services import COUNTING, POISON, SUMMING


@pytest.fixture(scope="session")
def databases(postgres_server: str) -> Iterator[Databases]:
    """With the schemas of the sample; most tests here would make them otherwise."""
    with lending(asyncio.run(make_template(postgres_server, [COUNTING, SUMMING]))) as databases:
        yield databases


@pytest_asyncio.fixture
async def broker(nats_url: str) -> AsyncIterator[Client]:
    client = await nats.connect(nats_url)
    yield client
    await client.close()


@pytest.fixture(autouse=True)
def _no_poison():
    POISON.clear()
    yield
    POISON.clear()
