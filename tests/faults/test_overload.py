"""P10: ten times what fits. Memory stays bounded, who asks is told to come back, and what was accepted is kept."""

import asyncio
import os
from collections import Counter

import asyncpg
import httpx
import nats
import psutil
import pytest

from deskstream.contracts.inbound import Identity, InboundMessage
from deskstream.messaging.runner import INBOX_LIMIT
from deskstream.runtime.embedded.processes import free_port
from deskstream.runtime.schemas import installed_services
from deskstream.testkit.desk import desk, prepare
from deskstream.testkit.eventually import eventually
from deskstream.testkit.processes import supervised
from deskstream.testkit.sample.events import counted
from deskstream.testkit.sample.services import COUNTING, SUMMING, Count

pytestmark = pytest.mark.long

TIMES = 10
KEYS = 50
MAY_GROW = 200 * 1024 * 1024
AT_ONCE = 50
"""What the gateway of the test takes at a time."""
TOKEN = "token-of-the-overload-0123456789"
NOTES = """
SELECT seq, body::json -> 'data' -> 'note' ->> 'text' AS text
FROM conversation.journal
WHERE type LIKE '%.note_added'
ORDER BY seq
"""


def memory():
    return psutil.Process(os.getpid()).memory_info().rss


async def test_p10_commands_beyond_the_limit_are_told_to_come_back_and_the_others_are_kept(database, nats_url):
    async with desk([COUNTING], database, nats_url) as services:
        counting, before = services["counting"], memory()
        async with counting.pool.acquire() as tx, tx.transaction():
            # Nothing gets done, so whatever comes is more than can be done.
            await tx.execute("LOCK TABLE counters")
            asks = [
                asyncio.create_task(counting.ask(Count(counter=f"k{number % KEYS}"), idempotency_key=str(number)))
                for number in range(TIMES * INBOX_LIMIT)
            ]
            _, waiting = await asyncio.wait(asks, timeout=2)
            assert counting.runner.backlog <= INBOX_LIMIT
            assert memory() - before < MAY_GROW
            assert len(waiting) < 2 * INBOX_LIMIT
        answers = await asyncio.gather(*asks)
        refused = [answer for answer in answers if not answer.ok]
        assert {answer.error and answer.error.code for answer in refused} == {"unavailable"}
        accepted = len(answers) - len(refused)
        assert accepted >= INBOX_LIMIT
        assert await counting.pool.fetchval("SELECT sum(total) FROM counters") == accepted


async def test_p10_events_beyond_the_limit_wait_in_the_stream_and_not_in_memory(database, nats_url):
    client = await nats.connect(nats_url)
    inbox = client.new_inbox()
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        summing = services["summing"]
        async with summing.pool.acquire() as tx, tx.transaction():
            await tx.execute("LOCK TABLE counters")
            for number in range(1, TIMES * INBOX_LIMIT // KEYS // 2 + 1):
                for key in range(KEYS):
                    subject, body, headers = counted(f"k{key}", number)
                    await client.publish(subject, body, reply=inbox, headers=headers)
            await client.flush()
            before = memory()
            await asyncio.sleep(1)
            assert summing.runner.backlog <= INBOX_LIMIT
            assert memory() - before < MAY_GROW
        each = TIMES * INBOX_LIMIT // KEYS // 2

        async def all_applied():
            totals = await summing.pool.fetch("SELECT total, last FROM counters")
            return [tuple(row) for row in totals] == [(each, each)] * KEYS

        await eventually(all_applied, within=60)
    await client.close()


class Senders:
    """They write notes by HTTP, all at once, each until it is taken or until they shall stop."""

    def __init__(self, port):
        self.refusals = Counter[int]()
        self.without_retry_after = 0
        self.taken = set[str]()
        limits = httpx.Limits(max_connections=TIMES * AT_ONCE)
        self.client = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}",
            headers={"Authorization": f"Bearer {TOKEN}", "X-Agent": "anna"},
            limits=limits,
            timeout=60,
            trust_env=False,
        )

    async def open_door(self):
        try:
            return (await self.client.get("/api/conversations/CONV-1")).is_success
        except httpx.TransportError:
            return False

    async def write(self, text):
        while text not in self.taken:
            headers = {"Idempotency-Key": text.replace(" ", "-")}
            answer = await self.client.post("/api/conversations/CONV-1/notes", json={"text": text}, headers=headers)
            if answer.is_success:
                self.taken.add(text)
                return
            self.refusals[answer.status_code] += 1
            self.without_retry_after += "retry-after" not in answer.headers
            await asyncio.sleep(0.2)


