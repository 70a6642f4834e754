import pytest_asyncio

from deskstream.testkit.desk import desk
from deskstream.ticketing.app import SERVICE
from services.ticketing.tests.running import OTHERS, Around


@pytest_asyncio.fixture
async def around(database, nats_url):
    async with desk([SERVICE, OTHERS], database, nats_url) as services:
        yield Around(services["ticketing"])
