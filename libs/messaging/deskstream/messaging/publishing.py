"""Pipelined publishing to JetStream, straight from memory after commit; what stays unacknowledged the sweeper sends."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from itertools import count
from time import monotonic
from typing import Final

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from deskstream.contracts.envelope import HEADER_ID, HEADER_SEQUENCE, HEADER_TYPE
from deskstream.messaging.failpoints import FailPoints
from deskstream.messaging.frames import publish_frame, write
from deskstream.messaging.item import Said
from deskstream.messaging.trace_context import HEADER
from deskstream.messaging.turn import Moment, Turn

DEADLINE_S: Final = 5.0
"""After this long without an acknowledgement the sweeper sends it again."""

WINDOW: Final = 2000
"""Unacknowledged messages at which the runner waits."""

log = structlog.get_logger()


class Publisher:
    """One subscription takes the acknowledgements of everything this service publishes."""

    def __init__(self, points: FailPoints) -> None:
        self._points = points
        self._client: Client | None = None
        self._inbox = ""
        self._numbers = count(1)
        self._owed: dict[str, tuple[int, float]] = {}
        self._marks: list[int] = []
        self._marks_since = 0.0
        self._changed = asyncio.Event()
        self.turn = Turn()
        self.acknowledged = 0
        self.refused = 0
        self.postponed = 0

    async def start(self, client: Client) -> None:
        """Subscribes for acknowledgements."""
        self._client = client
        self._inbox = client.new_inbox()
        await client.subscribe(f"{self._inbox}.*", cb=self._acknowledged)

    async def publish(self, said: Iterable[Said], *, owed: bool = False) -> None:
        """Sends without waiting for acknowledgements; what cannot be sent, or not in its turn, is left to the sweeper,
        which says that these are owed."""
        assert self._client is not None
        deadline = monotonic() + DEADLINE_S
        frames, tokens = list[bytes](), list[str]()
        for row in said:
            self._points.reach("during_publish")
            if not (row.sequence or owed or self.turn.has_come(self._client)):
                continue
            body = row.body.encode()
            if len(body) > self._client.max_payload:
                log.error("publish_impossible", subject=row.subject, bytes=len(body), limit=self._client.max_payload)
                continue
            token = f"{self._inbox}.{next(self._numbers)}"
            self._owed[token] = (row.id, deadline)
            tokens.append(token)
            frames.append(publish_frame(row.subject, token, _headers(row), body))
        if frames:
            await self._write(frames, tokens)

    async def _write(self, frames: Sequence[bytes], tokens: Sequence[str]) -> None:
        assert self._client is not None
        try:
            await write(self._client, frames)
        except NatsError as error:
            for token in tokens:
                self._owed.pop(token, None)
            self.turn.lost()
            self.postponed += len(tokens)
            log.warning("publish_postponed", count=len(tokens), reason=repr(error))

    async def _acknowledged(self, message: Msg) -> None:
        owed = self._owed.pop(message.subject, None)
        if owed is None:
            return
        problem = refusal_of(message)
        if problem:
            self.refused += 1
            self.turn.lost()
            log.error("publish_refused", reason=problem)
        else:
            self.acknowledged += 1
            if not self._marks:
                self._marks_since = monotonic()
            self._marks.append(owed[0])
        self._changed.set()

    def behind(self) -> Moment | None:
        """Since when unnumbered rows wait for what is owed; None when they do not."""
        assert self._client is not None
        return self.turn.moment(self._client) if self.turn.waits(self._client) else None

    def caught_up(self, since: Moment) -> None:
        """The database owed nothing to the broker after that moment."""
        assert self._client is not None
        self.turn.nothing_was_owed(since, self._client)

    def take_marks(self, *, older_than: float = 0.0) -> list[int]:
        """Journal ids that were acknowledged; whoever takes them writes them down or gives them back."""
        if not self._marks or monotonic() - self._marks_since < older_than:
            return []
        marks, self._marks = self._marks, []
        return marks

    def give_back(self, marks: Sequence[int]) -> None:
        """The transaction that would have written them failed."""
        self._marks += marks

    def drop_overdue(self) -> None:
        """Forgets what was not acknowledged in time."""
        now = monotonic()
        overdue = [token for token, (_, deadline) in self._owed.items() if deadline < now]
        for token in overdue:
            del self._owed[token]
        if overdue:
            self.turn.lost()

    async def publish_and_wait(self, said: Sequence[Said]) -> list[int]:
        """Publishes and waits for these acknowledgements only, not longer than their deadline. Returns the ids of those
        that came; the marks of others stay where they are."""
        await self.publish(said, owed=True)
        wanted = {row.id for row in said}
        deadline = monotonic() + DEADLINE_S
        while wanted & {owed for owed, _ in self._owed.values()} and monotonic() < deadline:
            self._changed.clear()
            try:
                async with asyncio.timeout(max(0.01, deadline - monotonic())):
                    await self._changed.wait()
            except TimeoutError:
                break
        came = [mark for mark in self._marks if mark in wanted]
        self._marks = [mark for mark in self._marks if mark not in wanted]
        return came

    async def room(self, limit: int = WINDOW) -> None:
        """Returns when fewer than `limit` messages are unacknowledged, or after their deadline."""
        while len(self._owed) >= limit:
            self._changed.clear()
            try:
                async with asyncio.timeout(1.0):
                    await self._changed.wait()
            except TimeoutError:
                pass
            self.drop_overdue()

    @property
    def unacknowledged(self) -> int:
        return len(self._owed)


def _headers(row: Said) -> bytes:
    if not row.sequence:
        context = f"{HEADER}: {row.context}\r\n" if row.context else ""
        return f"Nats-Msg-Id: {row.message_id}\r\n{context}".encode()
    identity = str(row.message_id)
    return (
        f"Nats-Msg-Id: {identity}\r\n{HEADER_ID}: {identity}\r\n{HEADER_TYPE}: {row.type}\r\n"
        f"{HEADER_SEQUENCE}: {row.sequence}\r\n"
    ).encode()


def refusal_of(message: Msg) -> str:
    """Why the stream did not take it; empty when it did. No stream at all answers with an empty 503."""
    if message.headers and message.headers.get("Status"):
        return "no stream takes this subject: run `deskstream provision`"
    if b'"error"' not in message.data:
        return ""
    error = json.loads(message.data).get("error", {})
    return f"{error.get('code')}: {error.get('description')}"
