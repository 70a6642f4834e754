"""GET …/chain (W10): everything that hangs together, from any of its members in one request. Ticketing keeps it."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

from deskstream.contracts.linked import TicketStage
from deskstream.contracts.ticket_commands import ReadChain
from deskstream.contracts.vistas import turn_of
from deskstream.gateway.api.caller import Caller, caller
from deskstream.gateway.api.commands import run
from deskstream.gateway.api.context import Context
from deskstream.gateway.api.pages import Named
from deskstream.gateway.api.work_names import (
    ISSUE,
    PART,
    TICKET,
    Here,
    IssueNamed,
    PartNamed,
    TicketNamed,
    Who,
    number_of,
    reference,
)
from deskstream.gateway.store import conversations
from deskstream.gateway.store.reading import PATIENCE
from deskstream.gateway.views.work_shown import Chain

router = APIRouter(dependencies=[Depends(caller)])


class ChainQuery(BaseModel):
    """What may be asked; anything else is 400."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=100, description="Tickets at most.")] = 50


Asked = Annotated[ChainQuery, Query()]


@router.get("/api/tickets/{ticket}/chain", response_model=Chain, summary="The chain that a ticket is in")
async def chain_of_ticket(ticket: TicketNamed, query: Asked, here: Here, who: Who) -> Response:
    return await _chain(here, who, ReadChain(ticket=await number_of(here, TICKET, ticket, who), limit=query.limit))


@router.get("/api/issues/{issue}/chain", response_model=Chain, summary="The chain that an issue is in")
async def chain_of_issue(issue: IssueNamed, query: Asked, here: Here, who: Who) -> Response:
    return await _chain(here, who, ReadChain(issue=await number_of(here, ISSUE, issue, who), limit=query.limit))


@router.get("/api/parts/{part}/chain", response_model=Chain, summary="The chains that a part is in")
async def chain_of_part(part: PartNamed, query: Asked, here: Here, who: Who) -> Response:
    return await _chain(here, who, ReadChain(part=await number_of(here, PART, part, who), limit=query.limit))


@router.get(
    "/api/conversations/{conversation}/chain", response_model=Chain, summary="The chain that a conversation is in"
)
async def chain_of_conversation(conversation: Named, query: Asked, here: Here, who: Who) -> Response:
    found = await reference(here, conversation)
    return await _chain(here, who, ReadChain(conversation=found.number, limit=query.limit))


@router.get("/api/accounts/{account}/chain", response_model=Chain, summary="The chains that an account is in")
async def chain_of_account(account: UUID, query: Asked, here: Here, who: Who) -> Response:
    return await _chain(here, who, ReadChain(account_id=account, limit=query.limit))


async def _chain(here: Context, who: Caller, wanted: ReadChain) -> Response:
    found = await run(here.running, wanted, actor=who.agent)
    named = await _named(here, found["conversations"])
    tickets = [member | {"turn": turn_of(TicketStage(member["stage"]))} for member in found["tickets"]]
    return Response(to_json(found | {"tickets": tickets, "conversations": named}), media_type="application/json")


async def _named(here: Context, members: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Conversations with title and stage, which ticketing does not know."""
    if not members:
        return []
    async with here.running.pool.acquire(timeout=PATIENCE) as tx:
        rows = await conversations.titles(tx, [UUID(member["id"]) for member in members])
    known = {row["conversation_id"]: {"title": row["title"] or "", "stage": row["stage"]} for row in rows}
    return [member | known.get(UUID(member["id"]), {}) for member in members]
