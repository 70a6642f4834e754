"""Pauses: news end them, and they end without news."""

import asyncio
from time import monotonic

from deskstream.messaging.pausing import EARLIEST, woken


async def test_news_end_a_pause_and_are_taken_once():
    event = asyncio.Event()
    event.set()
    async with asyncio.timeout(5):
        await woken(event, within=60.0)
    assert not event.is_set()


async def test_without_news_a_pause_ends_within_its_time_and_not_at_once():
    event, began = asyncio.Event(), monotonic()
    async with asyncio.timeout(5):
        await woken(event, within=0.1)
    assert monotonic() - began >= 0.1 * EARLIEST * 0.9
    assert not event.is_set()


async def test_what_paused_together_does_not_go_on_together():
    ends = set[int]()

    async def pause():
        await woken(asyncio.Event(), within=0.4)
        ends.add(round(monotonic() * 50))

    await asyncio.gather(*(pause() for _ in range(50)))
    assert len(ends) > 1
