from collections.abc import AsyncIterator

import nats
import pytest
import pytest_asyncio
from nats.aio.client import Client

from deskstream.testkit.sample.services import POISON


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
