"""P10: so many requests are under way at a time; whoever comes beyond that is told to come back, at once."""

import asyncio

import pytest

from deskstream.contracts import Answered
from deskstream.testkit.eventually import eventually

MOST = 2


@pytest.fixture
def slow(service):
    """What is called is answered when this is set."""
    answering = asyncio.Event()
    call = service.call

    async def slowly(command, **more) -> Answered:
        answered: Answered = await call(command, **more)
        await answering.wait()
        return answered

    service.call = slowly
    return answering


async def test_p10_commands_beyond_the_limit_are_503_with_retry_after_and_never_asked(serving, service, slow):
    async with serving(requests=MOST) as client:
        posting = [asyncio.create_task(client.post("/api/next-up")) for _ in range(MOST)]
        await eventually(lambda: len(service.calls) == MOST)
        refused = await client.post("/api/next-up", content=b"{" * 100_000)
        assert (refused.status_code, refused.json()["code"]) == (503, "busy")
        assert refused.headers["retry-after"] == "1"
        assert refused.headers["cache-control"] == "no-store"
        assert (await client.get("/api/conversations")).status_code == 200
        assert (await client.get("/api/health")).status_code == 200
        slow.set()
        assert [answer.status_code for answer in await asyncio.gather(*posting)] == [200] * MOST
        assert (await client.post("/api/next-up")).status_code == 200
        assert len(service.calls) == MOST + 1


async def test_p10_what_fails_makes_room_again(serving, service):
    async with serving(requests=1) as client:
        refused = [await client.post("/api/next-up", json={"agent": "bruno"}) for _ in range(3)]
        assert [answer.status_code for answer in refused] == [422] * 3
        assert (await client.post("/api/next-up")).status_code == 200
