import asyncio

import pytest

from deskstream.contracts.journal import ReadJournal
from deskstream.messaging import commands
from deskstream.testkit.desk import desk
from deskstream.testkit.eventually import eventually
from deskstream.testkit.sample.events import counted, publish
from deskstream.testkit.sample.services import COUNTING, SUMMING, Count


async def test_p6_a_subject_that_is_not_utf_8_stops_nobody(database, nats_url, broker):
    host, port = nats_url.removeprefix("nats://").split(":")
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b'CONNECT {"verbose":false}\r\nPUB events.counting.counted.k\xff\xfe 2\r\n{}\r\nPING\r\n')
        await reader.readuntil(b"PONG")
        await publish(broker, [counted("good", 1)])
        pool = services["summing"].pool
        await eventually(lambda: pool.fetchval("SELECT total = 1 FROM counters WHERE id = 'good'"))
        assert await services["summing"].problem() is None
        writer.close()


@pytest.mark.parametrize(
    "headers",
    [
        b"garbage", b"NATS/1.0", b"\r\n", b"NATS/1.0 \xff\xfe\xfd\r\n\r\n", b"NATS/1.0 404 \xff\xff\xff\r\n\r\n",
        b"NATS/1.0 404\r\na: b\xff\r\n\r\n", b"NATS/1.0\r\n\xff\xfe: \xff\r\n\r\n",
    ],
)  # fmt: skip
async def test_p6_headers_that_are_none_stop_nobody(database, nats_url, broker, headers):
    subject, body, _ = counted("bad", 1)
    host, port = nats_url.removeprefix("nats://").split(":")
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        reader, writer = await asyncio.open_connection(host, int(port))
        size = f"{len(headers)} {len(headers) + len(body)}".encode()
        writer.write(b'CONNECT {"verbose":false,"headers":true}\r\nHPUB %b %b\r\n' % (subject.encode(), size))
        writer.write(headers + body + b"\r\nPING\r\n")
        await reader.readuntil(b"PONG")
        await publish(broker, [counted("good", 1)])
        pool = services["summing"].pool
        await eventually(lambda: pool.fetchval("SELECT total = 1 FROM counters WHERE id = 'good'"))
        assert await services["summing"].problem() is None
        writer.close()


@pytest.mark.parametrize("kind", ["x\x00y", "\ud800", "a" * 5000, "deskstream.counting.counted\n"])
async def test_a_type_that_nobody_could_have_named_is_kept_and_stops_nobody(database, nats_url, broker, kind):
    subject, body, _ = counted("bad", 1)
    host, port = nats_url.removeprefix("nats://").split(":")
    lines = f"NATS/1.0\r\nce-type: {kind}\r\nce-sequence: 3\r\n\r\n".encode(errors="surrogatepass")
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        reader, writer = await asyncio.open_connection(host, int(port))
        size = f"{len(lines)} {len(lines) + len(body)}".encode()
        writer.write(b'CONNECT {"verbose":false,"headers":true}\r\nHPUB %b %b\r\n' % (subject.encode(), size))
        writer.write(lines + body + b"\r\nPING\r\n")
        await reader.readuntil(b"PONG")
        await publish(broker, [counted("good", 1)])
        pool = services["summing"].pool
        await eventually(lambda: pool.fetchval("SELECT total = 1 FROM counters WHERE id = 'good'"))
        assert await services["summing"].problem() is None
        writer.close()


async def test_an_event_without_a_number_is_kept_and_not_applied(database, nats_url, broker):
    subject, body, headers = counted("a", 1)
    unnumbered = body.replace(b'"sequence":"1"', b'"sequence":"0"')
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        await publish(broker, [(subject, unnumbered, {**headers, "ce-sequence": "0"}), counted("good", 1)])
        pool = services["summing"].pool
        await eventually(lambda: pool.fetchval("SELECT total = 1 FROM counters WHERE id = 'good'"))
        assert await pool.fetchval("SELECT count(*) FROM counters WHERE id = 'a'") == 0


@pytest.mark.parametrize("note", ["日" * 200, '"' * 600, "x"], ids=["wide characters", "escapes", "many small rows"])
async def test_a_page_of_the_journal_fits_into_a_message_whatever_stands_in_it(database, nats_url, broker, note):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        for _ in range(3):
            await services["summing"].call(Count(counter="a", times=400, note=note))
        after, sequences = 0, []
        while True:
            ask = ReadJournal(lane="events.counting", after=after, limit=1000)
            page = (await commands.call(broker, ask, service="counting", within=3)).result
            if not page["rows"]:
                break
            sequences += [row["sequence"] for row in page["rows"]]
            after = page["last"]
        assert sequences == list(range(1, 1201))


async def test_an_event_too_large_for_the_broker_fails_its_own_command_only(database, nats_url):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        call = services["summing"].call
        big, small = await asyncio.gather(call(Count(counter="big", note="x" * 119_990)), call(Count(counter="small")))
        assert (big.ok, small.ok) == (False, True)
        assert await services["counting"].pool.fetchval("SELECT count(*) FROM unpublished WHERE at < now()") < 2


async def test_p11_nobody_waits_for_a_service_that_stops(database, nats_url, broker):
    async with desk([COUNTING, SUMMING], database, nats_url) as services:
        counting = services["counting"]
        async with counting.pool.acquire() as connection, connection.transaction():
            await connection.execute("LOCK TABLE counters")
            asks = [asyncio.create_task(commands.call(broker, Count(counter=f"c{n}"), within=9)) for n in range(400)]
            await eventually(lambda: counting.runner.backlog >= 390)
            stopping = asyncio.create_task(counting.stop())
            await eventually(lambda: not counting.runner.has_room())
        async with asyncio.timeout(3):
            answers = await asyncio.gather(*asks)
        assert {answer.error.code if answer.error else True for answer in answers} == {True, "unavailable"}
        await stopping
