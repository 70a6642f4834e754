"""GET /api/conversations/{conversation}: one conversation with everything about it."""

import re
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from deskstream.contracts.ids import ConversationId
from deskstream.gateway.api.caller import caller
from deskstream.gateway.api.context import Context, context
from deskstream.gateway.api.problems import HttpProblem
from deskstream.gateway.store import conversations
from deskstream.gateway.store.reading import PATIENCE, moment
from deskstream.gateway.views.shown import ConversationPage, conversation_page
from deskstream.messaging import Running

router = APIRouter(dependencies=[Depends(caller)])

_NAME = re.compile(r"CONV-([0-9]{1,18})", re.IGNORECASE)

Named = Annotated[str, Path(description="Its id, or CONV-<number>", max_length=64)]


class PageQuery(BaseModel):
    """What may be asked; anything else is 400."""

    model_config = ConfigDict(extra="forbid")

    before: Annotated[int | None, Field(ge=1, lt=2**63, description="`earlier` of the page with newer entries.")] = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 500


async def conversation_id(running: Running, named: str) -> ConversationId:
    """The id that a path names.

    Raises `HttpProblem` 404 for a number that nothing was heard of and for a text that names nothing.
    """
    if by_number := _NAME.fullmatch(named):
        async with running.pool.acquire(timeout=PATIENCE) as tx:
            found = await conversations.id_of(tx, int(by_number[1]))
    else:
        found = _uuid(named)
    if found is None:
        raise unknown_conversation()
    return ConversationId(found)


def unknown_conversation() -> HttpProblem:
    """The same for what is absent, what cannot be, and what a caller may not see."""
    return HttpProblem(HTTPStatus.NOT_FOUND, "unknown_conversation", "There is no such conversation.")


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


@router.get(
    "/api/conversations/{conversation}",
    response_model=ConversationPage,
    summary="A conversation: messages, replies with their delivery, decisions, clocks, participants",
)
async def show_conversation(
    conversation: Named, query: Annotated[PageQuery, Query()], here: Annotated[Context, Depends(context)]
) -> Response:
    """`version`, also as ETag, is what a reply gives back as `last_seen`."""
    found = await conversation_id(here.running, conversation)
    async with moment(here.running.pool) as at:
        row = await conversations.find(at.tx, found)
        if row is None:
            raise unknown_conversation()
        standing = await conversations.standing(at.tx, found)
        latest = await conversations.latest(at.tx, found, before=query.before, limit=query.limit)
    page = conversation_page(row, standing, latest, now=at.now, limit=query.limit)
    content = page.model_copy(update={"as_of": at.as_of}).model_dump_json()
    return Response(content, media_type="application/json", headers={"ETag": f'"{page.version}"'})
