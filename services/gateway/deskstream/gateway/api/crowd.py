"""How many requests are under way at a time; whoever comes beyond that is told to come back."""

from collections import Counter
from http import HTTPStatus
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from deskstream.gateway.api.problems import RETRY_AFTER, HttpProblem, problem

_READS: Final = {"GET", "HEAD", "OPTIONS"}
_UNCOUNTED: Final = {"/api/events", "/api/health"}
"""Streams have a limit of their own, and a probe must hear how we are."""

BUSY: Final = HttpProblem(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "busy",
    "As many requests as fit are under way. Try again in a moment; a command with the same Idempotency-Key runs once.",
)


class Crowd:
    """Lets so many commands in at a time, and as many reads, as the context says; refuses before a body is read."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._under_way = Counter[bool]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _UNCOUNTED:
            await self.app(scope, receive, send)
            return
        reads = scope["method"] in _READS
        if self._under_way[reads] >= scope["app"].state.context.requests:
            await problem(BUSY, RETRY_AFTER)(scope, receive, send)
            return
        self._under_way[reads] += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._under_way[reads] -= 1
