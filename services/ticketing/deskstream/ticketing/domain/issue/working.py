"""An issue's life: filed by anybody, accepted by somebody of the part, worked on, ended."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from deskstream.contracts import Event, Refused
from deskstream.contracts.chain_facts import IssueFacts, PartRef, Relation, Tombstone
from deskstream.contracts.ids import AgentId
from deskstream.contracts.issues import (
    AcceptIssue,
    AddIssueTask,
    ChangeIssue,
    ChangeIssueTask,
    DeleteIssue,
    FileIssue,
    IssueAccepted,
    IssueChanged,
    IssueDeleted,
    IssueFiled,
    IssueMoved,
    IssueRelated,
    IssueRestored,
    IssueTaskChanged,
    IssueTextChanged,
    IssueUnrelated,
    MoveIssue,
    RelateIssue,
    UnrelateIssue,
)
from deskstream.contracts.linked import IssueStage
from deskstream.contracts.links import IssueFiledFor
from deskstream.ticketing.domain import tasks
from deskstream.ticketing.domain.issue import stages
from deskstream.ticketing.domain.issue.changing import said, shown
from deskstream.ticketing.domain.issue.stages import Way
from deskstream.ticketing.domain.issue.state import Issue, Unfiled
from deskstream.ticketing.domain.versions import before
from deskstream.ticketing.domain.wishes import Wish
from deskstream.ticketing.domain.wording import written

RELATIONS_LIMIT: Final = 100


def file(state: Unfiled, wish: Wish[FileIssue], now: datetime) -> list[Event]:
    """W8: in triage, whoever files it. The tickets named link it by themselves."""
    asked = wish.command
    facts = IssueFacts(
        id=state.id,
        number=state.number,
        version=1,
        stage=stages.TRIAGE,
        title=asked.title,
        part=_insist_on_part(wish.known.part),
        owner=AgentId(asked.owner) if asked.owner else None,
        filed_by=wish.by,
        severity=asked.severity,
        security=asked.security,
        created_at=now,
    )
    filed = IssueFiled(issue_id=state.id, at=now, after=facts, text=written(asked.text))
    named = dict.fromkeys(asked.tickets)
    return [filed, *(IssueFiledFor(ticket_id=t, at=now, issue=shown(facts), waits=asked.wait) for t in named)]


def change(state: Issue, wish: Wish[ChangeIssue], now: datetime) -> list[Event]:
    facts, asked = state.facts, wish.command
    wanted: dict[str, Any] = {name: getattr(asked, name) for name in ("title", "severity") if getattr(asked, name)}
    if asked.owner is not None:
        wanted["owner"] = asked.owner or None
    if asked.part_id is not None:
        wanted["part"] = _insist_on_part(wish.known.part)
    changes = {name: value for name, value in wanted.items() if getattr(facts, name) != value}
    if "part" in changes and _has_a_say(facts, wish.known.people_there):
        insist_on_somebody_of_the_part(wish)
    events: list[Event] = _changed(facts, changes, now)
    text = None if asked.text is None else written(asked.text)
    if text is not None and text != state.text:
        latest = events[-1].after if events and isinstance(events[-1], IssueChanged) else facts
        events.append(said(IssueTextChanged, latest, now, {}, text=text))
    return events


def _changed(facts: IssueFacts, changes: dict[str, Any], now: datetime) -> list[Event]:
    was = before(facts, changes)
    return [said(IssueChanged, facts, now, changes, fields=tuple(changes), before=was)] if changes else []


def accept(facts: IssueFacts, wish: Wish[AcceptIssue], now: datetime) -> list[Event]:
    if facts.stage is not stages.TRIAGE:
        raise Refused("issue_is_accepted", f"ISS-{facts.number} left triage already; it is {facts.stage.value}.")
    by = insist_on_somebody_of_the_part(wish)
    changes: dict[str, Any] = {"stage": IssueStage(wish.command.stage), "accepted_by": by}
    return [said(IssueAccepted, facts, now, changes, by=by)]


def move(state: Issue, wish: Wish[MoveIssue], now: datetime) -> list[Event]:
    facts, asked = state.facts, wish.command
    way = stages.way(facts.stage, asked.stage)
    if way is Way.DECLINE:
        insist_on_somebody_of_the_part(wish)
    if (way is Way.TAKE_UP or asked.stage is stages.WONT_FIX) and not asked.reason:
        raise Refused("reason_is_missing", "Say why: those who wait for the issue will ask.")
    original = wish.known.issue if asked.stage is stages.DUPLICATE else None
    if asked.stage is stages.DUPLICATE and (original is None or original.deleted):
        raise Refused("original_is_missing", "Name the existing issue that this one repeats.")
    if original is not None and original.id == facts.id:
        raise Refused(
            "duplicate_of_itself", f"ISS-{facts.number} would be a duplicate of itself, by way of the other one."
        )
    changes = {
        "stage": asked.stage,
        "ended_at": now if asked.stage in stages.ENDED else None,
        "duplicate_of": original.id if original else None,
        **_on_part(wish.known.part if way is Way.TAKE_UP else None),
    }
    return [said(IssueMoved, facts, now, changes, reason=asked.reason, original=original)]


def relate(facts: IssueFacts, wish: Wish[RelateIssue], now: datetime) -> list[Event]:
    """W9. Two issues that block each other, by whatever way, would both wait for ever."""
    asked, other = wish.command, wish.known.issue
    if other is None or other.deleted:
        raise Refused("issue_not_found", "There is no such issue. List the issues to see their numbers.")
    if other.id == facts.id:
        raise Refused("issue_relates_to_itself", "An issue cannot be linked to itself.")
    if asked.kind == "blocks" and other.id in wish.known.blocked_by:
        sentence = f"ISS-{other.number} blocks ISS-{facts.number} already, by some way: they would wait for each other."
        raise Refused("issues_block_each_other", sentence)
    relation = Relation(kind=asked.kind, to=other.id, number=other.number)
    if relation in facts.relations:
        return []
    if len(facts.relations) >= RELATIONS_LIMIT:
        raise Refused("too_many_relations", f"ISS-{facts.number} has {RELATIONS_LIMIT} links to issues already.")
    return [said(IssueRelated, facts, now, {"relations": (*facts.relations, relation)}, relation=relation)]


def unrelate(facts: IssueFacts, asked: UnrelateIssue, now: datetime) -> list[Event]:
    found = next((one for one in facts.relations if (one.kind, one.to) == (asked.kind, asked.to)), None)
    if found is None:
        raise Refused("issues_not_related", "There is no such link between these issues.")
    changes = {"relations": tuple(one for one in facts.relations if one is not found)}
    return [said(IssueUnrelated, facts, now, changes, relation=found, reason=asked.reason)]


def add_task(facts: IssueFacts, wish: Wish[AddIssueTask], now: datetime) -> list[Event]:
    assert wish.task_id is not None
    task = tasks.added(facts.tasks, wish.task_id, wish.command.title, wish.command.owner)
    changes = {"tasks": tasks.replaced(facts.tasks, task)}
    return [said(IssueTaskChanged, facts, now, changes, task=task, how="added")]


def change_task(facts: IssueFacts, asked: ChangeIssueTask, now: datetime) -> list[Event]:
    task = tasks.changed(facts.tasks, asked.number, asked.how, asked.owner)
    changes = {"tasks": tasks.replaced(facts.tasks, task)}
    return [said(IssueTaskChanged, facts, now, changes, task=task, how=asked.how, reason=asked.reason)]


def delete(facts: IssueFacts, asked: DeleteIssue, by: AgentId | None, now: datetime) -> list[Event]:
    tombstone = Tombstone(by=by, at=now, reason=asked.reason)
    return [said(IssueDeleted, facts, now, {"deleted": tombstone})]


def restore(facts: IssueFacts, part: PartRef | None, now: datetime) -> list[Event]:
    """What is not over needs a part that people look at; `part` is the one instead of a deleted one."""
    if facts.deleted is None:
        return []
    part = part if facts.stage in stages.UNENDED else None
    return [said(IssueRestored, facts, now, {"deleted": None, **_on_part(part)})]


def _on_part(part: PartRef | None) -> dict[str, Any]:
    return {} if part is None else {"part": part}


def _has_a_say(facts: IssueFacts, people_there: Sequence[AgentId]) -> bool:
    """Whether its part loses a say by a move: in what is secret, and in what anybody may accept elsewhere."""
    return facts.security != "no" or (facts.stage is stages.TRIAGE and not people_there)


def insist_on_somebody_of_the_part(wish: Wish[Any]) -> AgentId:
    """An owner, expert or worker of the part; anybody, where neither it nor a part above names one."""
    if wish.by is None:
        raise Refused("author_is_missing", "No author is named. Say as which agent you ask.")
    if wish.known.people and wish.by not in wish.known.people:
        names = ", ".join(sorted(wish.known.people))
        raise Refused("not_of_the_part", f"Only somebody of the part may do that: {names}.")
    return wish.by


def _insist_on_part(part: PartRef | None) -> PartRef:
    if part is None:
        raise Refused("part_not_found", "There is no such part. List the parts to see their numbers.")
    return part
