"""The ends of a ticket: solved in a category whose conditions hold (W6), canceled, closed, deleted."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from deskstream.contracts import Event, Refused
from deskstream.contracts.chain_facts import PartRef, TicketFacts, Tombstone
from deskstream.contracts.facts import Resolution
from deskstream.contracts.ids import AgentId
from deskstream.contracts.linked import UNCLOSED, IssueStage
from deskstream.contracts.ticket_commands import CancelTicket, DeleteTicket, SolveTicket
from deskstream.contracts.ticketing import TicketCanceled, TicketClosed, TicketDeleted, TicketRestored, TicketSolved
from deskstream.ticketing.domain import tasks
from deskstream.ticketing.domain.ticket import stages
from deskstream.ticketing.domain.ticket.changing import RESOLUTION_TAG, moved, said
from deskstream.ticketing.domain.ticket.stages import Happening

FOLLOW_UPS_NEEDED: Final = 2

Condition = Callable[[TicketFacts], bool]


def _told_of_filing(facts: TicketFacts) -> bool:
    """With a confidential issue, "told that it is filed" stands for "link sent"."""
    confidential = any(issue.confidential for issue in facts.issues)
    return "public_link" in facts.given or (confidential and "filed" in facts.given)


def _filed(facts: TicketFacts) -> bool:
    return any(not issue.deleted for issue in facts.issues)


def _answered(facts: TicketFacts) -> bool:
    return "answer" in facts.given or "workaround" in facts.given


def _fixed(facts: TicketFacts) -> bool:
    return any(issue.stage is IssueStage.COMPLETED and not issue.deleted for issue in facts.issues)


def _engineer_knows(facts: TicketFacts) -> bool:
    return facts.engineer_told or facts.customer_engineer is None


def _reminded(facts: TicketFacts) -> bool:
    return facts.follow_ups >= FOLLOW_UPS_NEEDED


_ALWAYS: Final = "the customer said that it is solved"
CONDITIONS: Final[Mapping[Resolution, tuple[tuple[str, Condition], ...]]] = {
    Resolution.CONFIRMED: ((_ALWAYS, lambda facts: facts.confirmed is True),),
    Resolution.WORKAROUND: (
        ("a workaround was given", lambda facts: "workaround" in facts.given),
        ("a defect or improvement is filed and linked", _filed),
        ("its public link was sent", _told_of_filing),
    ),
    Resolution.SILENT_AFTER_ANSWER: (
        ("an answer was given", _answered),
        ("two follow-ups went out", _reminded),
        ("the customer engineer was told", _engineer_knows),
    ),
    Resolution.DEFECT: (
        (
            "it is fixed and the customer confirmed it, or the public link was sent",
            lambda facts: (_fixed(facts) and facts.confirmed is True) or _told_of_filing(facts),
        ),
    ),
    Resolution.FEATURE_REQUEST: (
        (
            "the customer engineer was tagged; without one, it is filed and the link was sent",
            lambda facts: (
                facts.engineer_told if facts.customer_engineer is not None else _filed(facts) and _told_of_filing(facts)
            ),
        ),
    ),
    Resolution.SILENT_NO_ANSWER: (
        ("no answer was found yet", lambda facts: not _answered(facts)),
        ("two follow-ups went out", _reminded),
        ("the customer engineer was asked", _engineer_knows),
    ),
}
"""W6: category -> what has to hold, each with the words in which it is missed."""


def missing(facts: TicketFacts, category: Resolution) -> list[str]:
    """What a category still lacks. Raises `Refused` for one that no ticket can have."""
    conditions = CONDITIONS.get(category)
    if conditions is None:
        names = ", ".join(known.value for known in CONDITIONS)
        raise Refused("category_is_for_conversations", f"A ticket is solved as one of: {names}.")
    return [words for words, holds in conditions if not holds(facts)]


def solve(facts: TicketFacts, asked: SolveTicket, now: datetime) -> list[Event]:
    """Neither in a category whose conditions do not hold, nor over open tasks without a word why."""
    stages.after(Happening.SOLVED, facts.stage)
    lacking = missing(facts, asked.category)
    if lacking:
        sentence = f"It cannot be solved as {asked.category.value} before this holds: {'; '.join(lacking)}."
        raise Refused("condition_is_missing", sentence, missing=lacking)
    left = tasks.still_open(facts.tasks)
    if left and not asked.despite_tasks:
        numbers = ", ".join(str(task.number) for task in left)
        sentence = f"Tasks born from it are open: {numbers}. Finish or drop them, or say why it is solved all the same."
        raise Refused("tasks_are_open", sentence, tasks=[task.number for task in left])
    return [solved(facts, asked.category, now, despite_tasks=asked.despite_tasks if left else None)]


def solved(facts: TicketFacts, category: Resolution, now: datetime, despite_tasks: str | None = None) -> Event:
    """The event itself; whoever asks for it has looked at the conditions."""
    stage = stages.after(Happening.SOLVED, facts.stage)
    changes: dict[str, Any] = moved(facts, stage, now) | {
        "resolution": category,
        "solved_at": now,
        "tags": {**facts.tags, RESOLUTION_TAG: category.value},
    }
    return said(TicketSolved, facts, now, changes, category=category, despite_tasks=despite_tasks)


def cancel(facts: TicketFacts, asked: CancelTicket, now: datetime) -> list[Event]:
    stage = stages.after(Happening.CANCELED, facts.stage)
    return [said(TicketCanceled, facts, now, moved(facts, stage, now), reason=asked.reason)]


def close(facts: TicketFacts, now: datetime) -> Event:
    """Its time has come: from now on it is locked."""
    return said(TicketClosed, facts, now, moved(facts, stages.after(Happening.TIME_PASSES, facts.stage), now))


def delete(facts: TicketFacts, asked: DeleteTicket, by: AgentId | None, now: datetime) -> list[Event]:
    """W9: a tombstone with author and reason; number and history stay."""
    tombstone = Tombstone(by=by, at=now, reason=asked.reason)
    return [said(TicketDeleted, facts, now, {"deleted": tombstone})]


def restore(facts: TicketFacts, part: PartRef | None, now: datetime) -> list[Event]:
    """What may go on needs a part that people look at; `part` is the one instead of a deleted one."""
    if facts.deleted is None:
        return []
    moved_to = {"part": part} if part is not None and facts.stage in UNCLOSED else {}
    return [said(TicketRestored, facts, now, {"deleted": None, **moved_to})]
