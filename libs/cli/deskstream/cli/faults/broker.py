"""The broker of a fault run as whoever runs it sees it: what it is furnished with, what it holds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from nats.aio.client import Client

from deskstream.contracts import subjects
from deskstream.messaging import Declaration
from deskstream.messaging.topology import provision, stream_of, topology

FEWEST_S = 2.0
"""Ids that the broker remembers for so long only: most of what is published again after a fault is stored twice."""
BACK_WITHIN_S = 20.0


async def furnish_broker(client: Client, declarations: Sequence[Declaration]) -> None:
    """Streams and durables, whichever are missing."""
    await back(client)
    wanted = topology(declarations)
    await provision(client, wanted)
    for stream in wanted.streams:
        config = (await client.jsm().stream_info(stream.name)).config
        config.duplicate_window = FEWEST_S
        await client.jsm().update_stream(config)


async def stored_inbound(client: Client) -> int:
    """How many messages of adapters the broker holds; nothing that this client published is on its way any more."""
    await back(client)
    await client.flush()
    return await _messages(client, stream_of(subjects.INBOUND))


async def stored_on(client: Client, lanes: Sequence[str]) -> dict[str, int]:
    """How many messages each of these lanes' streams holds."""
    return {lane: await _messages(client, stream_of(lane)) for lane in lanes}


async def back(client: Client) -> None:
    """Returns when the connection is there again. Raises TimeoutError."""
    async with asyncio.timeout(BACK_WITHIN_S):
        while not client.is_connected:  # noqa: ASYNC110 - the client has no event for it
            await asyncio.sleep(0.05)


async def _messages(client: Client, stream: str) -> int:
    return (await client.jsm().stream_info(stream)).state.messages
