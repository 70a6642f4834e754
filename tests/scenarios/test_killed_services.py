"""P1, P2, P3: every service is killed at every point of its batch; nothing is lost, nothing twice, order is kept."""

import asyncio
import signal
from contextlib import AsyncExitStack

import pytest

from deskstream.contracts.inbound import Identity, InboundMessage, ThreadHints
from deskstream.messaging.failpoints import POINTS
from deskstream.testkit.eventually import eventually
from deskstream.testkit.processes import supervised

THREADS = 8
EACH = 6

pytestmark = pytest.mark.slow

SERVICES = ("ingest", "crm", "conversation", "routing", "sla", "gateway")
ALL = (*SERVICES, "channel_email")


def external_id(thread, number):
    return f"thread{thread}-mail{number}@kill.example"


async def publish_threads(broker):
    """Every thread's mails in order, the threads mixed; each publish acknowledged by the stream."""
    stream = broker.jetstream()
    for number in range(EACH):
        for thread in range(THREADS):
            message = InboundMessage(
                external_id=external_id(thread, number),
                sender=Identity(email=f"person{thread}@kill.example"),
                title=f"Thread {thread}",
                text=f"mail {number}",
                thread=ThreadHints(references=(external_id(thread, number - 1),) if number else ()),
            )
            await stream.publish("inbound.email.support", message.model_dump_json(exclude_defaults=True).encode())
        await asyncio.sleep(0.05)


async def everything_arrived_once_and_in_order(records):
    rows = await records.fetch("SELECT title, messages FROM conversation_titles()")
    assert {row["title"]: row["messages"] for row in rows} == {
        f"Thread {thread}": [f"mail {number}" for number in range(EACH)] for thread in range(THREADS)
    }
    assert await records.fetchval("SELECT count(*) FROM gateway.inbox WHERE stage = 'new'") == THREADS
    assert await one_of_each(records, "routing", "owner_chosen")
    assert await one_of_each(records, "sla", "clock_started")
    for service in ALL:
        assert await records.fetchval(f"SELECT count(*) FROM {service}.waiting") == 0
        assert await records.fetchval(f"SELECT count(*) FROM {service}.unpublished") == 0
    return True


async def one_of_each(records, service, event):
    counts = await records.fetch(
        f"SELECT key, count(*) AS said FROM {service}.journal WHERE type LIKE '%.{event}' GROUP BY key"
    )
    return [row["said"] for row in counts] == [1] * THREADS


TITLES = """
CREATE FUNCTION conversation_titles() RETURNS TABLE (title text, messages text[]) LANGUAGE sql AS $$
    SELECT min(j.body::json -> 'data' -> 'after' ->> 'title'),
        array_agg(j.body::json -> 'data' -> 'message' ->> 'text' ORDER BY j.seq)
    FROM conversation.journal j
    WHERE j.lane = 'events.conversation' AND j.body::json -> 'data' -> 'message' IS NOT NULL
    GROUP BY j.key
$$
"""


@pytest.mark.parametrize("point", POINTS)
async def test_each_service_killed_at_a_point(furnished, records, broker, point):
    # Each in a process of its own, and each dies once, at the same point of its first batch.
    await records.execute(TITLES)
    async with AsyncExitStack() as stack:
        processes = [
            await stack.enter_async_context(
                supervised(
                    "deskstream.runtime", service, failpoint=f"{service}:{point}:1" if service in SERVICES else ""
                )
            )
            for service in ALL
        ]
        await publish_threads(broker)
        await eventually(lambda: everything_arrived_once_and_in_order(records), within=100)
        deaths = {service: process.deaths for service, process in zip(ALL, processes, strict=True)}
        # The gateway publishes nothing, so it is never in the middle of that.
        spared = {"channel_email", *(["gateway"] if point == "during_publish" else [])}
        assert deaths == {service: [] if service in spared else [-signal.SIGKILL] for service in ALL}


async def test_all_services_killed_at_random(furnished, records, broker):
    await records.execute(TITLES)
    async with (
        supervised("deskstream.runtime", "ingest", "crm", "conversation") as first,
        supervised("deskstream.runtime", "routing", "sla", "gateway", "channel_email") as second,
    ):

        async def kill_now_and_then():
            for process in (first, second, first, second):
                await asyncio.sleep(2)
                process.kill()

        await asyncio.gather(publish_threads(broker), kill_now_and_then())
        await eventually(lambda: everything_arrived_once_and_in_order(records), within=60)
        assert len(first.deaths) + len(second.deaths) >= 4
