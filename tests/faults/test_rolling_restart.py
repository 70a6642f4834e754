"""P11: two of everything are restarted one after the other under load; clients see nothing but 503s to try again."""

import asyncio
import signal
from itertools import count
from time import monotonic

import asyncpg
import httpx
import nats
import pytest

from deskstream.contracts.inbound import Identity, InboundMessage
from deskstream.runtime.embedded.processes import free_port
from deskstream.runtime.schemas import installed_services
from deskstream.testkit.desk import prepare
from deskstream.testkit.eventually import eventually
from deskstream.testkit.forking import forking

pytestmark = [pytest.mark.long, pytest.mark.timeout(240)]

RUNTIME = "deskstream.runtime"
TOKEN = "token-of-the-rolling-restart-0123456789"
STOP_WITHIN_S = 25.0
CLIENTS = 4


def mail(number):
    message = InboundMessage(
        external_id=f"roll-{number}", sender=Identity(email="ada@org.example"), text=f"mail {number}"
    )
    return message.model_dump_json(exclude_defaults=True).encode()


class Clients:
    """They write notes to the API through whichever replica answers, each until it was taken."""

    def __init__(self, ports):
        self.ports = ports
        self.answers = []
        self.cut = []
        """What became of requests that got a connection and no answer."""
        self.taken = 0
        self.stop = asyncio.Event()
        self._numbers = count(1)

    async def work(self, conversation):
        headers = {"Authorization": f"Bearer {TOKEN}", "X-Agent": "anna"}
        async with httpx.AsyncClient(headers=headers, timeout=10, trust_env=False) as api:
            while not self.stop.is_set():
                number = next(self._numbers)
                while not await self._post(api, conversation, number):  # noqa: ASYNC110 - as callers do
                    await asyncio.sleep(0.1)
                self.taken += 1

    async def _post(self, api, conversation, number):
        port = self.ports[len(self.answers) % len(self.ports)]
        url = f"http://127.0.0.1:{port}/api/conversations/{conversation}/notes"
        try:
            answer = await api.post(url, json={"text": f"note {number}"}, headers={"Idempotency-Key": f"n{number}"})
        except httpx.ConnectError:
            # Nobody listens there just now: a balancer would have asked the other one.
            self.answers.append(None)
            return False
        except httpx.TransportError as error:
            self.answers.append(None)
            self.cut.append(repr(error))
            return False
        self.answers.append(answer)
        return answer.is_success


async def start(process, port, monkeypatch):
    monkeypatch.setenv("DESKSTREAM_GATEWAY_LISTEN", f"127.0.0.1:{port}")
    await process.start(RUNTIME, *installed_services())
    await eventually(lambda: listens(port), within=60)


async def listens(port):
    try:
        async with httpx.AsyncClient(trust_env=False) as api:
            return (await api.get(f"http://127.0.0.1:{port}/api/health")).is_success
    except httpx.TransportError:
        return False


async def restart(process, port, monkeypatch):
    """Returns the seconds that the stop took."""
    started = monotonic()
    process.kill(signal.SIGTERM)
    assert await process.ended() == 0
    seconds = monotonic() - started
    await start(process, port, monkeypatch)
    return seconds


async def test_p11_a_rolling_restart_costs_clients_nothing_but_retried_503s(database, nats_url, monkeypatch, tmp_path):
    await prepare(installed_services().values(), database, nats_url)
    told = {
        "DESKSTREAM_NATS_URL": nats_url,
        "DESKSTREAM_POSTGRES_URL": database,
        "DESKSTREAM_THREAD_SECRET": "thread-secret-of-the-rolling-restart",
        "DESKSTREAM_GATEWAY_TOKEN": TOKEN,
        "DESKSTREAM_EMAIL_LISTEN": "127.0.0.1:0",
        "DESKSTREAM_EMAIL_MAILDIR": str(tmp_path / "maildir"),
        "DESKSTREAM_LOG_LEVEL": "error",
    }
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    broker, records = await nats.connect(nats_url), await asyncpg.connect(database)
    ports, sent = [free_port(), free_port()], list[int]()

    async def send():
        sent.append(len(sent))
        await broker.jetstream().publish("inbound.email.support", mail(sent[-1]))

    async def send_on(stop):
        while not stop.is_set():
            await asyncio.gather(send(), asyncio.sleep(0.1))

    async def all_is_applied():
        applied = await records.fetchval(
            "SELECT count(*) FROM conversation.journal WHERE type LIKE '%.conversation_opened'"
        )
        noted = await records.fetchval("SELECT count(*) FROM conversation.journal WHERE type LIKE '%.note_added'")
        return (applied, noted) == (len(sent), clients.taken)

    async with forking(RUNTIME) as one, forking(RUNTIME) as other:
        await start(one, ports[0], monkeypatch)
        await start(other, ports[1], monkeypatch)
        await send()
        await eventually(lambda: records.fetchval("SELECT count(*) FROM gateway.inbox WHERE number = 1"), within=20)
        clients = Clients(ports)
        working = [asyncio.create_task(clients.work("CONV-1")) for _ in range(CLIENTS)]
        working.append(asyncio.create_task(send_on(clients.stop)))
        stops = [await restart(process, port, monkeypatch) for process, port in zip((one, other), ports, strict=True)]
        clients.stop.set()
        await asyncio.gather(*working)
        await eventually(all_is_applied, within=40)
        assert (one.deaths, other.deaths) == ([0], [0])
    assert max(stops) < STOP_WITHIN_S
    assert clients.taken > 10
    assert not clients.cut
    refused = [answer for answer in clients.answers if answer is not None and not answer.is_success]
    assert {answer.status_code for answer in refused} <= {503}
    assert all("retry-after" in answer.headers for answer in refused)
    await asyncio.gather(broker.close(), records.close())
