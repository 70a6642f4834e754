"""GET one ticket, issue or part: its state as ticketing has it, and what happened to it."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic_core import to_json

from deskstream.contracts.linked import TicketStage
from deskstream.contracts.vistas import turn_of
from deskstream.gateway.api.caller import caller
from deskstream.gateway.api.context import Context
from deskstream.gateway.api.pages import PageQuery
from deskstream.gateway.api.preconditions import etag
from deskstream.gateway.api.work_names import (
    ISSUE,
    PART,
    TICKET,
    Here,
    IssueNamed,
    Kind,
    PartNamed,
    TicketNamed,
    Who,
    find,
    name_of,
)
from deskstream.gateway.store import conversations
from deskstream.gateway.store.reading import moment
from deskstream.gateway.views.work_shown import IssuePage, PartPage, TicketPage, history

router = APIRouter(dependencies=[Depends(caller)])

Asked = Annotated[PageQuery, Query()]


@router.get("/api/tickets/{ticket}", response_model=TicketPage, summary="A ticket, and what happened to it")
async def show_ticket(ticket: TicketNamed, query: Asked, here: Here, who: Who) -> Response:
    """Its version is the ETag, which a change gives back as If-Match."""
    found = await find(here, TICKET, name_of(TICKET, ticket), who)
    return await _show(here, TICKET, found | {"turn": turn_of(TicketStage(found["ticket"]["stage"]))}, query)


@router.get("/api/issues/{issue}", response_model=IssuePage, summary="An issue, and what happened to it")
async def show_issue(issue: IssueNamed, query: Asked, here: Here, who: Who) -> Response:
    """Its version is the ETag, which a change gives back as If-Match."""
    return await _show(here, ISSUE, await find(here, ISSUE, name_of(ISSUE, issue), who), query)


@router.get("/api/parts/{part}", response_model=PartPage, summary="A part, and what happened to it")
async def show_part(part: PartNamed, query: Asked, here: Here, who: Who) -> Response:
    """Its version is the ETag, which a change gives back as If-Match."""
    return await _show(here, PART, await find(here, PART, name_of(PART, part), who), query)


async def _show(here: Context, kind: Kind, found: dict[str, Any], query: PageQuery) -> Response:
    facts = found[kind.name]
    async with moment(here.running.pool) as at:
        latest = await conversations.latest(at.tx, UUID(facts["id"]), before=query.before, limit=query.limit)
    # What ticketing answered is at least as old as what the feed shows: listening from its last step misses nothing.
    shown = found | history(latest, limit=query.limit, as_of=at.as_of)
    return Response(to_json(shown), media_type="application/json", headers=etag(facts["version"]))
