"""The door for a provider's webhooks: an HTTP server beside a service, a bounded body, a signature on the raw bytes.

The signature is that of Standard Webhooks 1.0: HMAC-SHA-256 of `id.timestamp.body`, in base64, after `v1,`.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hmac
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

BODY_LIMIT: Final = 1024 * 1024
"""Bytes of one webhook."""
BODY_WITHIN_S: Final = 10.0
STALE_AFTER_S: Final = 300
"""Seconds by which a signature's time may differ from ours."""
STOP_WITHIN_S: Final = 15

Taken = Callable[[Mapping[str, str], bytes], Awaitable[tuple[HTTPStatus, str]]]
"""What becomes of a webhook, by its headers and its raw body: the status, and a sentence for the provider's log."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """What a provider signs with: one secret, or two while one replaces the other."""

    keys: tuple[bytes, ...]

    @classmethod
    def read(cls, text: str) -> Secrets:
        """Separated by blanks, each in base64, with or without `whsec_` before it. Raises ValueError."""
        try:
            keys = tuple(base64.b64decode(one.removeprefix("whsec_"), validate=True) for one in text.split())
        except binascii.Error:
            raise ValueError("must be base64, as the provider shows it: whsec_…") from None
        if any(len(key) < 16 for key in keys):
            raise ValueError("must have 16 bytes or more")
        return cls(keys)

    def hold(self, headers: Mapping[str, str], body: bytes, *, now: float) -> bool:
        """Whether it was signed with one of them, and lately. Constant time; without a secret nothing holds."""
        id_, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        if not (at.isascii() and at.isdigit() and len(at) <= 12 and abs(now - int(at)) <= STALE_AFTER_S):
            return False
        shown = [one.encode() for one in headers.get("webhook-signature", "").split()[:10]]
        signed = f"{id_}.{at}.".encode() + body
        right = [b"v1," + base64.b64encode(hmac.digest(key, signed, "sha256")) for key in self.keys]
        same = [hmac.compare_digest(one, other) for one in shown for other in right]
        return any(same)


class _Server(uvicorn.Server):
    """Leaves signals to the process, and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()


@contextlib.asynccontextmanager
async def taking(listen: str, taken: Taken) -> AsyncIterator[int]:
    """Answers POST / on `host:port` until it is left; gives the port. Raises OSError where the address is in use."""
    host, _, port = listen.rpartition(":")
    listening = socket.create_server((host.strip("[]"), int(port)), backlog=512)
    app = Starlette(routes=[Route("/", _endpoint(taken), methods=["POST"])])
    server = _Server(
        uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=STOP_WITHIN_S,
        )
    )
    serving = asyncio.create_task(server.serve([listening]), name="webhooks")
    await asyncio.wait({serving, asyncio.ensure_future(server.listens.wait())}, return_when=asyncio.FIRST_COMPLETED)
    try:
        yield int(listening.getsockname()[1])
    finally:
        server.should_exit = True
        await serving


def _endpoint(taken: Taken) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            async with asyncio.timeout(BODY_WITHIN_S):
                body = await _body(request)
        except (TimeoutError, ClientDisconnect):
            return _told(HTTPStatus.REQUEST_TIMEOUT, f"The body did not arrive within {BODY_WITHIN_S:g} s.")
        if body is None:
            return _told(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A webhook may have {BODY_LIMIT:,} bytes.")
        return _told(*await taken(request.headers, body))

    return answer


async def _body(request: Request) -> bytes | None:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > BODY_LIMIT:
            return None
        parts.append(part)
    return b"".join(parts)


# Without it the server would read on, and throw away, for as long as the other side sends.
_CLOSE: Final = {"Connection": "close"}
_HEADERS: Final = {
    HTTPStatus.REQUEST_TIMEOUT: _CLOSE,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: _CLOSE,
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": "5"},
}


def _told(status: HTTPStatus, sentence: str) -> Response:
    return JSONResponse({"status": status, "detail": sentence}, status, _HEADERS.get(status))
