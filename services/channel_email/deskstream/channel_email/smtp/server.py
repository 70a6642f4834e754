"""The SMTP server in the service's own event loop: how many may come at once, and how long they may take."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from aiosmtpd.smtp import SMTP, syntax

from deskstream import blobs
from deskstream.channel_email.parse.parsed import MAX_MAIL_BYTES
from deskstream.channel_email.parse.pool import Readers
from deskstream.channel_email.rules import Rules
from deskstream.channel_email.smtp.reception import NOT_NOW, Reception
from deskstream.messaging import Running

# A raw mail is kept as one blob.
SIZE_LIMIT: Final = min(MAX_MAIL_BYTES, blobs.LIMIT)
IDLE_FOR_S: Final = 120.0
WAIT_FOR_ROOM_S: Final = 15.0
MAIL_WITHIN_S: Final = 180.0
STOP_WITHIN_S: Final = 15.0

_BUSY: Final = b"421 4.3.2 Too many connections; please try again later\r\n"


@dataclass(frozen=True, slots=True)
class Doors:
    """Where to listen, and how wide."""

    host: str
    port: int
    hostname: str
    connections: int = 100
    at_once: int = 8
    readers: int = 2
    tls: ssl.SSLContext | None = None


@dataclass(slots=True)
class _Room:
    """Who is inside. A mail needs a place before its bytes are let in, so that memory stays bounded."""

    connections: int
    places: asyncio.Semaphore
    sessions: "set[_Session]" = field(default_factory=set)
    at_work: "set[_Session]" = field(default_factory=set)
    quiet: asyncio.Event = field(default_factory=asyncio.Event)
    """Nobody is at work."""
    closing: bool = False

    def __post_init__(self) -> None:
        self.quiet.set()

    async def enter(self, session: "_Session") -> None:
        """Raises `TimeoutError` when all places stay taken."""
        await asyncio.wait_for(self.places.acquire(), WAIT_FOR_ROOM_S)
        self.at_work.add(session)
        self.quiet.clear()

    def leave(self, session: "_Session") -> None:
        self.places.release()
        self.at_work.discard(session)
        if not self.at_work:
            self.quiet.set()


class MailServer:
    """`serving` is a background part of the service; `port` is where it listens once it does."""

    def __init__(self, doors: Doors, rules: Rules) -> None:
        self._doors = doors
        self._rules = rules
        self.port = doors.port

    @asynccontextmanager
    async def serving(self, running: Running) -> AsyncIterator[None]:
        """Listens. At the end mails that are coming in are taken to their end, then everybody is sent away."""
        # It writes every command of every session, addresses included.
        logging.getLogger("mail.log").setLevel(logging.WARNING)
        doors, loop = self._doors, asyncio.get_running_loop()
        room = _Room(doors.connections, asyncio.Semaphore(doors.at_once))
        async with Readers(doors.readers).running() as readers:
            reception = Reception(running, readers, self._rules)
            server = await loop.create_server(lambda: _Session(reception, doors, room), doors.host, doors.port)
            self.port = server.sockets[0].getsockname()[1]
            try:
                yield
            finally:
                server.close()
                await _send_away(room)


async def _send_away(room: _Room) -> None:
    room.closing = True
    for session in room.sessions - room.at_work:
        session.leave()
    with suppress(TimeoutError):
        await asyncio.wait_for(room.quiet.wait(), STOP_WITHIN_S)
    for session in set(room.sessions):
        session.leave()


class _Session(SMTP):
    """One connection."""

    # Programs write HTML on one line; aiosmtpd would refuse everything over RFC 5321's 1,000 bytes.
    line_length_limit = 2 * 1024 * 1024

    def __init__(self, reception: Reception, doors: Doors, room: _Room) -> None:
        super().__init__(
            reception,
            data_size_limit=SIZE_LIMIT,
            enable_SMTPUTF8=True,
            hostname=doors.hostname,
            ident="Deskstream",
            timeout=IDLE_FOR_S,
            tls_context=doors.tls,
            auth_exclude_mechanism=["LOGIN", "PLAIN"],
            loop=asyncio.get_running_loop(),
        )
        self._reception = reception
        self._room = room
        self._admitted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        room = self._room
        if not self._admitted and (room.closing or len(room.sessions) >= room.connections):
            assert isinstance(transport, asyncio.WriteTransport)
            transport.write(_BUSY)
            transport.close()
            return
        # After STARTTLS this is called once more for the same session.
        self._admitted = True
        room.sessions.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self._admitted:
            self._room.sessions.discard(self)
            super().connection_lost(error)

    def leave(self) -> None:
        """Closes the connection; a mail on its way was not answered, so its sender keeps it."""
        if self.transport is not None:
            self.transport.close()

    async def push(self, status: Any) -> None:
        if str(status).startswith("552 Error"):
            await self._reception.too_big(self.envelope, SIZE_LIMIT + 1)
        await super().push(status)

    @syntax("DATA")
    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        if self._room.closing:
            await self.push(_BUSY.strip())
            return
        try:
            await self._room.enter(self)
        except TimeoutError:
            await self.push(NOT_NOW)
            return
        over = False
        try:
            async with asyncio.timeout(MAIL_WITHIN_S):
                await super().smtp_DATA(arg)
            over = True
        finally:
            self._room.leave(self)
            if not over:
                # aiosmtpd keeps the envelope of a mail that failed; the next one would be told that it is nested.
                self.envelope = self._create_envelope()
