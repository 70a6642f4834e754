"""The lines of the fault runs do what they are turned to: a fault that does nothing would prove nothing."""

import asyncio
from contextlib import asynccontextmanager
from time import monotonic

import pytest

from deskstream.cli.faults.lines import Flow, Frames, by_way_of, line_to


@asynccontextmanager
async def echoing(*, frames=False):
    """A server that says back what it hears, behind a line."""

    async def echo(reader, writer):
        while heard := await reader.read(1000):
            writer.write(heard)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with line_to(f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}", frames=frames).opened() as line:
        yield line
    server.close()


async def said_back(reader, writer, text, within=0.5):
    """What comes back within that time."""
    writer.write(text)
    heard = b""
    try:
        async with asyncio.timeout(within):
            while len(heard) < len(text) and (more := await reader.read(100)):
                heard += more
    except (TimeoutError, ConnectionError):
        pass
    return heard


async def test_a_line_that_is_whole_lets_everything_through():
    async with echoing() as line:
        assert await said_back(*await asyncio.open_connection(line.host, line.port), b"hello") == b"hello"


async def test_a_line_that_is_cut_ends_every_connection_and_every_new_one():
    async with echoing() as line:
        before = await asyncio.open_connection(line.host, line.port)
        assert await said_back(*before, b"hello") == b"hello"
        await line.turn(Flow.CUT)
        assert await said_back(*before, b"hello") == b""
        assert await said_back(*await asyncio.open_connection(line.host, line.port), b"hello") == b""
        await line.turn(Flow.WHOLE)
        assert await said_back(*await asyncio.open_connection(line.host, line.port), b"hello") == b"hello"


async def test_what_a_silent_line_held_back_comes_when_it_speaks_again():
    async with echoing() as line:
        ends = await asyncio.open_connection(line.host, line.port)
        assert await said_back(*ends, b"a") == b"a"
        await line.turn(Flow.SILENT)
        assert await said_back(*ends, b"b") == b""
        await line.turn(Flow.WHOLE)
        assert (await said_back(*ends, b"c")).startswith(b"b")


async def test_a_crawling_line_lets_one_byte_a_second_through():
    async with echoing() as line:
        ends = await asyncio.open_connection(line.host, line.port)
        assert await said_back(*ends, b"x") == b"x"
        await line.turn(Flow.CRAWLING)
        started = monotonic()
        assert await said_back(*ends, b"ab", within=3) == b"ab"
        assert 0.9 < monotonic() - started < 2.5


async def test_a_publish_can_be_lost_and_nothing_else():
    said = b"PING\r\nHPUB events.a.b.c 4 6\r\nhead42\r\nPUB $JS.ACK.x 4\r\n+ACK\r\nHPUB events.a.b.d 4 6\r\nhead43\r\n"
    async with echoing(frames=True) as line:
        line.lose()
        heard = await said_back(*await asyncio.open_connection(line.host, line.port), said)
        assert heard == b"PING\r\nPUB $JS.ACK.x 4\r\n+ACK\r\nHPUB events.a.b.d 4 6\r\nhead43\r\n"
        assert line.lost == 1


async def test_what_was_not_lost_in_time_is_not_lost_later():
    said = b"HPUB events.a.b.c 4 6\r\nhead42\r\n"
    async with echoing(frames=True) as line:
        line.lose(3)
        line.lose(0)
        assert await said_back(*await asyncio.open_connection(line.host, line.port), said) == said
        assert line.lost == 0


@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_frames_are_found_however_the_bytes_are_cut(size):
    whole = [b'CONNECT {"a": 1}\r\n', b"PUB a 5\r\nx\r\nyz\r\n", b"HPUB a b 2 4\r\nabcd\r\n", b"PONG\r\n"]
    stream, frames = b"".join(whole), Frames()
    pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
    assert [frame for piece in pieces for frame in frames.feed(piece)] == whole


async def test_the_url_by_way_of_a_line_keeps_user_and_password():
    async with echoing() as line:
        assert by_way_of("postgresql://u:p@10.0.0.1:5432/d", line) == f"postgresql://u:p@127.0.0.1:{line.port}/d"
