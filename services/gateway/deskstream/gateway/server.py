"""HTTP beside the projector, in the same running loop: started, and stopped without breaking off what is under way."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from time import monotonic
from typing import Final

import uvicorn

from deskstream.gateway.api.application import application
from deskstream.gateway.api.context import Context
from deskstream.gateway.config import Settings
from deskstream.gateway.live import LiveFeed
from deskstream.messaging import Background, Running

KEEP_ALIVE_S: Final = 75
"""Longer than callers and balancers keep a connection that nobody uses: who closes it first should be they."""
LAST_REQUEST_S: Final = 1.0
"""So long a caller that has a connection may still bring a request when we stop."""


class Server(uvicorn.Server):
    """Leaves signals to the process, says when it listens, and stops without leaving a request unanswered."""

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

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Nobody new gets in; whoever is in gets an answer, and with it the end of the connection.

        A connection that is closed while nothing happens on it may just be bringing a request, which would be lost.
        """
        state = self.server_state
        state.default_headers = [*state.default_headers, (b"connection", b"close")]
        knocked = [found for listening in sockets or () for found in _knocked(listening)]
        for server in self.servers:
            server.close()
        for found in knocked:
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, found)
        until = monotonic() + LAST_REQUEST_S
        while state.connections and monotonic() < until:  # noqa: ASYNC110 - the server counts them, and tells nobody
            await asyncio.sleep(0.02)
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.Protocol:
        make: Callable[..., asyncio.Protocol] = self.config.http_protocol_class
        return make(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)


def _knocked(listening: socket.socket) -> Iterator[socket.socket]:
    """Those whom the kernel has connected already: it would reset them when nobody listens any more."""
    with contextlib.suppress(OSError):
        while True:
            yield listening.accept()[0]


def http(settings: Settings) -> Background:
    """The HTTP side of the gateway, as the runner starts it."""

    @contextlib.asynccontextmanager
    async def serve(running: Running) -> AsyncIterator[None]:
        live = LiveFeed(running.pool, every=settings.feed_every, heartbeat=settings.heartbeat, most=settings.listeners)
        here = Context(running, live, settings.token.get_secret_value().encode(), settings.requests)
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
            timeout_keep_alive=KEEP_ALIVE_S,
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
