"""The lines between the services and their servers, which can be cut, go silent, crawl, or lose a single message."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from urllib.parse import urlsplit, urlunsplit

from deskstream.contracts import subjects

LOOPBACK = "127.0.0.1"
CHUNK = 64 * 1024
CRAWL_S = 1.0
"""A crawling line lets one byte through in so long."""

_LOSABLE = f"HPUB {subjects.EVENTS}.".encode()


class Flow(Enum):
    """What a line lets through."""

    WHOLE = auto()
    CUT = auto()
    """Connections break, new ones too."""
    SILENT = auto()
    """Connections stay, and nothing comes through: half open."""
    CRAWLING = auto()


@dataclass
class Line:
    """A TCP line to one server. `host` and `port` are where it ends on the services' side, once it is open."""

    target: tuple[str, int]
    frames: bool = False
    """Whether what services send are frames of the NATS client protocol, of which one can be lost."""
    host: str = LOOPBACK
    port: int = 0
    lost: int = 0
    _flow: Flow = Flow.WHOLE
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _to_lose: int = 0
    _talks: set[asyncio.Task[None]] = field(default_factory=set)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Line]:
        """Listens until the block is left."""
        server = await asyncio.start_server(self._accept, self.host, self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            await self._break_off()

    async def turn(self, flow: Flow) -> None:
        """Lets through what `flow` says from now on."""
        self._flow = flow
        self._changed.set()
        self._changed = asyncio.Event()
        if flow is Flow.CUT:
            await self._break_off()

    @property
    def connections(self) -> int:
        """How many it carries."""
        return len(self._talks)

    def lose(self, number: int = 1) -> None:
        """So many of the next published events vanish on the way, however many it was told before."""
        self._to_lose = number

    async def _break_off(self) -> None:
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of our own: the server's would report its cancellation.
        talk = asyncio.create_task(self._talk(reader, writer))
        self._talks.add(talk)
        talk.add_done_callback(self._talks.discard)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer]
        try:
            if self._flow is Flow.CUT:
                return
            far_reader, far_writer = await asyncio.open_connection(*self.target)
            ends.append(far_writer)
            down, up = self._pump(far_reader, writer), self._pump(reader, far_writer, upwards=True)
            pumps = [asyncio.create_task(down), asyncio.create_task(up)]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        except OSError:
            return
        finally:
            for end in ends:
                end.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, upwards: bool = False) -> None:
        splitter = Frames() if upwards and self.frames else None
        with suppress(OSError):
            while chunk := await reader.read(CHUNK):
                kept = chunk if splitter is None else b"".join(self._kept(splitter.feed(chunk)))
                await self._forward(kept, writer)

    def _kept(self, frames: Iterator[bytes]) -> Iterator[bytes]:
        for frame in frames:
            if self._to_lose and frame.startswith(_LOSABLE):
                self._to_lose -= 1
                self.lost += 1
            else:
                yield frame

    async def _forward(self, chunk: bytes, writer: asyncio.StreamWriter) -> None:
        while chunk:
            changed = self._changed
            if self._flow is Flow.SILENT:
                await changed.wait()
                continue
            now = chunk[:1] if self._flow is Flow.CRAWLING else chunk
            chunk = chunk[len(now) :]
            writer.write(now)
            await writer.drain()
            if self._flow is Flow.CRAWLING:
                with suppress(TimeoutError):
                    async with asyncio.timeout(CRAWL_S):
                        await changed.wait()


class Frames:
    """Cuts what a NATS client sends into whole frames: lines, and publishes with their payload."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The frames that are whole by now."""
        self._buffer += chunk
        while (size := self._size()) and size <= len(self._buffer):
            frame = bytes(self._buffer[:size])
            del self._buffer[:size]
            yield frame

    def _size(self) -> int:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            return 0
        line = bytes(self._buffer[:end])
        payload = int(line.rpartition(b" ")[2]) + 2 if line.startswith((b"PUB ", b"HPUB ")) else 0
        return end + 2 + payload


def line_to(url: str, *, frames: bool = False, host: str = LOOPBACK) -> Line:
    """A line to the server of a URL, which ends at an address of this machine."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return Line((parts.hostname, parts.port), frames=frames, host=host)


def by_way_of(url: str, line: Line) -> str:
    """The same server's URL, reached through the line."""
    parts = urlsplit(url)
    user, at, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}{at}{line.host}:{line.port}"))
