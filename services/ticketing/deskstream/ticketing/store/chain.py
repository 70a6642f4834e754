"""W10: conversation, ticket, issue, part and account, as they hang together, from any one of them. Read only."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from deskstream.contracts import Refused
from deskstream.contracts.ticket_commands import ReadChain
from deskstream.messaging import Tx
from deskstream.ticketing.store import chain_members as members
from deskstream.ticketing.store import chain_shown as shown
from deskstream.ticketing.store.fitting import ANSWER_BYTES, size_of

_KINDS: Final = ("ticket", "issue", "part", "conversation", "account_id")

Found = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Hanging:
    """What hangs on the member itself: one more of each than were asked for, where there are more."""

    kind: str
    value: Any
    tickets: Sequence[Found]
    alone: Sequence[str]
    """Issues that hang on it, whether or not a ticket has them."""
    children: Sequence[str]
    """Of a part: those directly below it."""

    def first(self, limit: int) -> "Hanging":
        """So many of each."""
        return Hanging(self.kind, self.value, self.tickets[:limit], self.alone[:limit], self.children[:limit])

    def exceeds(self, limit: int) -> bool:
        """Whether there are more of any than so many."""
        return max(len(self.tickets), len(self.alone), len(self.children)) > limit

    def number_of(self, kind: str) -> int | None:
        """The number of the member, where it is of this kind."""
        return self.value if self.kind == kind else None


async def read_chain(tx: Tx, asked: ReadChain) -> dict[str, Any]:
    """All members of the chain, each once, with the numbers by which they name each other; `more`: not all of them.

    Raises `Refused` when no member, or more than one, is named, or when there is no such member.
    """
    limit = asked.limit
    hanging = await _hanging(tx, *_member(asked), limit + 1)
    while size_of(chain := await _chain(tx, hanging.first(limit))) > ANSWER_BYTES and limit > 1:
        limit //= 2
    return {**chain, "more": chain["more"] or hanging.exceeds(limit)}


def _member(asked: ReadChain) -> tuple[str, Any]:
    given = [(kind, value) for kind in _KINDS if (value := getattr(asked, kind)) is not None]
    if len(given) != 1:
        raise Refused("name_one_member", "Name one member of the chain: ticket, issue, part, conversation or account.")
    return given[0]


async def _hanging(tx: Tx, kind: str, value: Any, limit: int) -> Hanging:
    return Hanging(
        kind,
        value,
        await members.tickets(tx, kind, value, limit),
        await members.issues_without_ticket(tx, kind, value, limit),
        await members.child_parts(tx, value, limit) if kind == "part" else (),
    )


async def _chain(tx: Tx, hanging: Hanging) -> Found:
    """What hangs together with these tickets, issues and parts, and with the member that was asked for."""
    linked = {issue["id"] for ticket in hanging.tickets for issue in ticket.get("issues", ())}
    issues, more_issues = await members.issues(tx, linked.union(hanging.alone), hanging.number_of("issue"))
    hung_on = {one["part"]["id"] for one in (*hanging.tickets, *issues)}
    parts, more_parts = await members.parts(tx, [*hung_on.union(hanging.children)], hanging.number_of("part"))
    _insist_on_member(hanging, issues, parts)
    return {
        "of": hanging.kind,
        "tickets": [shown.ticket(ticket) for ticket in hanging.tickets],
        "issues": [shown.issue(issue) for issue in issues],
        "parts": [shown.part(part, parts) for part in parts],
        "conversations": shown.conversations(hanging.tickets, issues),
        "accounts": shown.each_once(ticket["account"] for ticket in hanging.tickets if ticket.get("account")),
        "more": more_issues or more_parts,
    }


def _insist_on_member(hanging: Hanging, issues: Sequence[Found], parts: Sequence[Found]) -> None:
    """A conversation or account without a ticket is a chain of one, and not for us to deny."""
    kind = hanging.kind
    found = {"ticket": hanging.tickets, "issue": issues, "part": parts}.get(kind)
    if found is not None and not found:
        raise Refused(f"{kind}_not_found", f"There is no {kind} of that number.")
