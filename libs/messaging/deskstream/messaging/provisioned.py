"""Waiting for a stream that a starting service hears, and that provisioning may be about to make."""

import asyncio
from typing import Final

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import StreamInfo

from deskstream.messaging.accounts import manager_of

LOOK_EVERY_S: Final = 0.5
SAY_EVERY: Final = 20
"""Looks between two warnings."""

log = structlog.get_logger()


async def stream_info(client: Client, stream: str, *, service: str) -> StreamInfo:
    """What the broker says of the stream, as soon as there is one: it says what it waits for, and does not give up."""
    looks = 0
    while True:
        try:
            return await manager_of(client).stream_info(stream)
        except (NatsError, TimeoutError) as error:
            if looks % SAY_EVERY == 0:
                reason = f"{stream}: {error or type(error).__name__}; `deskstream provision` makes it"
                log.warning("waiting_for_stream", service=service, reason=reason)
            looks += 1
            await asyncio.sleep(LOOK_EVERY_S)
