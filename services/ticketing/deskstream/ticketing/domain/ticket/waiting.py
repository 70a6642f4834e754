"""Waiting for somebody inside or a third party, and for issues: how a hold begins, and what ends it."""

import re
from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from functools import partial
from typing import Any, Final

from deskstream.contracts import Event, Refused
from deskstream.contracts.chain_facts import TicketFacts, TicketWait
from deskstream.contracts.ids import IssueId
from deskstream.contracts.linked import IssueRef, IssueStage
from deskstream.contracts.links import IssueFiledFor, IssueReported, TicketJoined
from deskstream.contracts.ticket_commands import EndTicketWait, HoldTicket, LinkIssue, UnlinkIssue
from deskstream.contracts.ticketing import (
    IssueLinked,
    IssueNotLinked,
    IssueUnlinked,
    LinkedIssueChanged,
    TicketPutOnHold,
    TicketWaitEnded,
)
from deskstream.ticketing.domain.issue.stages import UNENDED
from deskstream.ticketing.domain.ticket import stages
from deskstream.ticketing.domain.ticket.changing import moved, said
from deskstream.ticketing.domain.ticket.describing import insist_on_unlocked
from deskstream.ticketing.domain.ticket.endings import is_over
from deskstream.ticketing.domain.ticket.evolving import in_turn
from deskstream.ticketing.domain.ticket.following import Undone, named, undone
from deskstream.ticketing.domain.ticket.opening import insist_on_issue
from deskstream.ticketing.domain.ticket.reporting import customer_of
from deskstream.ticketing.domain.ticket.stages import Happening
from deskstream.ticketing.domain.ticket.state import ISSUES_LIMIT, WAITS_LIMIT, Ticket
from deskstream.ticketing.domain.wishes import Wish

_LIKE_AN_ISSUE: Final = re.compile(r"\s*ISS-\d+\s*", re.IGNORECASE)


def hold(facts: TicketFacts, asked: HoldTicket, now: datetime) -> list[Event]:
    """For one thing more, where it is on hold already."""
    stage = stages.after(Happening.WAITS, facts.stage)
    names = [wait.name for wait in (*facts.waits, *asked.waits)]
    if len(set(names)) < len(names):
        raise Refused("wait_named_twice", "Two of the things to wait for have the same name. Tell them apart.")
    if len(names) > WAITS_LIMIT:
        raise Refused("too_many_waits", f"A ticket waits for {WAITS_LIMIT} things at most. Tick some off first.")
    for wait in asked.waits:
        _insist_on_waiting_for(facts, wait)
    changes = moved(facts, stage, now) | {"waits": (*facts.waits, *asked.waits)}
    doubles = [one for one in facts.issues if one.stage is IssueStage.DUPLICATE and f"ISS-{one.number}" in names]
    held = said(TicketPutOnHold, facts, now, changes, reason=asked.reason)
    return [held, *(_asking(facts, double.id, now) for double in doubles)]


def end_wait(facts: TicketFacts, asked: EndTicketWait, now: datetime) -> list[Event]:
    wait = next((wait for wait in facts.waits if wait.name == asked.name), None)
    if wait is None:
        known = ", ".join(wait.name for wait in facts.waits) or "nothing"
        raise Refused("not_waiting_for", f"It does not wait for {asked.name}; it waits for {known}.")
    changes = _without(facts, wait.name, now)
    return [said(TicketWaitEnded, facts, now, changes, wait=wait, reason=asked.reason)]


def link_issue(state: Ticket, wish: Wish[LinkIssue], now: datetime) -> list[Event]:
    """W9. Linked once; waiting for it may still be asked for."""
    insist_on_unlocked(state.facts)
    issue = insist_on_issue(wish.known.issue)
    return in_turn(
        state,
        lambda then: _linked(then.facts, issue, now),
        lambda then: _waiting(then.facts, issue, now) if wish.command.wait else [],
    )


def filed_for(state: Ticket, filed: IssueFiledFor, now: datetime) -> list[Event]:
    """Somebody filed an issue for this ticket: nobody can be refused, so what cannot be done is said."""
    facts = state.facts
    if any(known.id == filed.issue.id for known in facts.issues):
        return []
    why = _cannot_link(facts)
    if why is not None:
        return [said(IssueNotLinked, facts, now, {}, issue=filed.issue, why=why)]
    hindered = _cannot_wait(facts) if filed.waits else None
    issues = {"issues": (*facts.issues, filed.issue)}
    return in_turn(
        state,
        lambda then: [said(IssueLinked, then.facts, now, issues, issue=filed.issue, not_awaited=hindered)],
        lambda then: _waiting(then.facts, filed.issue, now) if filed.waits and hindered is None else [],
    )


