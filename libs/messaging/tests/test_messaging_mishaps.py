"""What the fault runs found: moments so short that no other test meets them."""

import asyncio
from contextlib import suppress
from uuid import UUID

import asyncpg
import pytest

from deskstream.messaging import waiting
from deskstream.messaging.fates import is_transient
from deskstream.messaging.item import Item, Source
from deskstream.messaging.standby import Standby
from deskstream.testkit.desk import prepare
from deskstream.testkit.eventually import eventually
from deskstream.testkit.sample.services import COUNTING, SUMMING

LANE, KEY = "events.counting", "a"
TRIES = 3

CUT = """
SELECT pg_terminate_backend(pid)
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@pytest.fixture
async def summing(database, nats_url, pool_for):
    await prepare([COUNTING, SUMMING], database, nats_url)
    return await pool_for("summing")


def suspect(sequence):
    subject = f"{LANE}.counted.{KEY}"
    return Item(Source.STREAM, LANE, KEY, sequence, "counted", subject, b"{}", id=UUID(int=sequence + 1))


@pytest.mark.parametrize("sequence", [pytest.param(0, id="not numbered"), pytest.param(2, id="numbered")])
async def test_p6_a_message_that_may_kill_the_process_is_counted_before_it_is_handled(summing, sequence):
    states = [await waiting.start_try(summing, suspect(sequence), TRIES) for _ in range(TRIES + 2)]
    assert states == ["trying"] * TRIES + ["dead", None]


async def test_p2_a_suspect_that_was_applied_already_is_not_tried(summing):
    await summing.execute("INSERT INTO progress (lane, key, seq) VALUES ($1, $2, 2)", LANE, KEY)
    assert await waiting.start_try(summing, suspect(2), TRIES) is None


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        pytest.param(
            asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress"),
            True,
            id="P1: a session that the server is just ending is the world's fault",
        ),
        pytest.param(asyncpg.InternalClientError("no codec"), False, id="another mistake inside asyncpg is not"),
    ],
)
def test_whose_fault_it_is(error, transient):
    assert is_transient(error) is transient


async def test_p11_who_stands_by_on_a_connection_just_cut_still_stops(database, summing):
    async def nothing():
        return None

    standby = Standby(summing, nothing, nothing)
    task = asyncio.create_task(standby.run())
    await eventually(lambda: standby.active)
    admin = await asyncpg.connect(database)
    await admin.execute(CUT)
    await admin.close()
    # Long enough to read the server's last words, and shorter than the pause until the next look.
    await asyncio.sleep(0.1)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)
    assert task.cancelled()
