"""Opening tickets and filing issues: for a contact, from a conversation, out of what they are linked to (W2, W9)."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Response
from pydantic_core import to_json

from deskstream.contracts import Command
from deskstream.contracts.conversation_tickets import PrefillTicket
from deskstream.contracts.ids import IssueId
from deskstream.contracts.issues import DeleteIssue, FileIssue, MoveIssue, RelateIssue
from deskstream.contracts.linked import IssueStage
from deskstream.contracts.ticket_commands import OpenTicket
from deskstream.gateway.api import work_names as names
from deskstream.gateway.api.caller import Caller
from deskstream.gateway.api.commands import Asking, run
from deskstream.gateway.api.context import Context
from deskstream.gateway.api.documents import asked, reference_to, schema_of, schemas_of
from deskstream.gateway.api.pages import Named, conversation_id
from deskstream.gateway.api.preconditions import etag, no_precondition
from deskstream.gateway.api.problems import HttpProblem
from deskstream.gateway.api.work_commands import answer
from deskstream.gateway.api.work_names import ISSUE, TICKET, Given, Here, IssueNamed, Kind, TicketNamed, Who

router = APIRouter(dependencies=[Depends(no_precondition)])

_SAID_BY_CRM: Final = ("requester", "account", "workspace")
_SAID_BY_CONVERSATION: Final = ("conversation", "channel", *_SAID_BY_CRM, "messages")
_OF_NONE: Final = {"conversation": None, "messages": ()}
_SUGGESTED: Final = ("title", "text")
_FROM_CONVERSATION: Final = "OpenTicketFromConversation"

Linking = Callable[[IssueId, IssueId], Command]
LINKING: Final[dict[str, Linking]] = {
    "blocks": lambda old, new: RelateIssue(issue_id=old, kind="blocks", to=new),
    "relates": lambda old, new: RelateIssue(issue_id=old, kind="relates", to=new),
    "duplicates": lambda old, new: MoveIssue(issue_id=old, stage=IssueStage.DUPLICATE, duplicate_of=new),
}
"""W9: how an issue is linked to one that is filed for it, by the word in the address."""


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"content": {"application/json": {"schema": schema}}}}


def schemas() -> dict[str, Any]:
    """How the bodies look, by name."""
    whole = schemas_of([OpenTicket], frozenset((*_SAID_BY_CRM, *_OF_NONE)))
    described = {"type": "string", "maxLength": names.CONTACT_LENGTH, "description": "Who asks: id or mail address."}
    whole["OpenTicket"]["properties"]["contact"] = described
    said = frozenset(_SAID_BY_CONVERSATION) - {"messages"}
    return whole | {_FROM_CONVERSATION: schemas_of([OpenTicket], said)["OpenTicket"] | {"required": []}}


@router.post(
    "/api/tickets",
    status_code=HTTPStatus.CREATED,
    operation_id="open_ticket",
    summary="Open ticket",
    openapi_extra=_body(schema_of(OpenTicket)),
)
async def open_ticket(asking: Annotated[Asking, Depends()], who: Who) -> Response:
    """For a `contact`, known by id or mail address, whose account and workspace the CRM says (W5); or for nobody.

    `…/conversations/{conversation}/tickets` opens one from a conversation.
    """
    return await _open(asking, who, {})


@router.post(
    "/api/issues/{issue}/tickets",
    status_code=HTTPStatus.CREATED,
    operation_id="open_ticket_on_issue",
    summary="Open ticket on an issue",
    openapi_extra=_body(schema_of(OpenTicket)),
)
async def open_on_issue(
    asking: Annotated[Asking, Depends()], who: Who, issue: Annotated[Given, Depends(names.issue)]
) -> Response:
    """As `open_ticket`, and linked to the issue at once."""
    return await _open(asking, who, issue)


@router.post(
    "/api/conversations/{conversation}/tickets",
    status_code=HTTPStatus.CREATED,
    operation_id="open_ticket_from_conversation",
    summary="Open ticket from a conversation",
    openapi_extra=_body(reference_to(_FROM_CONVERSATION)),
)
async def open_from_conversation(asking: Annotated[Asking, Depends()], conversation: Named) -> Response:
    """From chosen `messages`, without any from the first one; `title` and `text` are theirs unless they are given.

    Who asks, for which account and on which channel, the conversation says. The two are linked both ways.
    """
    fields = await asking.fields()
    found = await conversation_id(asking.here.running, conversation)
    chosen = {name: fields.pop(name) for name in ("messages",) if name in fields}
    wanted = asked(PrefillTicket, chosen, {"conversation_id": found})
    prefill = (await run(asking.here.running, wanted, actor=asking.agent))["prefill"]
    suggested = {name: prefill[name] for name in _SUGGESTED}
    given = {name: prefill[name] for name in _SAID_BY_CONVERSATION}
    return await answer(asking, OpenTicket, suggested | fields, given, HTTPStatus.CREATED)


@router.post(
    "/api/tickets/{ticket}/issues",
    status_code=HTTPStatus.CREATED,
    operation_id="file_issue_for_ticket",
    summary="File issue for a ticket",
    openapi_extra=_body(schema_of(FileIssue)),
)
async def file_for_ticket(asking: Annotated[Asking, Depends()], here: Here, who: Who, ticket: TicketNamed) -> Response:
    """The ticket links it by itself; with `wait` it waits for it."""
    given = {"tickets": [(await _not_deleted(here, TICKET, ticket, who))["id"]]}
    return await answer(asking, FileIssue, await asking.fields(), given, HTTPStatus.CREATED)


async def _open(asking: Asking, who: Who, given: Given) -> Response:
    fields = await asking.fields()
    contact = fields.pop("contact", None)
    known = dict.fromkeys(_SAID_BY_CRM) if contact is None else await names.requester(asking.here, who, contact)
    return await answer(asking, OpenTicket, fields, known | _OF_NONE | given, HTTPStatus.CREATED)


def _filing(word: str) -> Callable[..., Awaitable[Response]]:
    async def file_and_link(asking: Annotated[Asking, Depends()], here: Here, who: Who, issue: IssueNamed) -> Response:
        old = await _not_deleted(here, ISSUE, issue, who)
        filing = asked(FileIssue, await asking.fields(), {})
        new = (await asking.run(filing))["issue"]
        linked = await _link_or_undo(asking, LINKING[word](IssueId(old["id"]), IssueId(new["id"])), new)
        content = {"issue": new, "linked": linked}
        return Response(to_json(content), HTTPStatus.CREATED, etag(new["version"]), "application/json")

    return file_and_link


async def _not_deleted(here: Context, kind: Kind, named: str, who: Caller) -> dict[str, Any]:
    """What an issue is to be filed for: whoever asks would not hear that ticketing cannot link it later."""
    found: dict[str, Any] = (await names.find(here, kind, names.name_of(kind, named), who))[kind.name]
    if found["deleted"] is not None:
        sentence = f"{kind.prefix}-{found['number']} is deleted. Restore it first."
        raise HttpProblem(HTTPStatus.CONFLICT, f"{kind.name}_is_deleted", sentence)
    return found


async def _link_or_undo(asking: Asking, linking: Command, new: dict[str, Any]) -> dict[str, Any]:
    """The other issue after its link. Each step has a key of its own, so that a repeated request goes on where it
    broke off; where the link is refused, the new issue does not stay behind. Where ticketing is unwell nothing is
    undone: the repeated request would link what is gone."""
    try:
        linked: dict[str, Any] = (await asking.run(linking, step="link"))["issue"]
    except HttpProblem as refusal:
        if refusal.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise  # Nobody said no: the same request again goes on from here.
        gone = DeleteIssue(issue_id=IssueId(new["id"]), reason=f"Filed to be linked, which was refused: {refusal.code}")
        await asking.run(gone, step="undo")
        raise
    return linked


for _word in LINKING:
    router.add_api_route(
        f"/api/issues/{{issue}}/{_word}",
        _filing(_word),
        methods=["POST"],
        status_code=HTTPStatus.CREATED,
        operation_id=f"file_issue_that_one_{_word}",
        summary=f"File issue that this one {_word}",
        description="Filed and linked by one request; `linked` is this one after it.",
        openapi_extra=_body(schema_of(FileIssue)),
    )
