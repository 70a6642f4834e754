"""W9, W11: who hangs on a duplicate hangs on its original, and no longer once it was none."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final, NamedTuple

from deskstream.contracts.linked import IssueRef, IssueStage
from deskstream.contracts.ticketing import IssueUnlinked, LinkedIssueChanged, TicketEvent
from deskstream.ticketing.domain.ticket.state import Followed, Ticket


class Undone(NamedTuple):
    """Names of originals that were linked, or are waited for, for nothing but a duplicate that was none."""

    waits: frozenset[str] = frozenset()
    issues: frozenset[str] = frozenset()


NOTHING: Final = Undone()


def named(issue: IssueRef) -> str:
    return f"ISS-{issue.number}"


def undone(state: Ticket, double: IssueRef, original: IssueRef | None) -> Undone:
    """What following this issue to another original than this one did, and nothing else holds."""
    known = _entry(state.originals, named(double))
    if known is None or _still_leads(known, double, original):
        return NOTHING
    return _led_to(state, known)


def evolve_followed(state: Ticket, event: LinkedIssueChanged) -> tuple[str, ...]:
    """Duplicates that it waits for by way of their originals, after an event."""
    name, gone = named(event.issue), undone(state, event.issue, event.original)
    awaited = bool({name, *gone.waits} & _awaited(state))
    is_double = event.issue.stage is IssueStage.DUPLICATE and (awaited or name in state.followed)
    others = (other for other in state.followed if other not in (name, *gone.waits))
    return (*others, name) if is_double else tuple(others)


def evolve_originals(state: Ticket, after: Ticket, event: TicketEvent) -> tuple[Followed, ...]:
    """Where duplicates led, after an event; nobody undoes what somebody ended himself. `after` is the rest of it."""
    known: Iterable[Followed] = state.originals
    match event:
        case LinkedIssueChanged():
            known = _changed(state, event)
        case IssueUnlinked(issue=issue):
            left = [one for one in known if one.original != named(issue)]
            gone = _entry(left, named(issue))
            known = left if gone is None else _without(state, left, gone)
    alive = {*_awaited(after), *after.followed}
    return tuple(one._replace(waits=one.waits and one.original in alive) for one in known)


def _changed(state: Ticket, event: LinkedIssueChanged) -> list[Followed]:
    name = named(event.issue)
    before = _entry(state.originals, name)
    others = [one for one in state.originals if one is not before]
    if before is not None and not _still_leads(before, event.issue, event.original):
        others, before = _without(state, others, before), None
    if event.original is not None and event.issue.stage is IssueStage.DUPLICATE:
        others.append(_followed(state, event, event.original, before))
    elif before is not None:
        others.append(before)
    return others


def _followed(state: Ticket, event: LinkedIssueChanged, original: IssueRef, before: Followed | None) -> Followed:
    name, gone = named(event.issue), undone(state, event.issue, original)
    known = _awaited(state)
    passes_on = bool({name, *gone.waits} & known) and named(original) not in {*known, *state.followed}
    is_new = all(issue.id != original.id for issue in state.facts.issues)
    return Followed(
        double=name,
        original=named(original),
        linked=is_new or (before is not None and before.linked),
        waits=passes_on or (before is not None and before.waits),
    )


def _without(state: Ticket, known: Iterable[Followed], gone: Followed) -> list[Followed]:
    """What led to the same original holds from now on what the one that is gone did."""
    return [
        one._replace(linked=one.linked or gone.linked, waits=one.waits or (gone.waits and one.double in state.followed))
        if one.original == gone.original
        else one
        for one in known
        if one is not gone
    ]


def _led_to(state: Ticket, known: Followed) -> Undone:
    others = tuple(one for one in state.originals if one is not known)
    beside = [one for one in others if one.original == known.original]
    issues = {known.original} if known.linked and not beside else set[str]()
    waits = {known.original} if known.waits and not any(one.double in state.followed for one in beside) else set[str]()
    further = _entry(others, known.original)
    if further is not None:
        beyond = _led_to(replace(state, originals=others), further)
        issues |= beyond.issues if issues else set()
        waits |= beyond.waits if waits else set()
    return Undone(frozenset(waits), frozenset(issues))


def _still_leads(known: Followed, double: IssueRef, original: IssueRef | None) -> bool:
    return double.stage is IssueStage.DUPLICATE and (original is None or named(original) == known.original)


def _entry(originals: Iterable[Followed], double: str) -> Followed | None:
    return next((one for one in originals if one.double == double), None)


def _awaited(state: Ticket) -> set[str]:
    return {*(wait.name for wait in state.facts.waits if wait.kind == "issue"), *state.once_awaited}
