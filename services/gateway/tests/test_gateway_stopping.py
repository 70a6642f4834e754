"""P11: who stops breaks nothing off: whoever got a connection gets an answer."""

import asyncio

import httpx
import pytest

from deskstream.testkit.eventually import eventually

pytestmark = pytest.mark.slow

CLIENTS = 30
STOPS = 3


class Callers:
    """They ask again and again, each on one connection, until nobody listens any more."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.cut: list[str] = []
        """What became of requests that got a connection and no answer."""

    async def ask(self, url, headers):
        async with httpx.AsyncClient(base_url=url, headers=headers, verify=False, timeout=30) as client:
            while await self._answered(client):
                pass

    async def _answered(self, client):
        try:
            self.answers.append((await client.post("/api/next-up")).status_code)
        except httpx.ConnectError:
            return False
        except httpx.TransportError as error:
            self.cut.append(repr(error))
            return False
        return True


@pytest.mark.parametrize("time", range(STOPS))
async def test_p11_nobody_who_got_a_connection_is_left_without_an_answer(serving, time):
    callers = Callers()
    async with serving() as client:
        asking = [asyncio.create_task(callers.ask(client.base_url, client.headers)) for _ in range(CLIENTS)]
        await eventually(lambda: len(callers.answers) > 10 * CLIENTS, within=30, what="many answers")
    await asyncio.gather(*asking)
    assert not callers.cut
    assert set(callers.answers) == {200}