def _cannot_link(facts: TicketFacts) -> str | None:
    if facts.deleted is not None:
        return "ticket_is_deleted"
    if facts.stage in (stages.CLOSED, stages.CANCELED):
        return f"ticket_is_{facts.stage.value}"
    return "too_many_issues" if len(facts.issues) >= ISSUES_LIMIT else None


def _cannot_wait(facts: TicketFacts) -> str | None:
    if facts.stage not in stages.NEXT[Happening.WAITS]:
        return f"ticket_is_{facts.stage.value}"
    return "too_many_waits" if len(facts.waits) >= WAITS_LIMIT else None


def unlink_issue(facts: TicketFacts, asked: UnlinkIssue, now: datetime) -> list[Event]:
    """Nobody waits for what is not linked."""
    insist_on_unlocked(facts)
    issue = _linked_as(facts, asked.issue_id)
    if issue is None:
        raise Refused("issue_not_linked", f"That issue is not linked to TKT-{facts.number}.")
    changes = _without(facts, f"ISS-{issue.number}", now)
    changes["issues"] = tuple(other for other in facts.issues if other is not issue)
    return [said(IssueUnlinked, facts, now, changes, issue=issue, reason=asked.reason)]


def hear_of_issue(state: Ticket, report: IssueReported, now: datetime) -> list[Event]:
    """W11: the last issue that it waited for opens it again; of a duplicate, it waits for the original."""
    if _linked_as(state.facts, report.issue.id) is None:
        return []
    gone = undone(state, report.issue, report.original)
    if report.original is not None and report.issue.stage is IssueStage.DUPLICATE:
        follow = partial(_follow_original, report=report, original=report.original, gone=gone, now=now)
        return in_turn(state, follow, *_let_go(report.issue, gone, now))
    is_none = named(report.issue) in state.followed and report.issue.stage in UNENDED
    again = [_waits_again(state.facts, report.issue, gone, now)] if is_none else []
    return in_turn(state, lambda _: again, partial(_went_on, report=report, now=now), *_let_go(report.issue, gone, now))


def _went_on(state: Ticket, *, report: IssueReported, now: datetime) -> list[Event]:
    facts, name, over = state.facts, named(report.issue), is_over(report.issue)
    awaited = _waits_for_issue(facts, name)
    known = _linked_as(facts, report.issue.id) == report.issue
    if known and not (over and (awaited or name in state.once_awaited)):
        return []
    # What it waited for once is told when the last of it is over.
    ended = over and (awaited or state.once_awaited == (name,))
    changes = _without(facts, name, now) if awaited and over else {}
    changes["issues"] = _replaced(facts.issues, report.issue)
    return [said(LinkedIssueChanged, facts, now, changes, issue=report.issue, ended=ended)]


def _linked_as(facts: TicketFacts, issue_id: IssueId) -> IssueRef | None:
    return next((issue for issue in facts.issues if issue.id == issue_id), None)


def _waits_again(facts: TicketFacts, double: IssueRef, gone: Undone, now: datetime) -> Event:
    """For what is no duplicate after all, in place of its original."""
    wait = TicketWait(kind="issue", name=named(double))
    waits = dict.fromkeys((*(one for one in facts.waits if not _is_issue(one, gone.waits)), wait))
    changes: dict[str, Any] = {"issues": _replaced(facts.issues, double)}
    if facts.stage is stages.ON_HOLD and len(waits) <= WAITS_LIMIT:
        changes["waits"] = tuple(waits)
    return said(LinkedIssueChanged, facts, now, changes, issue=double)


def _let_go(double: IssueRef, gone: Undone, now: datetime) -> Iterator[Callable[[Ticket], list[Event]]]:
    """Steps that unlink the originals that only a duplicate led to, which was none."""
    reason = f"ISS-{double.number}, which led to it, is no duplicate of it."
    for original in sorted(gone.issues):
        yield partial(_unlinked, name=original, reason=reason, now=now)


def _unlinked(state: Ticket, *, name: str, reason: str, now: datetime) -> list[Event]:
    issue = next((issue for issue in state.facts.issues if named(issue) == name), None)
    if issue is None:
        return []
    others = tuple(other for other in state.facts.issues if other is not issue)
    return [said(IssueUnlinked, state.facts, now, {"issues": others}, issue=issue, reason=reason)]


