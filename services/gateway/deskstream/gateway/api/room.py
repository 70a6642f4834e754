"""What every route works with: the running service, the live feed, and the secret it was told."""

from dataclasses import dataclass

from fastapi import Request

from deskstream.gateway.live import LiveFeed
from deskstream.messaging import Running


@dataclass(frozen=True, slots=True)
class Room:
    """Built once a process; the application carries it."""

    running: Running
    live: LiveFeed
    token: bytes


def room(request: Request) -> Room:
    """The room of the application that got this request."""
    found: Room = request.app.state.room
    return found
