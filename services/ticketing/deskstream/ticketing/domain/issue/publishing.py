"""W12 and the way back: what of an issue may be shown, and what its customers are answered."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from unicodedata import normalize

from deskstream.contracts import Event, Refused
from deskstream.contracts.chain_facts import IssueFacts, Security
from deskstream.contracts.confidential import ConfidentialityChanged, link_name, names_in, own_names
from deskstream.contracts.ids import TicketId
from deskstream.contracts.issues import (
    AnswerApproved,
    AnswerLeftOut,
    ApproveAnswer,
    IssuePublished,
    IssueSecurityMarked,
    LeftOut,
    MarkSecurity,
    PublicationHeld,
    PublishIssue,
)
from deskstream.contracts.linked import NotSent
from deskstream.contracts.links import AnswerMissed, AnswerOrdered
from deskstream.ticketing.domain.issue import stages
from deskstream.ticketing.domain.issue.changing import said
from deskstream.ticketing.domain.issue.state import Issue, IssueState, Unfiled
from deskstream.ticketing.domain.issue.working import insist_on_somebody_of_the_part
from deskstream.ticketing.domain.wishes import Addressed, Wish
from deskstream.ticketing.domain.wording import answer

SECURITY: Final[tuple[Security, ...]] = ("no", "unsure", "yes")
"""From what all may read to what no customer may."""
SHORTEST_TELLING_TITLE: Final = 8
"""A shorter title is a word that an honest answer may well contain."""
SHORTEST_TELLING_LINE: Final = 20
"""So is a shorter line of its text, such as a greeting."""
MOST_ANSWERED: Final = 1000
"""Tickets that one approval answers, so that its event fits in a message."""


def mark(facts: IssueFacts, wish: Wish[MarkSecurity], now: datetime) -> list[Event]:
    """What becomes confidential is no longer published. Anybody may say so, and only somebody of the part that it is
    less."""
    asked = wish.command
    if asked.security == facts.security:
        return []
    if SECURITY.index(asked.security) < SECURITY.index(facts.security):
        insist_on_somebody_of_the_part(wish)
    return [said(IssueSecurityMarked, facts, now, _marked(asked.security), reason=asked.reason)]


def publish(facts: IssueFacts, wish: Wish[PublishIssue], now: datetime) -> list[Event]:
    """ "Could this reveal a vulnerability?" Unsure asks colleagues and holds it; yes makes it confidential."""
    asked = wish.command
    if facts.security == "yes":
        raise Refused("issue_is_confidential", f"ISS-{facts.number} is confidential and is not published.")
    if asked.reveals == "yes":
        reason = "it could reveal a vulnerability"
        return [said(IssueSecurityMarked, facts, now, _marked("yes"), reason=reason, link=asked.link)]
    if asked.reveals == "unsure":
        return [said(PublicationHeld, facts, now, _marked("unsure"), asked=wish.known.people, link=asked.link)]
    if facts.security == "unsure":
        insist_on_somebody_of_the_part(wish)
    return [said(IssuePublished, facts, now, {"security": "no", "public_link": asked.link})]


def approve(state: Issue, wish: Wish[ApproveAnswer], now: datetime) -> list[Event]:
    """W11: one approval, many customers; each ticket is answered once about an end of an issue."""
    asked = wish.command
    if wish.by is None:
        raise Refused("author_is_missing", "No author is named. Say as which agent you approve it.")
    facts = state.facts
    if facts.stage not in (stages.COMPLETED, stages.WONT_FIX):
        sentence = (
            f"ISS-{facts.number} is {facts.stage.value}: there is an answer once it is completed, or won't be fixed."
        )
        raise Refused("issue_is_not_over", sentence, stage=facts.stage.value)
    text = answer(asked.text)
    _insist_on_discretion(state, text)
    unreached = _unreached(wish.known.addressed)
    waiting = sorted(_not_answered(state, asked.tickets), key=lambda ticket: ticket in unreached)
    if not waiting:
        raise Refused("nobody_to_answer", f"No ticket of ISS-{facts.number} waits for an answer any more.")
    chosen = waiting[:MOST_ANSWERED]
    approved = {
        "tickets": tuple(ticket for ticket in chosen if ticket not in unreached),
        "left": len(waiting) - len(chosen),
        "left_out": _left_out({ticket: unreached[ticket] for ticket in chosen if ticket in unreached}, wish),
    }
    # Those left out, too: their conversations know best, and keep a note of what they do not send.
    orders = [
        AnswerOrdered(
            ticket_id=ticket,
            at=now,
            issue_id=facts.id,
            issue_number=facts.number,
            text=text,
            by=wish.by,
            ended_at=facts.ended_at,
        )
        for ticket in chosen
    ]
    return [said(AnswerApproved, facts, now, {}, text=text, by=wish.by, **approved), *orders]


def missed(state: Issue, report: AnswerMissed, now: datetime) -> list[Event]:
    """An approved answer reached nobody of a ticket's: it waits for the next approval."""
    joined = state.tickets.get(report.ticket_id)
    if joined is None or not joined.answered:
        return []
    told = {"ticket_id": report.ticket_id, "ticket_number": report.ticket_number, "why": report.why}
    return [said(AnswerLeftOut, state.facts, now, {}, **told)]


