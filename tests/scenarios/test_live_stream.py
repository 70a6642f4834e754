"""I1: the live stream goes on where it was broken off, without gap or double, while messages flow."""

import asyncio
import json
from contextlib import aclosing

import pytest

from deskstream.contracts.inbound import Identity, InboundMessage
from deskstream.testkit.eventually import eventually

pytestmark = pytest.mark.slow

CONVERSATIONS = 60
EACH = (("conversation", "conversation_opened"), ("routing", "owner_chosen"), ("sla", "clock_started"))


async def events(api, after):
    """(id, what happened) as a browser would see it that was here before and says where."""
    async with api.stream("GET", "/api/events", headers={"Last-Event-ID": str(after)}) as answer:
        place = after
        async for line in answer.aiter_lines():
            name, _, value = line.partition(": ")
            place = int(value) if name == "id" else place
            if name == "data":
                said = json.loads(value)
                yield place, (said["service"], said["event"], said["number"])


async def publish_slowly(broker):
    stream = broker.jetstream()
    for number in range(CONVERSATIONS):
        message = InboundMessage(external_id=f"{number}@live.example", sender=Identity(email=f"{number}@live.example"))
        await stream.publish("inbound.email.support", message.model_dump_json(exclude_defaults=True).encode())
        await asyncio.sleep(0.01)


async def follow(api):
    """A bad line: it breaks after seven events, again and again."""
    seen: list[tuple[int, tuple[str, str, int]]] = []
    while len(seen) < CONVERSATIONS * len(EACH):
        async with aclosing(events(api, seen[-1][0] if seen else 0)) as stream:
            async for event in stream:
                seen.append(event)
                if len(seen) % 7 == 0 or len(seen) == CONVERSATIONS * len(EACH):
                    break
    return seen


async def test_i1_broken_off_again_and_again_it_misses_nothing_and_repeats_nothing(open_desk, broker, records):
    async with open_desk() as desk:
        publishing = asyncio.create_task(publish_slowly(broker))
        seen = await asyncio.wait_for(follow(desk.api), 20)
        await publishing
        places = [place for place, _ in seen]
        assert places == sorted(set(places))
        # A transaction that is tried again leaves the number it had taken unused.
        numbers = {row["number"] for row in await records.fetch("SELECT number FROM conversation.conversations")}
        assert len(numbers) == CONVERSATIONS
        assert {what for _, what in seen} == {(*each, number) for each in EACH for number in numbers}
        assert places == [row["id"] for row in await records.fetch("SELECT id FROM gateway.feed ORDER BY id")]


async def test_i1_what_happened_while_all_services_were_down_is_there_afterwards(open_desk, broker):
    async with open_desk() as desk:
        await broker.jetstream().publish("inbound.email.support", message("before"))
        await desk.when("CONV-1", lambda it: it["clocks"] and it["decisions"], "clock and decision")
        last = (await desk.show("CONV-1"))["as_of"]
    await broker.jetstream().publish("inbound.email.support", message("meanwhile"))
    async with open_desk() as desk:
        await eventually(lambda: has_heard(desk, last), within=10)
        found = []
        async with aclosing(events(desk.api, last)) as stream:
            async for _, (_, event, number) in stream:
                found.append((event, number))
                if len(found) == len(EACH):
                    break
        assert sorted(found) == [("clock_started", 2), ("conversation_opened", 2), ("owner_chosen", 2)]


def message(name):
    written = InboundMessage(external_id=f"{name}@live.example", sender=Identity(email=f"{name}@live.example"))
    return written.model_dump_json(exclude_defaults=True).encode()


async def has_heard(desk, last):
    return (await desk.api.get("/api/conversations")).json()["as_of"] >= last + len(EACH)