def _follow_original(
    state: Ticket, *, report: IssueReported, original: IssueRef, gone: Undone, now: datetime
) -> list[Event]:
    name = named(report.issue)
    passed_on = {name, *gone.waits}
    waits = tuple(
        wait.model_copy(update={"name": named(original)}) if _is_issue(wait, passed_on) else wait
        for wait in state.facts.waits
    )
    changes = {"issues": _replaced(state.facts.issues, report.issue), "waits": tuple(dict.fromkeys(waits))}
    unchanged = all(getattr(state.facts, field) == value for field, value in changes.items())
    about = {"issue": report.issue, "original": original}
    known = unchanged and not gone.issues and not passed_on.intersection(state.once_awaited)
    first = [] if known else [said(LinkedIssueChanged, state.facts, now, changes, **about)]
    if any(issue.id == original.id for issue in state.facts.issues):
        return [*first, _asking(state.facts, original.id, now)]
    full = len(state.facts.issues) >= ISSUES_LIMIT
    return in_turn(
        state,
        lambda _: first,
        lambda then: [_made_room(then.facts, report.issue, original, now)] if full else [],
        lambda then: _linked(then.facts, original, now),
    )


def _made_room(facts: TicketFacts, double: IssueRef, original: IssueRef, now: datetime) -> Event:
    """A duplicate says nothing that its original does not: it goes where there is room for one of them only."""
    others = tuple(issue for issue in facts.issues if issue.id != double.id)
    reason = f"It is a duplicate of ISS-{original.number}, which takes its place among {ISSUES_LIMIT} issues."
    return said(IssueUnlinked, facts, now, {"issues": others}, issue=double, reason=reason)


def _asking(facts: TicketFacts, issue: IssueId, now: datetime) -> Event:
    """Whoever joins is told how things stand, also if he joined before."""
    return TicketJoined(issue_id=issue, at=now, ticket_id=facts.id, customer=customer_of(facts))


def _linked(facts: TicketFacts, issue: IssueRef, now: datetime) -> list[Event]:
    if any(other.id == issue.id for other in facts.issues):
        return []
    if len(facts.issues) >= ISSUES_LIMIT:
        raise Refused(
            "too_many_issues", f"{ISSUES_LIMIT} issues are linked already. Unlink one, or open another ticket."
        )
    return [said(IssueLinked, facts, now, {"issues": (*facts.issues, issue)}, issue=issue)]


def _waiting(facts: TicketFacts, issue: IssueRef, now: datetime) -> list[Event]:
    wait = TicketWait(kind="issue", name=f"ISS-{issue.number}")
    if wait in facts.waits:
        return []
    return hold(facts, HoldTicket(ticket_id=facts.id, waits=(wait,)), now)


def _insist_on_waiting_for(facts: TicketFacts, wait: TicketWait) -> None:
    if not wait.name.strip() or not wait.name.isprintable():
        raise Refused("wait_without_name", "Name what it waits for in one line of letters, as people know it.")
    if wait.kind != "issue":
        if _LIKE_AN_ISSUE.fullmatch(wait.name):
            sentence = f"{wait.name} names an issue. Wait for it as an issue, or call what you wait for otherwise."
            raise Refused("wait_named_like_an_issue", sentence)
        return
    issue = next((issue for issue in facts.issues if f"ISS-{issue.number}" == wait.name), None)
    if issue is None:
        raise Refused("issue_not_linked", f"{wait.name[:40]} is not linked to TKT-{facts.number}. Link it first.")
    if is_over(issue):
        raise Refused(
            "issue_is_over", f"{wait.name} is {issue.stage.value.replace('_', ' ')}: nothing is left to wait for."
        )


def _is_issue(wait: TicketWait, names: Collection[str]) -> bool:
    return wait.kind == "issue" and wait.name in names


def _waits_for_issue(facts: TicketFacts, name: str) -> bool:
    return any(_is_issue(wait, (name,)) for wait in facts.waits)


def _without(facts: TicketFacts, name: str, now: datetime) -> dict[str, Any]:
    """What changes when the waiting for one thing is over; nobody decided by it what a customer meant."""
    waits = tuple(wait for wait in facts.waits if wait.name != name)
    if waits or not facts.waits:
        return {"waits": waits} if waits != facts.waits else {}
    opened = moved(facts, stages.after(Happening.LAST_WAIT_ENDS, facts.stage), now)
    return opened | {"undecided": facts.undecided}


def _replaced(issues: tuple[IssueRef, ...], issue: IssueRef) -> tuple[IssueRef, ...]:
    return tuple(issue if other.id == issue.id else other for other in issues)
