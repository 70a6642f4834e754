"""What a path names: `TKT-7`, `ISS-31`, `PART-9`, or an id; and what an address thereby gives to a command."""

import re
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeAlias
from uuid import UUID

from fastapi import Depends, Path

from deskstream.contracts import Command
from deskstream.contracts.crm import FindContact
from deskstream.contracts.ids import ContactId
from deskstream.contracts.issues import FindIssue
from deskstream.contracts.linked import ConversationRef
from deskstream.contracts.part_commands import FindPart
from deskstream.contracts.ticket_commands import FindTicket
from deskstream.gateway.api.caller import Caller, caller
from deskstream.gateway.api.commands import run
from deskstream.gateway.api.context import Context, context
from deskstream.gateway.api.pages import Named, conversation_id, unknown_conversation
from deskstream.gateway.api.problems import HttpProblem, validation_problem
from deskstream.gateway.store import conversations
from deskstream.gateway.store.reading import PATIENCE

CONTACT_LENGTH: Final = 320

Given: TypeAlias = dict[str, Any]
"""Fields of a command that its address says."""

Here: TypeAlias = Annotated[Context, Depends(context)]
Who: TypeAlias = Annotated[Caller, Depends(caller)]
TicketNamed: TypeAlias = Annotated[str, Path(description="Its id, or TKT-<number>", max_length=64)]
IssueNamed: TypeAlias = Annotated[str, Path(description="Its id, or ISS-<number>", max_length=64)]
PartNamed: TypeAlias = Annotated[str, Path(description="Its id, or PART-<number>", max_length=64)]
ContactNamed: TypeAlias = Annotated[str, Path(description="Its id, or its mail address", max_length=CONTACT_LENGTH)]
TaskNumber: TypeAlias = Annotated[int, Path(ge=1, lt=2**31, description="Counted within its ticket or issue.")]

NUMBERS_TO: Final = 2**53
"""What a number may be at most, so that every reader of JSON can hold it."""


class Kind(NamedTuple):
    """A kind of object that ticketing owns: how people name it, and how it is asked for."""

    name: str
    prefix: str
    find: type[Command]
    id_field: str


TICKET: Final = Kind("ticket", "TKT", FindTicket, "ticket_id")
ISSUE: Final = Kind("issue", "ISS", FindIssue, "issue_id")
PART: Final = Kind("part", "PART", FindPart, "part_id")

Name: TypeAlias = int | UUID
"""By number, or by id."""


def name_of(kind: Kind, named: str) -> Name:
    """What a text names; raises `HttpProblem` 404 for one that names nothing of this kind."""
    if found := re.fullmatch(rf"{kind.prefix}-([0-9]{{1,16}})", named, re.IGNORECASE):
        number = int(found[1])
        if 0 < number <= NUMBERS_TO:
            return number
    else:
        try:
            return UUID(named)
        except ValueError:
            pass
    raise HttpProblem(HTTPStatus.NOT_FOUND, f"{kind.name}_not_found", f"There is no such {kind.name}.")


async def find(here: Context, kind: Kind, name: Name, who: Caller) -> dict[str, Any]:
    """The object with its state, as its owner answers; raises `HttpProblem` 404 when there is none."""
    field = "number" if isinstance(name, int) else kind.id_field
    return await run(here.running, kind.find(**{field: name}), actor=who.agent)


async def id_of(here: Context, kind: Kind, named: str, who: Caller) -> UUID:
    """The id that a text names. Whether an id exists is for whoever gets the command to say."""
    name = name_of(kind, named)
    if isinstance(name, UUID):
        return name
    return UUID((await find(here, kind, name, who))[kind.name]["id"])


async def number_of(here: Context, kind: Kind, named: str, who: Caller) -> int:
    """The number that a text names."""
    name = name_of(kind, named)
    return name if isinstance(name, int) else int((await find(here, kind, name, who))[kind.name]["number"])


async def nothing_yet() -> Given:
    return {}


async def new_part() -> Given:
    return {"part_id": None, "version": None}


async def ticket(here: Here, who: Who, ticket: TicketNamed) -> Given:
    return {"ticket_id": await id_of(here, TICKET, ticket, who)}


async def issue(here: Here, who: Who, issue: IssueNamed) -> Given:
    return {"issue_id": await id_of(here, ISSUE, issue, who)}


async def part(here: Here, who: Who, part: PartNamed) -> Given:
    return {"part_id": await id_of(here, PART, part, who)}


async def parent(of: Annotated[Given, Depends(part)], here: Here, who: Who, parent: PartNamed) -> Given:
    return of | {"parent": await id_of(here, PART, parent, who)}


async def ticket_task(of: Annotated[Given, Depends(ticket)], number: TaskNumber) -> Given:
    return of | {"number": number}


async def issue_task(of: Annotated[Given, Depends(issue)], number: TaskNumber) -> Given:
    return of | {"number": number}


async def dropped_ticket_task(of: Annotated[Given, Depends(ticket_task)]) -> Given:
    return of | {"how": "dropped"}


async def dropped_issue_task(of: Annotated[Given, Depends(issue_task)]) -> Given:
    return of | {"how": "dropped"}


async def ticket_and_requester(
    of: Annotated[Given, Depends(ticket)], here: Here, who: Who, contact: ContactNamed
) -> Given:
    """W5: a contact with the account and workspace that the CRM says it belongs to."""
    return of | await requester(here, who, contact)


async def requester(here: Context, who: Caller, contact: object) -> Given:
    """Who asks, with account and workspace, as the CRM says. Raises `HttpProblem`: 404 for whom it does not know."""
    if not isinstance(contact, str) or not 0 < len(contact) <= CONTACT_LENGTH:
        wrong = [{"loc": ("contact",), "msg": "Name a contact by id or mail address"}]
        raise validation_problem(wrong, HTTPStatus.UNPROCESSABLE_ENTITY)
    wanted = FindContact(email=contact) if "@" in contact else FindContact(contact_id=_contact_id(contact))
    found = await run(here.running, wanted, actor=who.agent)
    return {"requester": found["contact"], "account": found["account"], "workspace": found["workspace"]}


def _contact_id(named: str) -> ContactId:
    try:
        return ContactId(UUID(named))
    except ValueError:
        raise HttpProblem(HTTPStatus.NOT_FOUND, "unknown_contact", "Name a contact by id or mail address.") from None


async def ticket_and_issue(of: Annotated[Given, Depends(ticket)], to: Annotated[Given, Depends(issue)]) -> Given:
    return of | to


async def ticket_and_conversation(of: Annotated[Given, Depends(ticket)], here: Here, conversation: Named) -> Given:
    return of | {"conversation_id": await conversation_id(here.running, conversation)}


async def ticket_and_known_conversation(
    of: Annotated[Given, Depends(ticket)], here: Here, conversation: Named
) -> Given:
    """A conversation to link: with what its ticket has to know of it."""
    return of | {"conversation": await reference(here, conversation)}


async def issue_relation(
    of: Annotated[Given, Depends(issue)], here: Here, who: Who, kind: Literal["blocks", "relates"], other: IssueNamed
) -> Given:
    return of | {"kind": kind, "to": await id_of(here, ISSUE, other, who)}


async def reference(here: Context, named: str) -> ConversationRef:
    """A conversation as tickets name it; raises `HttpProblem` 404 when nothing was heard of it."""
    found = await conversation_id(here.running, named)
    async with here.running.pool.acquire(timeout=PATIENCE) as tx:
        row = await conversations.reference(tx, found)
    if row is None:
        raise unknown_conversation()
    return ConversationRef(id=found, number=row["number"], channel=row["channel"])