async def test_p10_http_beyond_the_limit_is_told_to_come_back_and_what_was_taken_is_kept(
    database, nats_url, monkeypatch, tmp_path
):
    await prepare(installed_services().values(), database, nats_url)
    port = free_port()
    told = {
        "DESKSTREAM_NATS_URL": nats_url,
        "DESKSTREAM_POSTGRES_URL": database,
        "DESKSTREAM_THREAD_SECRET": "thread-secret-of-the-overload",
        "DESKSTREAM_GATEWAY_TOKEN": TOKEN,
        "DESKSTREAM_GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "DESKSTREAM_GATEWAY_REQUESTS": str(AT_ONCE),
        "DESKSTREAM_EMAIL_LISTEN": "127.0.0.1:0",
        "DESKSTREAM_EMAIL_MAILDIR": str(tmp_path / "maildir"),
        "DESKSTREAM_LOG_LEVEL": "error",
    }
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    broker, records = await nats.connect(nats_url), await asyncpg.connect(database)
    mail = InboundMessage(external_id="first", sender=Identity(email="ada@org.example"), text="Hello")
    senders, others = Senders(port), set(installed_services()) - {"gateway"}
    async with supervised("deskstream.runtime", *others), supervised("deskstream.runtime", "gateway") as gateway:
        await broker.jetstream().publish("inbound.email.support", mail.model_dump_json(exclude_defaults=True).encode())
        await eventually(senders.open_door, within=60, what="the first conversation, by HTTP")
        assert gateway.process is not None
        process = psutil.Process(gateway.process.pid)
        before = process.memory_info().rss
        texts = [f"note {number}" for number in range(TIMES * AT_ONCE)]
        async with records.transaction():
            # Nothing gets done, so whatever comes is more than can be done.
            await records.execute("LOCK TABLE conversation.conversations")
            writing = [asyncio.create_task(senders.write(text)) for text in texts]
            await eventually(lambda: senders.refusals.total() >= (TIMES - 1) * AT_ONCE, within=60, what="refusals")
            assert process.memory_info().rss - before < MAY_GROW
            assert not senders.taken
        async with asyncio.timeout(60):
            await asyncio.gather(*writing)
        assert process.memory_info().rss - before < MAY_GROW
        assert senders.refusals.keys() == {503}
        assert senders.without_retry_after == 0
        kept = [row["text"] for row in await records.fetch(NOTES)]
        assert sorted(kept) == sorted(texts)
        await eventually(lambda: shown(senders.client, len(texts)), within=30, what="all notes in the feed")
        assert [await numbered(records), await records.fetchval("SELECT count(*) FROM gateway.waiting")] == [True, 0]
        assert gateway.deaths == []
    await asyncio.gather(senders.client.aclose(), broker.close(), records.close())


async def shown(client, count):
    """Whether the conversation, as it is read by HTTP, has so many events behind it."""
    answer = await client.get("/api/conversations/CONV-1")
    return answer.is_success and answer.json()["version"] > count


async def numbered(records):
    """P3: whether the gateway heard this conversation's events in order, without gaps."""
    heard = await records.fetch("SELECT sequence FROM gateway.feed WHERE service = 'conversation' ORDER BY id")
    return [row["sequence"] for row in heard] == list(range(1, len(heard) + 1))
