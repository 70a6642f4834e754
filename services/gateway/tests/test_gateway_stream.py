"""GET /api/events on the real server: resumed without a gap, filtered, alive, and ended in good order."""

import asyncio
import time
from contextlib import aclosing

import pytest

from deskstream.contracts import Answered
from deskstream.contracts.conversation import CustomerReplied
from deskstream.gateway.config import Settings
from deskstream.gateway.server import http
from deskstream.gateway.store.feed import WINDOW
from services.gateway.tests.streams import events, next_event, some


async def test_it_begins_where_one_says_and_goes_on_with_what_comes(serving, hear, story):
    one = story(1)
    await hear(one.opened(), one.owned())
    async with serving() as client:
        reading = asyncio.create_task(some(client, 3, after=1))
        await asyncio.sleep(0)
        await hear(one.started(), one.say(CustomerReplied, message=one.message()))
        found = await asyncio.wait_for(reading, 5)
    assert [(data["service"], data["event"]) for _, data in found] == [
        ("routing", "owner_chosen"),
        ("sla", "clock_started"),
        ("conversation", "customer_replied"),
    ]
    assert found[2][1]["body"] == {"version": 2, "stage_before": "new", "stage": "new"}
    assert [place for place, _ in found] == [data["id"] for _, data in found] == [2, 3, 4]


async def test_without_a_place_it_begins_now(serving, hear, story):
    one = story(1)
    await hear(one.opened())
    async with serving() as client, aclosing(events(client)) as stream:
        assert await anext(stream) == (1, None, None)
        await hear(one.owned())
        assert await next_event(stream) == (2, "owner_chosen")


@pytest.mark.slow
async def test_broken_off_again_and_again_nothing_is_missed_or_seen_twice(serving, hear, story):
    stories = [story(n) for n in range(200)]

    async def tell():
        for one in stories:
            await hear(one.opened(), one.owned(), one.started())

    async with serving(heartbeat=0.05) as client:
        telling = asyncio.create_task(tell())
        found: list[int] = []
        last = "0"
        while len(found) < 600:
            async with aclosing(events(client, headers={"Last-Event-ID": last})) as stream:
                # A few at a time, then the line is dead.
                async for place, _, data in stream:
                    last = str(place)
                    found += [place] if data else []
                    if data and (len(found) % 23 == 0 or len(found) == 600):
                        break
        await telling
    assert found == list(range(1, 601))


async def test_a_long_way_behind_is_caught_up_in_windows(serving, hear, story, pool):
    for start in range(0, 3 * WINDOW, 500):
        await hear(*(story(n).opened() for n in range(start, start + 500)))
    async with serving() as client:
        found = await some(client, 3 * WINDOW, after=0)
    assert [place for place, _ in found] == list(range(1, 3 * WINDOW + 1))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param({"service": "routing"}, [2, 5], id="one service"),
        pytest.param({"service": ["routing", "sla"]}, [2, 3, 5], id="two services"),
        pytest.param({"event": "conversation_opened"}, [1, 4], id="an event"),
        pytest.param({"event": "conversation_opened", "service": "sla"}, [], id="what cannot be"),
    ],
)
@pytest.mark.parametrize("live", [False, True], ids=["from history", "live"])
async def test_filters(serving, hear, story, query, expected, live):
    one, two, end = story(1), story(2), story(3)
    told = [one.opened(), one.owned(), one.started(), two.opened(), two.owned()]
    # An end that every filter lets through.
    last = [end.opened(), end.owned(), end.started()]
    async with serving(heartbeat=0.05) as client:
        if not live:
            await hear(*told, *last)
        async with aclosing(events(client, after=0, **query)) as stream:
            if live:
                await anext(stream)
                await hear(*told, *last)
            found = []
            async for place, _, data in stream:
                found += [place] if data and data["number"] != 3 else []
                if place == 8:
                    break
    assert found == expected


async def test_one_conversation_alone(serving, hear, story):
    one, two = story(1), story(2)
    await hear(one.opened(), two.opened(), one.owned(), two.owned())
    async with serving() as client:
        found = await some(client, 2, after=0, key=str(two.id))
    assert [place for place, _ in found] == [2, 4]


async def test_silence_moves_the_place_to_resume_from(serving, hear, story):
    one = story(1)
    async with serving(heartbeat=0.05) as client, aclosing(events(client, after=0, service="sla")) as stream:
        assert await anext(stream) == (0, None, None)
        await hear(one.opened(), one.owned())
        places = {0}
        async for place, _, data in stream:
            assert data is None
            places.add(place)
            if place == 2:
                break
    assert places <= {0, 1, 2}


async def test_a_place_that_never_was_begins_anew(serving, hear, story):
    one = story(1)
    await hear(one.opened())
    async with serving() as client, aclosing(events(client, after=10**9)) as stream:
        assert await anext(stream) == (1, "reset", {"as_of": 1})
        await hear(one.owned())
        assert await next_event(stream) == (2, "owner_chosen")


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        pytest.param("after=-1", {}, id="before the beginning"),
        pytest.param("after=x", {}, id="no number"),
        pytest.param("after=9223372036854775808", {}, id="over 64 bits"),
        pytest.param("service=crm", {}, id="a service that is not heard"),
        pytest.param("event=exploded", {}, id="an event that is none"),
        pytest.param("key=CONV-1", {}, id="a key that is no id"),
        pytest.param("colour=red", {}, id="an unknown filter"),
        pytest.param("", {"Last-Event-ID": "-1"}, id="no id"),
        pytest.param("", {"Last-Event-ID": "9" * 19}, id="an id too long"),
    ],
)
async def test_a_wrong_question_is_400(door, query, headers):
    assert (await door.get(f"/api/events?{query}", headers=headers)).status_code == 400


async def test_stopping_ends_the_streams_and_lets_a_request_under_way_finish(serving, service, hear, story):
    await hear(story(1).opened())
    listens, asked, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(command, *, idempotency_key=None, actor=None):
        asked.set()
        # Streams end first: by then the server is stopping.
        await ended.wait()
        return Answered(ok=True)

    async def listen(client):
        async with aclosing(events(client)) as stream:
            async for _ in stream:
                listens.set()
        ended.set()

    service.call = slow
    async with serving(stop_within=10) as client:
        listening = asyncio.create_task(listen(client))
        posting = asyncio.create_task(client.post("/api/next-up"))
        await asyncio.wait_for(asyncio.gather(listens.wait(), asked.wait()), 5)
        begun = time.monotonic()
    assert (await posting).status_code == 200
    await listening
    assert time.monotonic() - begun < 5


async def test_an_address_that_is_taken_is_said_when_starting(service):
    async with asyncio.timeout(5):
        taken = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
        listen = f"127.0.0.1:{taken.sockets[0].getsockname()[1]}"
        with pytest.raises(OSError, match="in use"):
            async with http(Settings(listen=listen, token="a token that only tests know"))(service):
                pass
        taken.close()
