"""Those who listen at the live stream: slow ones, new ones, and too many of them."""

import asyncio
from contextlib import aclosing
from typing import Any

from deskstream.gateway.live import BACKLOG, Line, Listener, LiveFeed
from deskstream.gateway.store.feed import Wanted
from services.gateway.tests.streams import events, some


def lines(*ids):
    rows: list[Any] = [{"id": n, "service": "sla", "event": "clock_started", "conversation_id": n} for n in ids]
    return [Line(row, b"") for row in rows]


def test_a_listener_that_does_not_keep_up_is_dropped_and_holds_no_more_than_its_queue():
    slow, quick = Listener(Wanted(), 0), Listener(Wanted(), 0)
    for n in range(BACKLOG):
        slow.offer(lines(n))
        quick.offer(lines(n))
        quick.chunks.get_nowait()
    slow.offer(lines(BACKLOG))
    slow.offer(lines(BACKLOG + 1))
    quick.offer(lines(BACKLOG))
    assert (slow.dropped, slow.chunks.qsize(), slow.chunks.get_nowait()) == (True, 1, None)
    assert (quick.dropped, quick.chunks.qsize()) == (False, 1)


async def test_a_dropped_listener_resumes_without_a_gap(pool, hear, story):
    live = LiveFeed(pool, every=0.001, heartbeat=5, most=10)
    seen: list[bytes] = []

    async def read(after, until):
        async with aclosing(await live.listen(Wanted(), after)) as stream:
            async for chunk in stream:
                seen.extend(part for part in chunk.split(b"\n\n") if b"data:" in part)
                if len(seen) >= until:
                    return

    async with live.running():
        slow = await live.listen(Wanted(), 0)
        await anext(slow)
        other = asyncio.create_task(read(0, BACKLOG + 10))
        joining: asyncio.Task[bytes] = asyncio.create_task(anext(slow))
        for n in range(BACKLOG + 10):
            await hear(story(n).opened())
            await asyncio.sleep(0.003)
        await asyncio.wait_for(other, 10)
        got = [part for part in (await joining).split(b"\n\n") if part]
        # It took one chunk only, and finds its stream ended.
        assert [chunk async for chunk in slow] == []
        resumed, seen = len(got), []
        await asyncio.wait_for(read(resumed, BACKLOG + 10 - resumed), 10)
    assert len(seen) == BACKLOG + 10 - resumed


async def places(stream, until):
    """The ids of the events of a stream, up to one."""
    found: list[int] = []
    async for chunk in stream:
        parts = [part for part in chunk.split(b"\n\n") if b"data:" in part]
        found += [int(part.partition(b"\n")[0].removeprefix(b"id: ")) for part in parts]
        if found and found[-1] >= until:
            return found
    return found


async def joined(stream, until):
    """Reads on; where there is no history to read first, it listens when this returns."""
    reading = asyncio.create_task(places(stream, until))
    await asyncio.sleep(0)
    return reading


async def test_who_joins_behind_the_reader_is_told_what_it_read_already(pool, hear, story):
    live = LiveFeed(pool, every=0.001, heartbeat=5, most=10)
    async with live.running():
        late = await live.listen(Wanted(), None)
        quick = await joined(await live.listen(Wanted(), None), 3)
        steady = await joined(await live.listen(Wanted(), None), 5)
        for n in range(3):
            await hear(story(n).opened())
        assert await asyncio.wait_for(quick, 5) == [1, 2, 3]
        caught_up = await joined(late, 5)
        await hear(story(4).opened(), story(5).opened())
        assert await asyncio.wait_for(caught_up, 5) == [1, 2, 3, 4, 5]
        assert await asyncio.wait_for(steady, 5) == [1, 2, 3, 4, 5]


async def test_who_joins_ahead_of_the_reader_is_told_nothing_twice(pool, hear, story):
    live = LiveFeed(pool, every=0.01, heartbeat=5, most=10)
    first = await joined(await live.listen(Wanted(), None), 4)
    await hear(*(story(n).opened() for n in range(3)))
    ahead = await live.listen(Wanted(), 0)
    assert await anext(ahead) == b": here\nid: 0\n\n"
    assert (await anext(ahead)).count(b"data:") == 3
    # It joins behind its history, while the reader, which does not run yet, stands before all of it.
    second = await joined(ahead, 4)
    async with live.running():
        await hear(story(4).opened())
        assert await asyncio.wait_for(first, 5) == [1, 2, 3, 4]
        assert await asyncio.wait_for(second, 5) == [4]


async def test_more_listeners_than_agreed_are_asked_to_come_again(serving, hear, story):
    await hear(story(1).opened())
    async with serving(listeners=1) as client:
        async with aclosing(events(client, after=0)) as stream:
            await anext(stream)
            refused = await client.get("/api/events")
            assert (refused.status_code, refused.json()["code"]) == (503, "too_many_listeners")
            assert "retry-after" in refused.headers
        assert await some(client, 1, after=0)
