"""The live stream of one process: one reader of the feed, many listeners, none of whom can slow the others down."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import asyncpg
import structlog

from deskstream.gateway.handlers import SHOWN
from deskstream.gateway.store import feed
from deskstream.gateway.store.feed import WINDOW, Wanted
from deskstream.messaging import DATABASE_UNWELL

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

BACKLOG = 64
"""Chunks of at most `WINDOW` lines that wait for a listener before it is dropped; it resumes where it was."""

_PAUSE = 1.0

# An event says what it is about under the name that it has for it: conversation_id, ticket_id, issue_id, part_id.
_KEYS = {kind.NAME: kind.KEY for kind in SHOWN}

log = structlog.get_logger()


class TooManyListeners(Exception):
    """This process has as many as it was told to take."""


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the feed, and how it is sent; made once for all listeners."""

    row: asyncpg.Record
    text: bytes


@dataclass(eq=False, slots=True)
class Listener:
    """Somebody who is up to date and waits for more. None in the queue ends the stream."""

    wanted: Wanted
    joined_at: int
    """The feed's reader was here; whatever lies behind comes through the queue."""
    chunks: "asyncio.Queue[list[Line] | None]" = field(default_factory=lambda: asyncio.Queue(BACKLOG))
    dropped: bool = False

    def offer(self, lines: Sequence[Line]) -> None:
        """Queues what it wants of these; a full queue ends the stream instead."""
        wanted = [line for line in lines if self.wanted.matches(line.row)]
        if not wanted or self.dropped:
            return
        if self.chunks.full():
            self.drop()
        else:
            self.chunks.put_nowait(wanted)

    def drop(self) -> None:
        """Ends the stream: what waits in the queue is not sent, the client asks for it again."""
        self.dropped = True
        while not self.chunks.empty():
            self.chunks.get_nowait()
        self.chunks.put_nowait(None)


class LiveFeed:
    """Reads the feed while somebody listens, every `every` seconds; at most `most` streams at a time."""

    def __init__(self, pool: Pool, *, every: float, heartbeat: float, most: int) -> None:
        self._pool = pool
        self._every = every
        self._heartbeat = heartbeat
        self._most = most
        self._streams = 0
        self._listeners: set[Listener] = set()
        self._somebody = asyncio.Event()
        self._position = 0
        self._closed = False

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follows the feed until it is left; then every stream ends."""
        reader = asyncio.create_task(self._follow(), name="gateway live feed")
        try:
            yield
        finally:
            self.close()
            reader.cancel()
            await asyncio.wait([reader])

    def close(self) -> None:
        """Ends every stream, and those that are asked for from now on."""
        self._closed = True
        for listener in self._listeners:
            listener.drop()

    async def listen(self, wanted: Wanted, after: int | None) -> AsyncGenerator[bytes, None]:
        """The stream behind `after`, or from now on, as it is sent.

        Raises `TooManyListeners` before there is any. It ends when this process stops, when the listener does not keep
        up, or when the database is away: then the client resumes from the last id that it saw.
        """
        if self._streams >= self._most:
            raise TooManyListeners
        async with self._pool.acquire() as tx:
            end = await feed.newest(tx)
        return self._stream(wanted, end if after is None else after, end)

    async def _stream(self, wanted: Wanted, after: int, end: int) -> AsyncGenerator[bytes, None]:
        self._streams += 1
        try:
            # An id that this feed never gave: the listener knows another past, and must read anew.
            yield _reset(end) if after > end else _checkpoint(after)
            async for chunk in self._history(wanted, after, end):
                yield chunk
            async for chunk in self._from_now_on(wanted, end):
                yield chunk
        except DATABASE_UNWELL as error:
            log.warning("live_stream_ended", reason=f"{type(error).__name__}: {error}")
        finally:
            self._streams -= 1

    async def _history(self, wanted: Wanted, position: int, end: int) -> AsyncGenerator[bytes, None]:
        while position < end:
            upto = min(position + WINDOW, end)
            async with self._pool.acquire() as tx:
                rows = await feed.between(tx, position, upto, wanted)
            position = upto
            if rows:
                yield b"".join(_line(row).text for row in rows)

    async def _from_now_on(self, wanted: Wanted, end: int) -> AsyncGenerator[bytes, None]:
        listener = self._join(wanted, end)
        try:
            async for chunk in self._history(wanted, end, listener.joined_at):
                yield chunk
            async for chunk in self._live(listener, end):
                yield chunk
        finally:
            self._listeners.discard(listener)
            if not self._listeners:
                self._somebody.clear()

    def _join(self, wanted: Wanted, position: int) -> Listener:
        if not self._listeners:
            self._position = position
        listener = Listener(wanted, self._position)
        self._listeners.add(listener)
        self._somebody.set()
        if self._closed:
            listener.drop()
        return listener

    async def _live(self, listener: Listener, end: int) -> AsyncGenerator[bytes, None]:
        while True:
            try:
                async with asyncio.timeout(self._heartbeat):
                    lines = await listener.chunks.get()
            except TimeoutError:
                if listener.chunks.empty():
                    # It has everything up to where the reader stands.
                    yield _checkpoint(max(end, self._position))
                continue
            if lines is None:
                return
            # The reader may stand behind what history showed.
            if fresh := [line.text for line in lines if line.row["id"] > end]:
                yield b"".join(fresh)

    async def _follow(self) -> None:
        while True:
            await self._somebody.wait()
            try:
                whole = await self._read_on()
            except DATABASE_UNWELL as error:
                log.warning("live_feed_unread", reason=f"{type(error).__name__}: {error}")
                await asyncio.sleep(_PAUSE)
                continue
            if not whole:
                await asyncio.sleep(self._every)

    async def _read_on(self) -> bool:
        """Hands the next rows to everybody; whether there may be more at once."""
        position = self._position
        async with self._pool.acquire() as tx:
            rows = await feed.following(tx, position)
        # Meanwhile the last listener may have left, and another joined somewhere else.
        if rows and position == self._position:
            lines = [_line(row) for row in rows]
            self._position = rows[-1]["id"]
            for listener in self._listeners:
                listener.offer(lines)
        return len(rows) == WINDOW


def _line(row: asyncpg.Record) -> Line:
    content = {
        "id": row["id"],
        "at": row["at"].isoformat(),
        "service": row["service"],
        "event": row["event"],
        _KEYS[row["event"]]: str(row["conversation_id"]),
        "number": row["number"],
        "sequence": row["sequence"],
        "actor": row["actor"],
        "body": json.loads(row["summary"]),
    }
    return Line(row, f"id: {row['id']}\ndata: {json.dumps(content)}\n\n".encode())


def _checkpoint(position: int) -> bytes:
    """Moves the id to resume from and nothing else: without data no event is dispatched (HTML standard, 9.2.6)."""
    return f": here\nid: {position}\n\n".encode()


def _reset(position: int) -> bytes:
    return f"id: {position}\nevent: reset\ndata: {json.dumps({'as_of': position})}\n\n".encode()
