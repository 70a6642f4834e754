"""GET /api/conversations: the inbox."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from deskstream.contracts.facts import Kind, Priority, Stage
from deskstream.contracts.inbound import ChannelName, InboxName
from deskstream.gateway.api.caller import caller
from deskstream.gateway.api.context import Context, context
from deskstream.gateway.api.cursors import Cursors
from deskstream.gateway.api.problems import HttpProblem
from deskstream.gateway.store import lists
from deskstream.gateway.store.lists import Filters, Sort
from deskstream.gateway.store.reading import moment
from deskstream.gateway.views.shown import InboxPage, inbox_row

router = APIRouter(dependencies=[Depends(caller)])


class ListQuery(BaseModel):
    """What may be asked; anything else is 400."""

    model_config = ConfigDict(extra="forbid")

    stage: Annotated[list[Stage], Field(description="One or several; without it all but suspended.")] = []
    owner: Annotated[str | None, Field(pattern=r"^[a-z0-9_-]{1,64}$")] = None
    unowned: Annotated[bool, Field(description="Only what nobody owns.")] = False
    channel: ChannelName | None = None
    inbox: InboxName | None = None
    account: UUID | None = None
    kind: Kind | None = None
    priority: Priority | None = None
    snoozed: Annotated[bool, Field(description="Only what is snoozed now, which is hidden otherwise.")] = False
    sort: Sort = Sort.URGENCY
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str | None, Field(max_length=500)] = None

    def filters(self) -> Filters:
        """What the store is asked for."""
        if self.unowned and self.owner is not None:
            raise HttpProblem(HTTPStatus.BAD_REQUEST, "invalid", "unowned: ask for an owner or for none, not for both")
        return Filters(
            stages=tuple(sorted(set(self.stage))),
            owner="" if self.unowned else self.owner,
            channel=self.channel,
            inbox=self.inbox,
            account=self.account,
            kind=self.kind,
            priority=self.priority,
            snoozed=self.snoozed,
        )


@router.get("/api/conversations", response_model=InboxPage, summary="The inbox, a page at a time")
async def list_conversations(
    query: Annotated[ListQuery, Query()], here: Annotated[Context, Depends(context)]
) -> Response:
    """Pages follow each other by place: nothing is shown twice or left out where the order itself does not change.

    What moves meanwhile is heard on the live stream from `as_of` on.
    """
    filters = query.filters()
    cursors = Cursors(here.token, filters, query.sort)
    after = None if query.cursor is None else cursors.read(query.cursor)
    async with moment(here.running.pool) as at:
        found = await lists.page(at.tx, filters, query.sort, after=after, limit=query.limit + 1)
    shown = found[: query.limit]
    more = len(found) > query.limit
    page = InboxPage(
        conversations=tuple(inbox_row(row, at.now) for row in shown),
        next=cursors.write((shown[-1]["sorted_by"], shown[-1]["conversation_id"])) if more else None,
        as_of=at.as_of,
    )
    return Response(page.model_dump_json(), media_type="application/json")
