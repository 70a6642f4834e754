"""What an adapter publishes, read from the stream itself."""

from __future__ import annotations

import asyncio
from types import TracebackType

import nats
from nats.aio.client import Client
from nats.errors import TimeoutError as NothingThere
from nats.js.client import JetStreamContext
from pydantic import ValidationError

from deskstream.contracts import subjects
from deskstream.contracts.inbound import InboundMessage, read_inbound
from deskstream.messaging.topology import stream_of
from deskstream.testkit.conformance.laws import Published

_LOOK_S = 0.5


class InboundStream:
    """The inbound stream, from where it stands when it is entered."""

    def __init__(self, nats_url: str) -> None:
        self._url = nats_url
        self._client: Client | None = None
        self._subscription: JetStreamContext.PushSubscription | None = None

    async def __aenter__(self) -> InboundStream:
        self._client = await nats.connect(self._url)
        self._subscription = await self._client.jetstream().subscribe(
            subjects.INBOUND_ALL, stream=stream_of(subjects.INBOUND), ordered_consumer=True
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            await self._client.close()

    async def until(self, mark: str, *, within: float) -> list[Published] | None:
        """What was published before the message whose id has this mark; None when that does not come in time."""
        assert self._subscription is not None
        found: list[Published] = []
        try:
            async with asyncio.timeout(within):
                while True:
                    try:
                        message = await self._subscription.next_msg(timeout=_LOOK_S)
                    except NothingThere:
                        continue
                    published = Published(message.subject, message.data)
                    if mark in _external_id(published):
                        return found
                    found.append(published)
        except TimeoutError:
            return None


def _external_id(published: Published) -> str:
    try:
        said = read_inbound(published.body)
    except ValidationError:
        return ""
    return said.external_id if isinstance(said, InboundMessage) else ""
