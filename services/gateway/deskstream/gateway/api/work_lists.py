"""GET /api/issues, /api/parts, and a contact's tickets as the contact sees them: asked of ticketing."""

from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

from deskstream.contracts import Command
from deskstream.contracts.chain_facts import Severity
from deskstream.contracts.ids import AccountId, ContactId, PartId
from deskstream.contracts.issues import ListIssues
from deskstream.contracts.linked import IssueStage
from deskstream.contracts.part_commands import ListParts
from deskstream.contracts.ticket_commands import ListCustomerTickets
from deskstream.gateway.api.caller import Caller, caller
from deskstream.gateway.api.commands import run
from deskstream.gateway.api.context import Context
from deskstream.gateway.api.problems import HttpProblem
from deskstream.gateway.api.work_names import NUMBERS_TO, PART, Here, Who, id_of
from deskstream.gateway.views.work_shown import CustomersTickets, IssuesPage, PartsPage

router = APIRouter(dependencies=[Depends(caller)])

Skip = Annotated[int, Field(ge=0, le=100_000)]


class IssuesQuery(BaseModel):
    """What may be asked; anything else is 400."""

    model_config = ConfigDict(extra="forbid")

    stage: IssueStage | None = None
    open: Annotated[bool | None, Field(description="Neither completed, nor won't fix, nor a duplicate.")] = None
    part: Annotated[str | None, Field(description="Id or PART-<number>.", max_length=64)] = None
    owner: Annotated[str | None, Field(pattern=r"^[a-z0-9_-]{1,64}$")] = None
    unowned: Annotated[bool, Field(description="Only what nobody owns.")] = False
    severity: Severity | None = None
    security: Annotated[
        Literal["no", "unsure", "yes"] | None, Field(description="Confidential ones are `yes`; `unsure` ones are held.")
    ] = None
    linked: Annotated[bool | None, Field(description="Whether a ticket hangs on it.")] = None
    account: Annotated[UUID | None, Field(description="Only those on which a ticket of this account's hangs.")] = None
    sort: Literal["newest", "weight"] = "newest"
    skip: Skip = 0
    limit: Annotated[int, Field(ge=1, le=100)] = 50

    def wish(self, part: PartId | None) -> ListIssues:
        """What ticketing is asked for. Raises `HttpProblem` for somebody's and nobody's at once."""
        if self.unowned and self.owner is not None:
            raise HttpProblem(HTTPStatus.BAD_REQUEST, "invalid", "unowned: ask for an owner or for none, not for both")
        return ListIssues(
            stage=self.stage,
            open=self.open,
            part_id=part,
            owner="" if self.unowned else self.owner,
            severity=self.severity,
            security=self.security,
            linked=self.linked,
            account_id=None if self.account is None else AccountId(self.account),
            sort=self.sort,
            skip=self.skip,
            limit=self.limit,
        )


class PartsQuery(BaseModel):
    """What may be asked; anything else is 400."""

    model_config = ConfigDict(extra="forbid")

    below: Annotated[str | None, Field(description="Only this part's tree: id or PART-<number>.", max_length=64)] = None
    sort: Literal["tree", "weight"] = "tree"
    skip: Skip = 0
    limit: Annotated[int, Field(ge=1, le=200)] = 100


class CustomersQuery(BaseModel):
    """What may be asked; anything else is 400."""

    model_config = ConfigDict(extra="forbid")

    before: Annotated[int | None, Field(ge=1, le=NUMBERS_TO)] = None
    limit: Annotated[int, Field(ge=1, le=100)] = 50


@router.get("/api/issues", response_model=IssuesPage, summary="Issues, newest or heaviest first")
async def list_issues(query: Annotated[IssuesQuery, Query()], here: Here, who: Who) -> Response:
    part = None if query.part is None else PartId(await id_of(here, PART, query.part, who))
    return await _page(here, who, query.wish(part), "issues", query)


@router.get("/api/parts", response_model=PartsPage, summary="The product tree, or the heaviest parts first")
async def list_parts(query: Annotated[PartsQuery, Query()], here: Here, who: Who) -> Response:
    below = None if query.below is None else PartId(await id_of(here, PART, query.below, who))
    wanted = ListParts(below=below, **query.model_dump(exclude={"below"}))
    return await _page(here, who, wanted, "parts", query)


@router.get(
    "/api/contacts/{contact}/tickets",
    response_model=CustomersTickets,
    summary="A contact's tickets as the contact may see them",
)
async def list_customers_tickets(
    contact: UUID, query: Annotated[CustomersQuery, Query()], here: Here, who: Who
) -> Response:
    """Nothing internal, and no word of any issue (W12)."""
    wanted = ListCustomerTickets(contact_id=ContactId(contact), before=query.before, limit=query.limit)
    found = await run(here.running, wanted, actor=who.agent)
    more = found["tickets"][-1]["number"] if len(found["tickets"]) == query.limit else None
    return _json(found | {"next": more})


async def _page(here: Context, who: Caller, wanted: Command, name: str, query: IssuesQuery | PartsQuery) -> Response:
    found = await run(here.running, wanted, actor=who.agent)
    more = found.pop("more")
    return _json(found | {"next": query.skip + len(found[name]) if more else None})


def _json(content: dict[str, Any]) -> Response:
    return Response(to_json(content), media_type="application/json")
