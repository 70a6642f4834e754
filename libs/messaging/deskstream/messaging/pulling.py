"""One durable's messages, pulled on the service's own connection into the runner's inbox.

The framework's pull subscribers cost twice the CPU, wait for a whole timeout before they hand over a batch, and lose a
collected batch when a pull times out; so the loop is our own. Protocol: NATS ADR-13, ADR-20 (heartbeats).
"""

import asyncio
import json
from collections.abc import Callable
from time import monotonic
from typing import Final

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from deskstream.messaging.accounts import api_of
from deskstream.messaging.ending import end
from deskstream.messaging.item import pending_of

BATCH: Final = 200
EXPIRES_S: Final = 30.0
HEARTBEAT_S: Final = 5.0
RETRY_S: Final = 0.5
QUIET_S: Final = 0.5
"""A durable that delivers nothing for so long after the first request has nothing."""

log = structlog.get_logger()


class Puller:
    """Keeps one or two pull requests open, so that messages flow without a pause and none is lost on reconnect."""

    def __init__(
        self, stream: str, durable: str, hand_over: Callable[[Msg], None], has_room: Callable[[], bool]
    ) -> None:
        self.stream = stream
        self._durable = durable
        self._hand_over = hand_over
        self._has_room = has_room
        self._client: Client | None = None
        self._inbox = ""
        self._subscription: Subscription | None = None
        self._outstanding = 0
        self._last_sign = 0.0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._blocked_until = 0.0
        self._started = monotonic()
        self._pending: int | None = None

    @property
    def backlog(self) -> int | None:
        """Messages that the server has yet to deliver, as of the last one; None until it is known."""
        if self._pending is None and monotonic() - self._started > QUIET_S:
            return 0
        return self._pending

    async def start(self, client: Client) -> None:
        """Subscribes the inbox and begins to pull."""
        self._client = client
        self._inbox = client.new_inbox()
        self._started = monotonic()
        self._subscription = await client.subscribe(self._inbox, cb=self._arrived, pending_bytes_limit=0)
        self._task = asyncio.create_task(self._keep_pulling(), name=f"pull {self.stream}")

    async def stop(self) -> None:
        """Pulls no more; what was handed over already is the runner's."""
        if self._task is not None:
            await end([self._task])
            self._task = None
        if self._subscription is not None:
            try:
                await self._subscription.unsubscribe()
            except NatsError as error:
                log.debug("unsubscribe_failed", reason=repr(error))
            self._subscription = None

    def rearm(self) -> None:
        """After a reconnect the server knows none of our requests."""
        self._outstanding = 0
        self._wake.set()

    def room_again(self) -> None:
        """The runner has taken something."""
        if self._outstanding < BATCH // 2:
            self._wake.set()

    async def _arrived(self, message: Msg) -> None:
        self._last_sign = monotonic()
        status = message.headers.get("Status") if message.headers and not message.reply else None
        if status is None:
            self._outstanding = max(0, self._outstanding - 1)
            self._pending = pending_of(message.reply)
            self._hand_over(message)
        else:
            self._status(status, message.headers or {})
        if self._outstanding < BATCH // 2:
            self._wake.set()

    def _status(self, status: str, headers: dict[str, str]) -> None:
        match status:
            case "100":
                # A heartbeat comes when there is nothing to give, also where a purge took what was pending.
                self._pending = 0
            case "404" | "408":
                unfilled = int(headers.get("Nats-Pending-Messages", self._outstanding))
                self._outstanding = max(0, self._outstanding - unfilled)
            case _:
                # Consumer gone, no responders, leadership change: asking again at once would be a hot loop.
                log.warning("pull_refused", stream=self.stream, status=status, reason=headers.get("Description", ""))
                self._outstanding = 0
                self._blocked_until = monotonic() + RETRY_S

    async def _keep_pulling(self) -> None:
        while True:
            pause = self._blocked_until - monotonic()
            if pause > 0:
                await asyncio.sleep(pause)
            if self._outstanding and monotonic() - self._last_sign > 3 * HEARTBEAT_S:
                self._outstanding = 0
            if self._outstanding < BATCH // 2 and self._has_room():
                await self._request()
            self._wake.clear()
            try:
                # Not `wait_for`: under load Python 3.11's swallows the cancellation that ends this loop.
                async with asyncio.timeout(HEARTBEAT_S):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _request(self) -> None:
        assert self._client is not None
        asked = {"batch": BATCH, "expires": int(EXPIRES_S * 1e9), "idle_heartbeat": int(HEARTBEAT_S * 1e9)}
        try:
            request = f"{api_of(self._client)}.CONSUMER.MSG.NEXT.{self.stream}.{self._durable}"
            await self._client.publish(request, json.dumps(asked).encode(), reply=self._inbox)
        except NatsError as error:
            log.debug("pull_postponed", stream=self.stream, reason=repr(error))
            self._blocked_until = monotonic() + RETRY_S
            return
        if self._outstanding == 0:
            self._last_sign = monotonic()
        self._outstanding += BATCH
