"""HTTP beside the projector, in the same running loop: started, and stopped without breaking off what is under way."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn

from deskstream.gateway.api.application import application
from deskstream.gateway.api.context import Context
from deskstream.gateway.config import Settings
from deskstream.gateway.live import LiveFeed
from deskstream.messaging import Background, Running


class Server(uvicorn.Server):
    """Leaves signals to the process and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing is captured: who runs the service decides when it stops."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts, then lets `listens` wake who waits for it."""
        await super().startup(sockets)
        self.listens.set()


def http(settings: Settings) -> Background:
    """The HTTP side of the gateway, as the runner starts it."""

    @contextlib.asynccontextmanager
    async def serve(running: Running) -> AsyncIterator[None]:
        live = LiveFeed(running.pool, every=settings.feed_every, heartbeat=settings.heartbeat, most=settings.listeners)
        here = Context(running, live, settings.token.get_secret_value().encode())
        # Bound here: uvicorn would end the process when the address is taken.
        listening = socket.create_server(settings.address, family=_family(settings), backlog=512)
        # Streams end first: the server waits for what is under way, and they never end by themselves.
        async with _served(_server(here, settings), listening), live.running():
            yield

    return serve


def _family(settings: Settings) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in settings.address[0] else socket.AF_INET


def _server(here: Context, settings: Settings) -> Server:
    return Server(
        uvicorn.Config(
            application(here),
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            # Nobody in front of us is trusted to say who asks.
            proxy_headers=False,
            timeout_graceful_shutdown=settings.stop_within,
        )
    )


@contextlib.asynccontextmanager
async def _served(server: Server, listening: socket.socket) -> AsyncIterator[None]:
    serving = asyncio.create_task(server.serve([listening]), name="gateway http")
    listens = asyncio.create_task(server.listens.wait())
    try:
        await asyncio.wait({serving, listens}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            await serving
        yield
    finally:
        listens.cancel()
        server.should_exit = True
        await serving
