"""Commands for tickets, issues and parts, their links and tasks: every one from one table."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Final, TypeAlias

from fastapi import APIRouter, Depends, Query, Response
from pydantic_core import to_json

from deskstream.contracts import Command, issues, part_commands, ticket_commands
from deskstream.contracts.crm import FindContact
from deskstream.gateway.api import work_names as names
from deskstream.gateway.api.commands import Asking
from deskstream.gateway.api.documents import asked, schema_of
from deskstream.gateway.api.preconditions import etag, no_precondition, version_wanted
from deskstream.gateway.api.work_names import Given

router = APIRouter()

Address: TypeAlias = Callable[..., Awaitable[Given]]


@dataclass(frozen=True, slots=True)
class WorkOffer:
    """A command by the method and address that it is asked with, and the fields that the address says."""

    method: str
    path: str
    kind: type[Command]
    address: Address
    status: HTTPStatus = HTTPStatus.OK


_T, _I, _P = "/api/tickets/{ticket}", "/api/issues/{issue}", "/api/parts/{part}"
_TICKET_TASK, _ISSUE_TASK = f"{_T}/tasks/{{number}}", f"{_I}/tasks/{{number}}"
_TICKET_ISSUE, _TICKET_CONVERSATION = f"{_T}/issues/{{issue}}", f"{_T}/conversations/{{conversation}}"
_RELATION = f"{_I}/{{kind}}/{{other}}"

OFFERS: Final = (
    WorkOffer("PATCH", _T, ticket_commands.ChangeTicket, names.ticket),
    WorkOffer("DELETE", _T, ticket_commands.DeleteTicket, names.ticket),
    WorkOffer("POST", f"{_T}/restore", ticket_commands.RestoreTicket, names.ticket),
    WorkOffer("POST", f"{_T}/requester/{{contact}}", ticket_commands.SwitchRequester, names.ticket_and_requester),
    WorkOffer("POST", f"{_T}/answers", ticket_commands.RecordAnswer, names.ticket),
    WorkOffer("POST", f"{_T}/customer-answers", ticket_commands.RecordCustomer, names.ticket),
    WorkOffer("POST", f"{_T}/decide-answer", ticket_commands.DecideAnswer, names.ticket),
    WorkOffer("POST", f"{_T}/hold", ticket_commands.HoldTicket, names.ticket),
    WorkOffer("POST", f"{_T}/end-wait", ticket_commands.EndTicketWait, names.ticket),
    WorkOffer("POST", f"{_T}/tag-customer-engineer", ticket_commands.TagCustomerEngineer, names.ticket),
    WorkOffer("POST", f"{_T}/solve", ticket_commands.SolveTicket, names.ticket),
    WorkOffer("POST", f"{_T}/cancel", ticket_commands.CancelTicket, names.ticket),
    WorkOffer("POST", f"{_T}/tasks", ticket_commands.AddTicketTask, names.ticket, HTTPStatus.CREATED),
    WorkOffer("POST", _TICKET_TASK, ticket_commands.ChangeTicketTask, names.ticket_task),
    WorkOffer("DELETE", _TICKET_TASK, ticket_commands.ChangeTicketTask, names.dropped_ticket_task),
    WorkOffer("POST", _TICKET_ISSUE, ticket_commands.LinkIssue, names.ticket_and_issue),
    WorkOffer("DELETE", _TICKET_ISSUE, ticket_commands.UnlinkIssue, names.ticket_and_issue),
    WorkOffer("POST", _TICKET_CONVERSATION, ticket_commands.LinkConversation, names.ticket_and_known_conversation),
    WorkOffer("DELETE", _TICKET_CONVERSATION, ticket_commands.UnlinkConversation, names.ticket_and_conversation),
    WorkOffer("POST", "/api/issues", issues.FileIssue, names.nothing_yet, HTTPStatus.CREATED),
    WorkOffer("PATCH", _I, issues.ChangeIssue, names.issue),
    WorkOffer("DELETE", _I, issues.DeleteIssue, names.issue),
    WorkOffer("POST", f"{_I}/restore", issues.RestoreIssue, names.issue),
    WorkOffer("POST", f"{_I}/accept", issues.AcceptIssue, names.issue),
    WorkOffer("POST", f"{_I}/move", issues.MoveIssue, names.issue),
    WorkOffer("POST", f"{_I}/security", issues.MarkSecurity, names.issue),
    WorkOffer("POST", f"{_I}/publish", issues.PublishIssue, names.issue),
    WorkOffer("POST", f"{_I}/approve-answer", issues.ApproveAnswer, names.issue),
    WorkOffer("POST", f"{_I}/tasks", issues.AddIssueTask, names.issue, HTTPStatus.CREATED),
    WorkOffer("POST", _ISSUE_TASK, issues.ChangeIssueTask, names.issue_task),
    WorkOffer("DELETE", _ISSUE_TASK, issues.ChangeIssueTask, names.dropped_issue_task),
    WorkOffer("POST", _RELATION, issues.RelateIssue, names.issue_relation),
    WorkOffer("DELETE", _RELATION, issues.UnrelateIssue, names.issue_relation),
    WorkOffer("POST", "/api/parts", part_commands.SavePart, names.new_part, HTTPStatus.CREATED),
    WorkOffer("PATCH", _P, part_commands.SavePart, names.part),
    WorkOffer("DELETE", _P, part_commands.DeletePart, names.part),
    WorkOffer("POST", f"{_P}/restore", part_commands.RestorePart, names.part),
    WorkOffer("POST", f"{_P}/move/{{parent}}", part_commands.MovePart, names.parent),
)

_SAID_BY_ADDRESS: Final[dict[Address, frozenset[str]]] = {
    names.nothing_yet: frozenset(),
    names.new_part: frozenset({"part_id", "version"}),
    names.ticket: frozenset({"ticket_id", "version"}),
    names.ticket_task: frozenset({"ticket_id", "number", "version"}),
    names.ticket_and_requester: frozenset({"ticket_id", "requester", "account", "workspace"}),
    names.ticket_and_issue: frozenset({"ticket_id", "issue_id"}),
    names.ticket_and_known_conversation: frozenset({"ticket_id", "conversation"}),
    names.issue: frozenset({"issue_id", "version"}),
    names.issue_task: frozenset({"issue_id", "number", "version"}),
    names.issue_relation: frozenset({"issue_id", "kind", "to"}),
    names.part: frozenset({"part_id", "version"}),
    names.parent: frozenset({"part_id", "parent"}),
}

BODIES: Final = {offer.kind: _SAID_BY_ADDRESS[offer.address] for offer in OFFERS if offer.method != "DELETE"}
"""Command -> which of its fields no body may say."""

READS: Final[tuple[type[Command], ...]] = (
    FindContact,
    ticket_commands.FindTicket,
    ticket_commands.ListCustomerTickets,
    ticket_commands.ReadChain,
    issues.FindIssue,
    issues.ListIssues,
    part_commands.FindPart,
    part_commands.ListParts,
)

CALLS: tuple[type[Command], ...] = (ticket_commands.OpenTicket, *dict.fromkeys(offer.kind for offer in OFFERS), *READS)


async def answer(asking: Asking, kind: type[Command], fields: Given, given: Given, status: HTTPStatus) -> Response:
    """Runs the command; its object's version is the answer's ETag."""
    command = asked(kind, fields, given)
    result = await asking.run(command)
    version = next((facts.get("version") for facts in result.values() if isinstance(facts, dict)), None)
    headers = etag(version) if version is not None else None
    return Response(to_json(result), status, headers, "application/json")


def _command(offer: WorkOffer) -> Callable[..., Awaitable[Response]]:
    async def respond(
        asking: Annotated[Asking, Depends()], given: Annotated[Given, Depends(offer.address)]
    ) -> Response:
        unbound = {"version": None} if "version" in offer.kind.model_fields and "version" not in given else {}
        return await answer(asking, offer.kind, await asking.fields(), given | unbound, offer.status)

    return respond


def _change(offer: WorkOffer) -> Callable[..., Awaitable[Response]]:
    async def respond(
        asking: Annotated[Asking, Depends()],
        version: Annotated[int | None, Depends(version_wanted)],
        given: Annotated[Given, Depends(offer.address)],
    ) -> Response:
        fields = await asking.fields()
        return await answer(asking, offer.kind, fields, given | {"version": version}, offer.status)

    return respond


def _removal(offer: WorkOffer) -> Callable[..., Awaitable[Response]]:
    async def respond(
        asking: Annotated[Asking, Depends()],
        version: Annotated[int | None, Depends(version_wanted)],
        reason: Annotated[str, Query(min_length=1, max_length=500, description="Why; it is kept.")],
        given: Annotated[Given, Depends(offer.address)],
    ) -> Response:
        return await answer(asking, offer.kind, {}, given | {"reason": reason, "version": version}, offer.status)

    return respond


def _operation(offer: WorkOffer) -> str:
    """The command's name; with the method where several ask for the same command."""
    alone = sum(other.kind is offer.kind for other in OFFERS) == 1
    return offer.kind.NAME if alone else f"{offer.method.lower()}_{offer.kind.NAME}"


_MADE: Final = {"POST": _command, "PATCH": _change, "DELETE": _removal}

for _offer in OFFERS:
    _body = {"requestBody": {"content": {"application/json": {"schema": schema_of(_offer.kind)}}}}
    router.add_api_route(
        _offer.path,
        _MADE[_offer.method](_offer),
        methods=[_offer.method],
        status_code=_offer.status,
        operation_id=_operation(_offer),
        summary=_offer.kind.NAME.replace("_", " ").capitalize(),
        description=_offer.kind.__doc__ or "",
        openapi_extra=_body if _offer.method != "DELETE" else None,
        dependencies=[Depends(no_precondition)] if _offer.method == "POST" else [],
    )
