"""C8: conversations that wait for an issue without a ticket between them, and for the original of a duplicate."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from deskstream.contracts import Event
from deskstream.contracts.chain_facts import IssueFacts
from deskstream.contracts.issues import IssueWatched
from deskstream.contracts.links import WaiterCalledBack, WaiterPassedOn
from deskstream.contracts.way_back import Ending, IssueEnded
from deskstream.ticketing.domain.issue import stages
from deskstream.ticketing.domain.issue.changing import said
from deskstream.ticketing.domain.issue.state import Issue, Watcher

_PREPARED = {
    "completed": "Good news: what you are waiting for is done. Could you tell us whether it is solved for you?",
    "wont_fix": "We have looked into it thoroughly, and have decided to leave it as it is. We are sorry about that.",
    "deleted": "Look before you answer: what this waits for was deleted, and nobody completed it.",
}


def watch(state: Issue, watcher: Watcher, now: datetime) -> list[Event]:
    """Kept for when it ends; who waits for what is over already need not wait. A duplicate passes it on, too."""
    known = watcher in state.watchers
    watched = [] if known else [_watched(state, watcher, now, waits=True)]
    if state.original is not None:
        return [*watched, WaiterPassedOn(issue_id=state.original.id, at=now, **_named(watcher))]
    return [_ended(state, watcher, ending, now)] if (ending := ending_of(state.facts)) else watched


def unwatch(state: Issue, watcher: Watcher, now: datetime) -> list[Event]:
    """It waits for the duplicate itself again; whoever this one passed it on to need not end its waiting either."""
    events: list[Event] = [_watched(state, watcher, now, waits=False)] if watcher in state.watchers else []
    if state.original is not None:
        events.append(WaiterCalledBack(issue_id=state.original.id, at=now, **_named(watcher)))
    return events


def tell_watchers(before: Issue, after: Issue, now: datetime) -> Iterator[Event]:
    """That it is over; of a duplicate its original tells, as long as it is one."""
    was, original = before.original, after.original
    ending = ending_of(after.facts)
    for watcher in after.watchers:
        if was is not None and was.id != (original and original.id):
            yield WaiterCalledBack(issue_id=was.id, at=now, **_named(watcher))
        if original is not None and (was is None or was.id != original.id):
            yield WaiterPassedOn(issue_id=original.id, at=now, **_named(watcher))
        elif ending and original is None and not ending_of(before.facts):
            yield _ended(after, watcher, ending, now)


def ending_of(facts: IssueFacts) -> Ending | None:
    """How it is over for those who wait for it; a duplicate is not."""
    if facts.deleted is not None:
        return "deleted"
    if facts.stage is stages.COMPLETED:
        return "completed"
    return "wont_fix" if facts.stage is stages.WONT_FIX else None


def _named(watcher: Watcher) -> dict[str, Any]:
    return {"conversation": watcher.conversation, "name": watcher.name}


def _watched(state: Issue, watcher: Watcher, now: datetime, *, waits: bool) -> Event:
    return said(IssueWatched, state.facts, now, {}, waits=waits, **_named(watcher))


def _ended(state: Issue, watcher: Watcher, ending: Ending, now: datetime) -> Event:
    return IssueEnded(
        conversation_id=watcher.conversation.id, at=now, name=watcher.name, ended=ending, prepared=_PREPARED[ending]
    )
