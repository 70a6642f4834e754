"""GET /api/events: what happens, as it happens, resumed from the last id without a gap."""

from collections.abc import AsyncIterator
from contextlib import suppress
from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sse_starlette import EventSourceResponse
from sse_starlette.sse import SendTimeoutError
from starlette.types import Receive, Scope, Send

from deskstream.gateway.api.caller import caller
from deskstream.gateway.api.context import Context, context
from deskstream.gateway.api.problems import HttpProblem
from deskstream.gateway.handlers import SHOWN
from deskstream.gateway.live import TooManyListeners
from deskstream.gateway.store.feed import Wanted

router = APIRouter(dependencies=[Depends(caller)])

SEND_WITHIN = 30.0
"""Seconds that one part may take to leave; then the client is too slow and is let go."""

Service = Literal["conversation", "routing", "sla", "ticketing"]
_EVENTS = frozenset(kind.NAME for kind in SHOWN)


class StreamQuery(BaseModel):
    """What may be asked; anything else is 400."""

    model_config = ConfigDict(extra="forbid")

    service: Annotated[list[Service], Field(description="Only what these say.")] = []
    event: Annotated[list[str], Field(description="Only these, e.g. customer_replied.", max_length=50)] = []
    key: Annotated[
        list[UUID],
        Field(description="Only what is about these conversations, tickets, issues or parts.", max_length=100),
    ] = []
    after: Annotated[
        int | None, Field(ge=0, lt=2**63, description="Begin behind this id; without it, with what comes next.")
    ] = None

    def wanted(self) -> Wanted:
        """What the live feed is asked for."""
        if strange := sorted(set(self.event) - _EVENTS):
            raise HttpProblem(HTTPStatus.BAD_REQUEST, "invalid", f"event: there is no {strange[0]!r}")
        return Wanted(frozenset(self.service), frozenset(self.event), frozenset(self.key))


class LiveResponse(EventSourceResponse):
    """Lets a client that takes nothing any more go without an error of ours."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(SendTimeoutError):
            await super().__call__(scope, receive, send)


@router.get("/api/events", summary="The live stream (Server-Sent Events)", response_class=LiveResponse)
async def events(
    query: Annotated[StreamQuery, Query()],
    here: Annotated[Context, Depends(context)],
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID")] = None,
) -> Response:
    """Each event is a JSON object under `data`, its id the place to resume from.

    `event: reset` says that the id asked for is not of this feed: read what you show anew, then go on from `as_of`.
    """
    after = query.after if last_event_id is None else _place(last_event_id)
    try:
        stream: AsyncIterator[bytes] = await here.live.listen(query.wanted(), after)
    except TooManyListeners as error:
        raise HttpProblem(
            HTTPStatus.SERVICE_UNAVAILABLE, "too_many_listeners", "Too many listen already. Try again later."
        ) from error
    # The stream has signs of life of its own, which move the place to resume from; a ping would not.
    return LiveResponse(stream, ping=0, send_timeout=SEND_WITHIN)


def _place(last_event_id: str) -> int:
    if not last_event_id.isascii() or not last_event_id.isdigit() or len(last_event_id) > 18:
        raise HttpProblem(HTTPStatus.BAD_REQUEST, "invalid", "Last-Event-ID: the id of an event of this stream")
    return int(last_event_id)
