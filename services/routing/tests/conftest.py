import pytest
import pytest_asyncio

from deskstream.messaging.batch import Batch
from deskstream.messaging.failpoints import FailPoints
from deskstream.messaging.wiring import Wiring
from deskstream.routing.app import SERVICE, build
from deskstream.routing.config import Settings
from services.routing.tests.conversations import Conversations, id_of
from services.routing.tests.floors import Desk
from services.routing.tests.replicas import Replicas


@pytest_asyncio.fixture
async def replicas(pool_for):
    service = build(Settings())
    wiring = Wiring(SERVICE.name, tuple(service.hears), tuple(service.answers))
    return Replicas(await pool_for("routing"), Batch(wiring, FailPoints("routing")))


@pytest.fixture
def new_desk():
    return Desk


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def says():
    return Conversations()


@pytest.fixture
def id_named():
    return id_of
