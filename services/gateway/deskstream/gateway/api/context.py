"""What every route works with: the running service, the live feed, and the secret it was told."""

from dataclasses import dataclass

from fastapi import Request

from deskstream.gateway.live import LiveFeed
from deskstream.messaging import Running


@dataclass(frozen=True, slots=True)
class Context:
    """Built once a process; the application carries it."""

    running: Running
    live: LiveFeed
    token: bytes
    requests: int = 200
    """Commands under way at a time, and as many reads."""


def context(request: Request) -> Context:
    """The context of the application that got this request."""
    found: Context = request.app.state.context
    return found
