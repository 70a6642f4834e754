"""W3, W9: what may still be linked to a ticket and unlinked from it, in every stage; nothing is left out silently."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from deskstream.contracts import Refused
from deskstream.contracts import issues as of_issues
from deskstream.contracts import ticket_commands as asked
from deskstream.contracts.ticketing import IssueLinked, IssueNotLinked
from deskstream.contracts.way_back import NoteWanted
from deskstream.ticketing.domain.ticket.state import ISSUES_LIMIT, WAITS_LIMIT
from services.ticketing.tests.given import Desk, conversation, names

STAGES = ("new", "open", "pending", "on_hold", "solved", "closed", "canceled")
LOCKED = {"closed": "ticket_is_closed", "canceled": "ticket_is_canceled"}


def linked(stage: str) -> tuple[Desk, UUID]:
    """A ticket that came to a stage with an issue and a conversation linked."""
    desk = Desk()
    issue = desk.file()
    opened, desk.open = desk.open, lambda **more: opened(issue_of=issue, **more)  # type: ignore[method-assign]
    one = desk.in_stage(stage)
    desk.settle()
    return desk, one


def issue_of(desk: Desk) -> Any:
    return next(iter(desk.issues))


COMMANDS: dict[str, tuple[Callable[[Desk, UUID], Any], str]] = {
    "a conversation is linked": (
        lambda d, t: d.ask(t, asked.LinkConversation, conversation=conversation(13)),
        "conversation_linked",
    ),
    "a conversation is unlinked": (
        lambda d, t: d.ask(t, asked.UnlinkConversation, conversation_id=conversation().id, reason="no"),
        "conversation_unlinked",
    ),
    "an issue is linked": (lambda d, t: d.link(t, d.file()), "issue_linked"),
    "an issue is unlinked": (
        lambda d, t: d.ask(t, asked.UnlinkIssue, issue_id=issue_of(d), reason="no"),
        "issue_unlinked",
    ),
}

ROWS = [
    pytest.param(act, stage, LOCKED.get(stage, done), id=f"W3, W9: {what} in {stage}: {LOCKED.get(stage, 'done')}")
    for what, (act, done) in COMMANDS.items()
    for stage in STAGES
]


@pytest.mark.parametrize(("act", "stage", "expected"), ROWS)
def test_what_is_linked_and_unlinked_in_every_stage(act, stage, expected):
    desk, one = linked(stage)
    if stage not in LOCKED:
        assert names(act(desk, one))[0] == expected
        return
    before = desk.ticket(one)
    with pytest.raises(Refused) as refused:
        act(desk, one)
    assert (refused.value.code, desk.ticket(one)) == (expected, before)


@pytest.mark.parametrize("stage", ["solved", "closed", "canceled"])
def test_w9_the_tombstone_of_an_issue_reaches_what_is_locked(stage):
    desk, one = linked(stage)
    desk.ask(issue_of(desk), of_issues.DeleteIssue, reason="a double")
    desk.settle()
    assert (desk.ticket(one).facts.issues[0].deleted, desk.stage(one)) == (True, stage)


@pytest.mark.parametrize(("stage", "why"), LOCKED.items())
def test_w9_an_issue_filed_for_what_is_locked_says_that_it_is_not_linked(stage, why):
    desk = Desk()
    one = desk.in_stage(stage)
    desk.file(one)
    desk.settle()
    (said,) = desk.told(IssueNotLinked)
    assert (said.issue.number, said.why, desk.ticket(one).facts.issues) == (31, why, ())
    (note,) = desk.told(NoteWanted)
    assert note.text.startswith("ISS-31 was filed for TKT-1 “It crashes” and is not linked")


def test_w9_so_does_one_that_was_filed_for_what_was_deleted_meanwhile():
    desk = Desk()
    one = desk.open()
    desk.file(one)
    desk.ask(one, asked.DeleteTicket, reason="a slip")
    desk.settle()
    assert [said.why for said in desk.told(IssueNotLinked)] == ["ticket_is_deleted"]
    (note,) = desk.told(NoteWanted)
    assert "restore it and link the issue" in note.text
    desk.ask(one, asked.RestoreTicket)
    assert desk.ticket(one).facts.issues == ()


def test_w9_so_does_one_that_a_full_ticket_cannot_take():
    desk = Desk()
    one = desk.open()
    for _ in range(ISSUES_LIMIT + 1):
        desk.file(one)
    desk.settle()
    assert [said.why for said in desk.told(IssueNotLinked)] == ["too_many_issues"]
    assert len(desk.ticket(one).facts.issues) == ISSUES_LIMIT


def test_w11_a_full_ticket_waits_for_the_original_in_the_place_of_its_duplicate():
    desk = Desk()
    one = desk.open(conversation=conversation())
    double, original = desk.file(one, wait=True), desk.file()
    for _ in range(ISSUES_LIMIT - 1):
        desk.file(one)
    desk.settle()
    desk.end(double, "duplicate", original=original)
    desk.settle()
    facts = desk.ticket(one).facts
    assert (len(facts.issues), [wait.name for wait in facts.waits]) == (ISSUES_LIMIT, ["ISS-32"])
    assert [desk.issue(issue).facts.weight.tickets for issue in (double, original)] == [0, 1]
    desk.end(original)
    desk.settle()
    assert (desk.stage(one), desk.ticket(one).facts.waits) == ("open", ())


@pytest.mark.parametrize(
    ("stage", "waits", "why"),
    [
        pytest.param("new", 0, None, id="W11: it waits"),
        pytest.param("solved", 0, "ticket_is_solved", id="W9: linked, but what is solved waits for nothing"),
        pytest.param("on_hold", WAITS_LIMIT - 1, "too_many_waits", id="W9: linked, but it waits for too much"),
    ],
)
def test_an_issue_that_was_filed_to_be_waited_for(stage, waits, why):
    desk = Desk()
    one = desk.in_stage(stage)
    if waits:
        desk.ask(one, asked.HoldTicket, waits=[{"kind": "person", "name": f"p{n}"} for n in range(waits)])
    desk.file(one, wait=True)
    desk.settle()
    (said,) = desk.told(IssueLinked)
    awaited = any(wait.name == "ISS-31" for wait in desk.ticket(one).facts.waits)
    assert (said.not_awaited, awaited) == (why, why is None)
