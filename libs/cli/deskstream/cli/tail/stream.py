"""One stream read from a place on, without gaps and without doubles, through restarts of the broker.

An ephemeral consumer of our own is made at the last message seen, and made again there whenever it is lost: when the
broker was restarted, when a heartbeat is missing, when the numbers of its deliveries have a gap. We acknowledge
nothing, so nobody else's place in the stream moves. Protocol: NATS ADR-13 (pull), ADR-20 (heartbeats).
"""

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.api import StreamInfo as Info

BATCH: Final = 256
EXPIRES_S: Final = 20
HEARTBEAT_S: Final = 1
SILENCE_S: Final = 2.5
RETRY_S: Final = 0.3
REMEMBERED: Final = 20_000
"""Ids by which a message is known that is published once more, after the broker's memory of it has ended."""

_UNWELL: Final = (NatsError, OSError, TimeoutError)


class _Lost(Exception):
    """The consumer is gone, or skipped something: it is made again at the last message seen."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message as it lies in its stream. `at` is when the broker took it."""

    stream: str
    sequence: int
    at: datetime
    subject: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Start:
    """Where to begin: what comes from now on, or what the broker took since a moment."""

    since: datetime | None = None


class StreamReader:
    """Reads one stream for ever. `behind` tells whether it knows of messages that it has not handed over yet."""

    def __init__(
        self,
        client: Client,
        stream: str,
        start: Start,
        *,
        hand_over: Callable[[Arrived], Awaitable[None]],
        subject: str | None = None,
    ) -> None:
        """`subject` narrows what the broker sends; `hand_over` may take its time, nothing is asked for meanwhile."""
        self.stream = stream
        self.behind = True
        self.away = False
        self.changed: Callable[[], None] = lambda: None
        """Called when `behind` or `away` changed."""
        self._client = client
        self._start = start
        self._hand_over = hand_over
        self._subject = subject
        self._position: int | None = None
        self._created: datetime | None = None
        self._seen: dict[str, None] = {}

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            try:
                await self._follow()
            except (_Lost, *_UNWELL):
                self._mark(behind=False, away=True)
            await asyncio.sleep(RETRY_S)

    async def _follow(self) -> None:
        name = f"tail-{secrets.token_hex(8)}"
        manager = self._client.jsm()
        self._find_place(await manager.stream_info(self.stream))
        made = await manager.add_consumer(self.stream, self._config(name))
        self._mark(behind=bool(made.num_pending), away=False)
        inbox, arrived = self._client.new_inbox(), asyncio.Queue[Msg]()
        subscription = await self._client.subscribe(inbox, cb=arrived.put, pending_bytes_limit=0)
        try:
            await self._pull(f"$JS.API.CONSUMER.MSG.NEXT.{self.stream}.{name}", inbox, arrived)
        finally:
            with suppress(*_UNWELL):
                await subscription.unsubscribe()
                await manager.delete_consumer(self.stream, name)

    def _find_place(self, info: Info) -> None:
        rebuilt = self._created is not None and info.created != self._created
        self._created = info.created
        if self._position is None:
            self._position = info.state.last_seq if self._start.since is None else None
        elif rebuilt or info.state.last_seq < self._position:
            # The stream was made anew and counts from 1; what is published into it again is known by its id.
            self._position = 0

    def _config(self, name: str) -> ConsumerConfig:
        config = ConsumerConfig(
            name=name,
            ack_policy=AckPolicy.NONE,
            mem_storage=True,
            inactive_threshold=60,
            filter_subject=self._subject,
            deliver_policy=DeliverPolicy.BY_START_TIME,
            opt_start_time=self._start.since,
        )
        if self._position is None:
            return config
        return config.evolve(
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=self._position + 1, opt_start_time=None
        )

    async def _pull(self, subject: str, inbox: str, arrived: "asyncio.Queue[Msg]") -> None:
        wanted = {"batch": BATCH, "expires": int(EXPIRES_S * 1e9), "idle_heartbeat": int(HEARTBEAT_S * 1e9)}
        delivered = 0
        while True:
            await self._client.publish(subject, json.dumps(wanted).encode(), reply=inbox)
            left = BATCH
            while left:
                message = await asyncio.wait_for(arrived.get(), SILENCE_S) if arrived.empty() else arrived.get_nowait()
                if not message.reply:
                    left = self._left_after(message, left)
                    continue
                left, delivered = left - 1, delivered + 1
                await self._take(message, delivered)

    def _left_after(self, status: Msg, left: int) -> int:
        match (status.headers or {}).get("Status"):
            case "100":
                self._mark(behind=False, away=False)
                return left
            case "404" | "408":
                return 0
            case _:
                raise _Lost

    async def _take(self, message: Msg, delivered: int) -> None:
        about = message.metadata
        if about.sequence.consumer != delivered:
            raise _Lost
        if self._is_new(message):
            place = (self.stream, about.sequence.stream, about.timestamp)
            await self._hand_over(Arrived(*place, message.subject, message.data))
        self._position = about.sequence.stream
        self._mark(behind=about.num_pending > 0, away=False)

    def _is_new(self, message: Msg) -> bool:
        identity = (message.headers or {}).get("Nats-Msg-Id")
        if identity is None:
            return True
        if identity in self._seen:
            return False
        self._seen[identity] = None
        if len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return True

    def _mark(self, *, behind: bool, away: bool) -> None:
        if (behind, away) != (self.behind, self.away):
            self.behind, self.away = behind, away
            self.changed()
