"""From what was heard to what is decided upon: whatever has to be known of other objects is looked up here."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from deskstream.contracts import ids
from deskstream.contracts.chain_facts import PartRef
from deskstream.contracts.ids import AgentId, IssueId, PartId, TaskId, TicketId
from deskstream.contracts.issues import (
    AcceptIssue,
    ApproveAnswer,
    ChangeIssue,
    FileIssue,
    MarkSecurity,
    MoveIssue,
    PublishIssue,
    RelateIssue,
    RestoreIssue,
)
from deskstream.contracts.links import TicketContinued
from deskstream.contracts.part_commands import DeletePart, MovePart, RestorePart, SavePart
from deskstream.contracts.ticket_commands import ChangeTicket, LinkIssue, OpenTicket, RestoreTicket
from deskstream.contracts.ticket_talk import CustomerAnswered, IssueAwaited, TicketAwaited
from deskstream.messaging import Heard, Tx
from deskstream.ticketing.domain import Known, Wish
from deskstream.ticketing.domain.issue.chains import end_of_chain, reachable
from deskstream.ticketing.domain.issue.deciding import Awaited as IssueWanted
from deskstream.ticketing.domain.issue.stages import DECLINING, WORKING
from deskstream.ticketing.domain.ticket.deciding import Answered, Continued
from deskstream.ticketing.domain.ticket.deciding import Awaited as TicketWanted
from deskstream.ticketing.store import looking, reach

NOBODY = UUID(int=0)
"""The id of what no number names: it is loaded as something that does not exist, and nothing happens to it."""

Named = Callable[[Any], UUID | None]


def wish_of(heard: Heard[Any], object_id: UUID | None, known: Known | None = None, new: str = "object") -> Wish[Any]:
    """A command with its author, and what a new object or task would be called."""
    return Wish(
        object_id=object_id or ids.object_id(heard.id, new),
        command=heard.data,
        by=AgentId(heard.actor) if heard.actor else None,
        task_id=TaskId(ids.object_id(heard.id, "task")),
        known=known or Known(),
    )


def of_ticket(heard: Heard[Any]) -> Wish[Any]:
    return wish_of(heard, heard.data.ticket_id)


def of_issue(heard: Heard[Any]) -> Wish[Any]:
    return wish_of(heard, heard.data.issue_id)


def answered(heard: Heard[CustomerAnswered]) -> Answered:
    return Answered(heard.data, _follow_up_of(heard.data.ticket_id))


def _follow_up_of(ticket_id: TicketId) -> TicketId:
    """One for each ticket, whatever is answered to it: two answers in a row must not open two."""
    return TicketId(ids.object_id(ticket_id, "follow_up"))


async def opening(tx: Tx, heard: Sequence[Heard[OpenTicket]], now: datetime) -> list[Wish[Any]]:
    parts = await looking.parts_for(tx, [one.data.part_id for one in heard])
    issues = await looking.issue_refs(tx, [one.data.issue_id for one in heard])
    return [
        wish_of(one, None, Known(part=part, issue=issues.get(one.data.issue_id or IssueId(NOBODY))), "ticket")
        for one, part in zip(heard, parts, strict=True)
    ]


async def filing(tx: Tx, heard: Sequence[Heard[FileIssue]], now: datetime) -> list[Wish[Any]]:
    parts = await looking.parts_for(tx, [one.data.part_id for one in heard])
    return [wish_of(one, None, Known(part=part), "issue") for one, part in zip(heard, parts, strict=True)]


async def changing_ticket(tx: Tx, heard: Sequence[Heard[ChangeTicket]], now: datetime) -> list[Wish[Any]]:
    parts = await looking.parts_for(tx, [one.data.part_id for one in heard])
    return [wish_of(one, one.data.ticket_id, Known(part=part)) for one, part in zip(heard, parts, strict=True)]


async def changing_issue(tx: Tx, heard: Sequence[Heard[ChangeIssue]], now: datetime) -> list[Wish[Any]]:
    """What goes to another part: with the people of both."""
    parts = await looking.parts_for(tx, [one.data.part_id for one in heard])
    named = [(one.data, part) for one, part in zip(heard, parts, strict=True) if part and one.data.part_id]
    people = (
        await looking.people_for(tx, [it for one, part in named for it in (one.issue_id, part.id)]) if named else {}
    )
    return [
        wish_of(
            one,
            one.data.issue_id,
            Known(
                part=part,
                people=people.get(one.data.issue_id, ()),
                people_there=people.get(part.id, ()) if part else (),
            ),
        )
        for one, part in zip(heard, parts, strict=True)
    ]


async def linking(tx: Tx, heard: Sequence[Heard[LinkIssue]], now: datetime) -> list[Wish[Any]]:
    issues = await looking.issue_refs(tx, [one.data.issue_id for one in heard])
    return [wish_of(one, one.data.ticket_id, Known(issue=issues.get(one.data.issue_id))) for one in heard]


OfThePart = AcceptIssue | PublishIssue | MarkSecurity
"""What only somebody of the part may do, in some cases at least."""


async def with_people(tx: Tx, heard: Sequence[Heard[OfThePart]], now: datetime) -> list[Wish[Any]]:
    people = await looking.people_for(tx, [one.data.issue_id for one in heard])
    return [wish_of(one, one.data.issue_id, Known(people=people.get(one.data.issue_id, ()))) for one in heard]


async def approving(tx: Tx, heard: Sequence[Heard[ApproveAnswer]], now: datetime) -> list[Wish[Any]]:
    """With the tickets that wait for the answer, and whether anything can be sent to their customers."""
    waiting = await reach.addressed(tx, [one.data.issue_id for one in heard])
    return [wish_of(one, one.data.issue_id, Known(addressed=waiting.get(one.data.issue_id, {}))) for one in heard]


async def moving_issue(tx: Tx, heard: Sequence[Heard[MoveIssue]], now: datetime) -> list[Wish[Any]]:
    """Of a duplicate, the original that is none itself; one of the same batch counts for a later one. And the part
    for what is taken up again."""
    asked = [one.data for one in heard]
    declining = [one.issue_id for one in asked if one.stage in DECLINING]
    people = await looking.people_for(tx, declining) if declining else {}
    named = [one.duplicate_of for one in asked if one.duplicate_of is not None]
    next_of: dict[IssueId, IssueId | None] = {}
    if named:
        await looking.one_at_a_time(tx, looking.ISSUES_AT_A_TIME)
        next_of = await looking.originals(tx, [*named, *(one.issue_id for one in asked)])
    ends: list[IssueId | None] = []
    for one in asked:
        ends.append(end_of_chain(one.duplicate_of, next_of) if one.duplicate_of is not None else None)
        if one.duplicate_of is not None:
            next_of[one.issue_id] = one.duplicate_of if ends[-1] != one.issue_id else None
    refs = await looking.issue_refs(tx, ends)
    working = [one.issue_id for one in asked if one.stage in WORKING]
    instead = dict(zip(working, await _instead_of_theirs(tx, working), strict=True)) if working else {}
    known = [
        Known(part=instead.get(one.issue_id), people=people.get(one.issue_id, ()), issue=refs.get(end) if end else None)
        for one, end in zip(asked, ends, strict=True)
    ]
    return [wish_of(one, one.data.issue_id, found) for one, found in zip(heard, known, strict=True)]


async def relating(tx: Tx, heard: Sequence[Heard[RelateIssue]], now: datetime) -> list[Wish[Any]]:
    """What blocks what, the links of earlier ones of the same batch included."""
    await looking.one_at_a_time(tx, looking.ISSUES_AT_A_TIME)
    asked = [one.data for one in heard]
    refs = await looking.issue_refs(tx, [one.to for one in asked])
    direct = await looking.blockers(tx, [issue for one in asked for issue in (one.issue_id, one.to)])
    wishes = []
    for one in heard:
        blocked_by = reachable(one.data.issue_id, direct)
        wishes.append(wish_of(one, one.data.issue_id, Known(issue=refs.get(one.data.to), blocked_by=blocked_by)))
        if one.data.kind == "blocks" and one.data.to not in blocked_by:
            direct.setdefault(one.data.to, set()).add(one.data.issue_id)
    return wishes


async def saving_part(tx: Tx, heard: Sequence[Heard[SavePart]], now: datetime) -> list[Wish[Any]]:
    """With the default parts; one that becomes it earlier in the batch counts for a later one."""
    defaults = list[PartId]()
    if any(one.data.default for one in heard):
        await looking.one_at_a_time(tx, looking.PARTS_AT_A_TIME)
        defaults = await looking.default_parts(tx)
    parents = await looking.parts_above(tx, [one.data.parent for one in heard if one.data.parent is not None])
    wishes = []
    for one in heard:
        known = Known(parent=parents.get(one.data.parent or PartId(NOBODY)), defaults=tuple(defaults))
        wishes.append(wish_of(one, one.data.part_id, known, "part"))
        if one.data.default:
            defaults.append(PartId(wishes[-1].object_id))
    return wishes


async def moving_part(tx: Tx, heard: Sequence[Heard[MovePart]], now: datetime) -> list[Wish[Any]]:
    """The parent with all above it. It runs alone: an earlier one may be refused, and the tree is as it was."""
    await looking.one_at_a_time(tx, looking.PARTS_AT_A_TIME)
    found = await looking.parts_above(tx, [one.data.parent for one in heard])
    parent_of = {facts.id: facts.parent for facts in found.values()}
    return [
        wish_of(
            one, one.data.part_id, Known(parent=found.get(one.data.parent), above=_chain(one.data.parent, parent_of))
        )
        for one in heard
    ]


async def deleting_part(tx: Tx, heard: Sequence[Heard[DeletePart]], now: datetime) -> list[Wish[Any]]:
    hanging = await looking.hanging_on(tx, [one.data.part_id for one in heard])
    return [wish_of(one, one.data.part_id, Known(below=hanging.get(one.data.part_id, ()))) for one in heard]


async def restoring_part(tx: Tx, heard: Sequence[Heard[RestorePart]], now: datetime) -> list[Wish[Any]]:
    parent_of = await looking.parents_of(tx, [one.data.part_id for one in heard])
    parents = await looking.parts_above(tx, list(parent_of.values()))
    return [
        wish_of(one, one.data.part_id, Known(parent=parents.get(parent_of.get(one.data.part_id, PartId(NOBODY)))))
        for one in heard
    ]


async def restoring_ticket(tx: Tx, heard: Sequence[Heard[RestoreTicket]], now: datetime) -> list[Wish[Any]]:
    on = await looking.parts_of_tickets(tx, [one.data.ticket_id for one in heard])
    instead = await _instead(tx, [on.get(one.data.ticket_id) for one in heard])
    return [wish_of(one, one.data.ticket_id, Known(part=part)) for one, part in zip(heard, instead, strict=True)]


async def restoring_issue(tx: Tx, heard: Sequence[Heard[RestoreIssue]], now: datetime) -> list[Wish[Any]]:
    instead = await _instead_of_theirs(tx, [one.data.issue_id for one in heard])
    return [wish_of(one, one.data.issue_id, Known(part=part)) for one, part in zip(heard, instead, strict=True)]


async def continuing(tx: Tx, heard: Sequence[Heard[TicketContinued]], now: datetime) -> list[Continued]:
    """On the part of the closed ticket, which may be deleted since."""
    instead = await _instead(tx, [one.data.part.id for one in heard])
    said = [
        one.data if part is None else one.data.model_copy(update={"part": part})
        for one, part in zip(heard, instead, strict=True)
    ]
    return [Continued(one, _follow_up_of(one.ticket_id)) for one in said]


async def _instead_of_theirs(tx: Tx, asked: Sequence[IssueId]) -> list[PartRef | None]:
    """The default part for each issue whose own is deleted."""
    on = await looking.parts_of_issues(tx, asked)
    return await _instead(tx, [on.get(one) for one in asked])


async def _instead(tx: Tx, asked: Sequence[PartId | None]) -> list[PartRef | None]:
    """The default part in place of each that is deleted; None for one that is there."""
    *found, default = await looking.parts_for(tx, [*asked, None])
    return [default if part is None else None for part in found]


async def awaited_tickets(tx: Tx, heard: Sequence[Heard[TicketAwaited]], now: datetime) -> list[TicketWanted]:
    numbers = [_number(one.data.name) for one in heard]
    found = await looking.tickets_numbered(tx, numbers)
    return [
        TicketWanted(found.get(number, TicketId(NOBODY)), one.data.conversation)
        for one, number in zip(heard, numbers, strict=True)
    ]


async def awaited_issues(tx: Tx, heard: Sequence[Heard[IssueAwaited]], now: datetime) -> list[IssueWanted]:
    numbers = [_number(one.data.name) for one in heard]
    found = await looking.issues_numbered(tx, numbers)
    return [
        IssueWanted(found.get(number, IssueId(NOBODY)), one.data.name, one.data.conversation)
        for one, number in zip(heard, numbers, strict=True)
    ]


def _number(name: str) -> int:
    """The number in `TKT-7`; one that nothing has where there is none."""
    digits = name.partition("-")[2]
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 16 else 0


def _chain(start: PartId, parent_of: dict[PartId, PartId | None]) -> tuple[PartId, ...]:
    above: list[PartId] = []
    at: PartId | None = start
    while at is not None and at not in above:
        above.append(at)
        at = parent_of.get(at)
    return tuple(above)
