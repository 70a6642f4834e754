"""GET /api/tickets: vistas, trackers and the board, from the views."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from deskstream.contracts.chain_facts import Severity, TicketType
from deskstream.contracts.linked import TicketStage
from deskstream.contracts.vistas import Tracker, Triage
from deskstream.gateway.api.caller import caller
from deskstream.gateway.api.cursors import Cursors
from deskstream.gateway.api.pages import conversation_id
from deskstream.gateway.api.problems import HttpProblem
from deskstream.gateway.api.work_names import ISSUE, PART, Here, Who, id_of
from deskstream.gateway.store import tickets
from deskstream.gateway.store.reading import moment
from deskstream.gateway.store.tickets import TicketFilters, TicketSort
from deskstream.gateway.views.work_shown import Board, TicketsPage, board, ticket_row

router = APIRouter(dependencies=[Depends(caller)])


def _named(prefix: str) -> str:
    """How an object is named in a filter; what looks otherwise is no question about it."""
    return rf"^(?i:{prefix}-[0-9]{{1,16}}|[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}})$"


class TicketsQuery(BaseModel):
    """What may be asked; anything else is 400."""

    model_config = ConfigDict(extra="forbid")

    triage: Annotated[Triage | None, Field(description="The tiered vistas: new; other unsolved; all else.")] = None
    tracker: Annotated[
        Tracker | None, Field(description="Unsolved ones that need a code change or have an issue; all other unsolved.")
    ] = None
    stage: Annotated[list[TicketStage], Field(description="One or several.")] = []
    type: TicketType | None = None
    severity: Severity | None = None
    part: Annotated[str | None, Field(description="And all below it: id or PART-<number>.", max_length=64)] = None
    owner: Annotated[str | None, Field(pattern=r"^[a-z0-9_-]{1,64}$")] = None
    unowned: Annotated[bool, Field(description="Only what nobody owns.")] = False
    account: UUID | None = None
    contact: UUID | None = None
    conversation: Annotated[
        str | None, Field(description="Linked to it: id or CONV-<number>.", pattern=_named("CONV"))
    ] = None
    issue: Annotated[str | None, Field(description="Linked to it: id or ISS-<number>.", pattern=_named("ISS"))] = None
    told: Annotated[bool | None, Field(description="Whether its customer was answered since it was closed.")] = None
    deleted: Annotated[bool, Field(description="Only tombstones, which are hidden otherwise.")] = False
    sort: TicketSort = TicketSort.NEWEST
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str | None, Field(max_length=500)] = None

    def filters(self, part: UUID | None, linked: tuple[UUID, ...]) -> TicketFilters:
        """What the store is asked for."""
        if self.unowned and self.owner is not None:
            raise HttpProblem(HTTPStatus.BAD_REQUEST, "invalid", "unowned: ask for an owner or for none, not for both")
        return TicketFilters(
            triage=self.triage,
            tracker=self.tracker,
            stages=tuple(sorted(set(self.stage))),
            type=self.type,
            severity=self.severity,
            part=part,
            owner="" if self.unowned else self.owner,
            account=self.account,
            contact=self.contact,
            linked=linked,
            told=self.told,
            deleted=self.deleted,
        )


class BoardQuery(BaseModel):
    """What may be asked; anything else is 400."""

    model_config = ConfigDict(extra="forbid")

    closed: Annotated[bool, Field(description="Count closed ones, too.")] = False
    account: UUID | None = None


@router.get("/api/tickets", response_model=TicketsPage, summary="Tickets, a page at a time: vistas and trackers")
async def list_tickets(query: Annotated[TicketsQuery, Query()], here: Here, who: Who) -> Response:
    """Untriaged: `triage=untriaged`. Closed by date: `triage=closed&sort=closed`. Trackers: `tracker=…`.

    What moves meanwhile is heard on the live stream from `as_of` on.
    """
    part = None if query.part is None else await id_of(here, PART, query.part, who)
    filters = query.filters(part, await _linked(query, here, who))
    cursors = Cursors(here.token, filters, query.sort)
    after = None if query.cursor is None else cursors.read(query.cursor)
    async with moment(here.running.pool) as at:
        found = await tickets.page(at.tx, filters, query.sort, after=after, limit=query.limit + 1)
    shown = found[: query.limit]
    more = len(found) > query.limit
    page = TicketsPage(
        tickets=tuple(ticket_row(row) for row in shown),
        next=cursors.write((shown[-1]["sorted_by"], shown[-1]["ticket_id"])) if more else None,
        as_of=at.as_of,
    )
    return Response(page.model_dump_json(), media_type="application/json")


async def _linked(query: TicketsQuery, here: Here, who: Who) -> tuple[UUID, ...]:
    issue = () if query.issue is None else (await id_of(here, ISSUE, query.issue, who),)
    if query.conversation is None:
        return issue
    return (await conversation_id(here.running, query.conversation), *issue)


@router.get("/api/tickets/board", response_model=Board, summary="Tickets by part, grouped by stage")
async def show_board(query: Annotated[BoardQuery, Query()], here: Here) -> Response:
    """How many there are; the list with `part` and `stage` has them."""
    async with moment(here.running.pool) as at:
        rows = await tickets.board(at.tx, closed=query.closed, account=query.account)
    return Response(board(rows, at.as_of).model_dump_json(), media_type="application/json")