def confidentiality(before: IssueState, after: IssueState, now: datetime) -> list[Event]:
    """Whoever writes to customers hears which names must not reach them; of links something to know them by."""
    if isinstance(after, Unfiled) or (_secret(before), _withheld(before)) == (_secret(after), _withheld(after)):
        return []
    links = tuple(link_name(link) for link in _withheld(after)) if _secret(after) else ()
    return [
        ConfidentialityChanged(
            issue_id=after.id, at=now, number=after.facts.number, confidential=_secret(after), links=links
        )
    ]


def _secret(state: IssueState) -> bool:
    return isinstance(state, Issue) and state.facts.security != "no"


def _withheld(state: IssueState) -> tuple[str, ...]:
    return state.withheld if isinstance(state, Issue) else ()


def _marked(security: str) -> dict[str, Any]:
    return {"security": security} if security == "no" else {"security": security, "public_link": None}


def _insist_on_discretion(state: Issue, text: str) -> None:
    facts = state.facts
    if facts.security == "no":
        return
    folded = _plain(text)
    named = names_in(text) & {*own_names(facts.id, facts.number), *map(link_name, state.withheld)}
    quoted = any(_plain(passage) in folded for passage in _telling(state))
    if named or quoted:
        sentence = (
            f"ISS-{facts.number} is confidential: say that the problem was filed or solved, without its name or link."
        )
        raise Refused("answer_tells_too_much", sentence)


def _plain(text: str) -> str:
    """As it is read: whatever the white space, the case and the form of its letters."""
    return " ".join(normalize("NFKC", text).casefold().split())


def _telling(state: Issue) -> list[str]:
    """Its title, and the lines of its text, as far as they are long enough to be recognised."""
    title, lines = state.facts.title.strip(), [line.strip() for line in state.text.splitlines()]
    telling = [line for line in lines if len(line) >= SHORTEST_TELLING_LINE]
    return [title, *telling] if len(title) >= SHORTEST_TELLING_TITLE else telling


def _unreached(addressed: Mapping[TicketId, Addressed]) -> dict[TicketId, NotSent]:
    """Tickets that no customer knows of, that wait for something else, or of whose conversations none sends anything;
    why is said of the latest."""
    unreached: dict[TicketId, NotSent] = {}
    for ticket, one in addressed.items():
        silent = [why for why in one.silenced if why is not None]
        if one.internal:
            unreached[ticket] = "internal"
        elif one.still_waits:
            unreached[ticket] = "still_waits"
        elif len(silent) == len(one.silenced):
            unreached[ticket] = silent[-1] if silent else "no_conversation"
    return unreached


def _left_out(unreached: Mapping[TicketId, NotSent], wish: Wish[ApproveAnswer]) -> tuple[LeftOut, ...]:
    numbers: dict[NotSent, list[int]] = {}
    for ticket, why in unreached.items():
        numbers.setdefault(why, []).append(wish.known.addressed[ticket].number)
    return tuple(LeftOut(why=why, tickets=tuple(sorted(found))) for why, found in sorted(numbers.items()))


def _not_answered(state: Issue, asked: tuple[TicketId, ...]) -> tuple[TicketId, ...]:
    unknown = [ticket for ticket in asked if ticket not in state.tickets]
    if unknown:
        raise Refused("ticket_not_linked", f"{len(unknown)} of these tickets are not linked to the issue.")
    wanted = dict.fromkeys(asked or state.tickets)
    return tuple(ticket for ticket in wanted if not state.tickets[ticket].answered)
