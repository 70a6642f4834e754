"""W8, W9, W13, W14: issues, their links and weight, and the product tree."""

import pytest

from deskstream.contracts import Refused
from deskstream.contracts import issues as asked
from deskstream.contracts import part_commands as of_parts
from deskstream.contracts import ticket_commands as of_tickets
from deskstream.contracts.chain_facts import PartKind
from deskstream.contracts.linked import IssueStage
from deskstream.contracts.links import DefaultPassed, PartTicketJoined
from deskstream.ticketing.domain import Known, Wish
from deskstream.ticketing.domain.part import Part
from services.ticketing.tests.given import ANNA, BRUNO, CARLA, DARK_MODE, PRODUCT, Desk, made_part, names, new_id

WORKING = ("backlog", "prioritized", "in_development", "in_review", "in_testing", "in_deployment")
ENDED = ("completed", "wont_fix", "duplicate")
STAGES = ("triage", *WORKING, *ENDED)


def in_stage(stage):
    desk = Desk()
    one = desk.file()
    other = desk.file()
    if stage != "triage":
        desk.accept(one)
    if stage not in ("triage", "backlog"):
        known = Known(issue=desk.ref(other))
        desk.ask(one, asked.MoveIssue, stage=stage, reason="because", duplicate_of=other, known=known)
    assert desk.issue(one).facts.stage == stage
    return desk, one, other


def save(desk, new, above, **fields):
    return desk.tell_part(new, Wish(new, of_parts.SavePart(**fields), by=ANNA, known=Known(parent=above)))


def expected(before, after):
    """W8 as a rule: what the table of all pairs has to be."""
    if before == after:
        return "issue_is_so_already"
    if after == "triage":
        return "issue_left_triage"
    if before == "triage":
        return after if after in ("wont_fix", "duplicate") else "issue_in_triage"
    if before in ENDED:
        return after if after in WORKING else "issue_is_over"
    return after


@pytest.mark.parametrize(
    ("before", "after"),
    [pytest.param(b, a, id=f"W8: {b} to {a}: {expected(b, a)}") for b in STAGES for a in STAGES],
)
def test_every_change_of_stage(before, after):
    desk, one, other = in_stage(before)
    known = Known(issue=desk.ref(other))
    more = {"stage": after, "reason": "because", "duplicate_of": other, "known": known}
    if expected(before, after) in STAGES:
        desk.ask(one, asked.MoveIssue, **more)
        assert desk.issue(one).facts.stage == after
        assert (desk.issue(one).facts.ended_at is not None) == (after in ENDED)
        return
    with pytest.raises(Refused) as refused:
        desk.ask(one, asked.MoveIssue, **more)
    assert (refused.value.code, desk.issue(one).facts.stage) == (expected(before, after), before)


def test_the_stages_are_the_ten_of_w8():
    assert set(STAGES) == {stage.value for stage in IssueStage}


@pytest.mark.parametrize(
    ("people", "by", "code"),
    [
        pytest.param((ANNA,), CARLA, "not_of_the_part", id="W8: a stranger to the part cannot accept"),
        pytest.param((ANNA, CARLA), CARLA, None, id="W8: an owner, expert or worker accepts"),
        pytest.param((), CARLA, None, id="W8: where no part names anybody, everybody may accept"),
        pytest.param((), None, "author_is_missing", id="W8: an acceptance has an author"),
    ],
)
def test_accepting(people, by, code):
    desk = Desk()
    one = desk.file()
    accept = {"known": Known(people=people), "by": by}
    if code is None:
        desk.ask(one, asked.AcceptIssue, **accept)
        assert (desk.issue(one).facts.stage, desk.issue(one).facts.accepted_by) == ("backlog", by)
        with pytest.raises(Refused, match="left triage"):
            desk.ask(one, asked.AcceptIssue, **accept)
        return
    for kind, more in ((asked.AcceptIssue, {}), (asked.MoveIssue, {"stage": "wont_fix", "reason": "no"})):
        with pytest.raises(Refused) as refused:
            desk.ask(one, kind, **accept, **more)
        assert refused.value.code == code


@pytest.mark.parametrize(
    ("here", "there", "filed", "stage", "moves"),
    [
        pytest.param((ANNA,), (), {}, "triage", False, id="W8: not to where anybody accepts"),
        pytest.param((ANNA,), (BRUNO,), {}, "triage", True, id="W8: to where somebody else accepts"),
        pytest.param((CARLA,), (), {}, "triage", True, id="W8: by somebody of its part"),
        pytest.param((), (), {}, "triage", True, id="W8: where anybody accepts already"),
        pytest.param((ANNA,), (), {}, "backlog", True, id="W8: once it was accepted"),
        pytest.param((ANNA,), (CARLA,), {"security": "yes"}, "backlog", False, id="W12: no secret to a part of mine"),
        pytest.param((ANNA,), (CARLA,), {"security": "unsure"}, "triage", False, id="W12: nor what may be one"),
    ],
)
def test_whose_issues_go_to_another_part(here, there, filed, stage, moves):
    desk = Desk()
    one = desk.file(**filed)
    if stage != "triage":
        desk.accept(one)
    title, known = desk.issue(one).facts.title, Known(part=DARK_MODE, people=here, people_there=there)
    if not moves:
        with pytest.raises(Refused) as refused:
            desk.ask(one, asked.ChangeIssue, part_id=DARK_MODE.id, title="Another", by=CARLA, known=known)
        assert (refused.value.code, desk.issue(one).facts.title) == ("not_of_the_part", title)
        desk.ask(one, asked.ChangeIssue, part_id=PRODUCT.id, title="Another", by=CARLA, known=Known(part=PRODUCT))
        assert desk.issue(one).facts.title == "Another"
    desk.ask(one, asked.ChangeIssue, part_id=DARK_MODE.id, by=CARLA if moves else ANNA, known=known)
    assert desk.issue(one).facts.part == DARK_MODE


@pytest.mark.parametrize(
    ("before", "after"),
    [pytest.param("backlog", "wont_fix", id="W8: won't fix"), pytest.param("completed", "backlog", id="W8: taken up")],
)
def test_what_others_will_ask_about_needs_a_reason(before, after):
    desk, one, _ = in_stage(before)
    with pytest.raises(Refused) as refused:
        desk.ask(one, asked.MoveIssue, stage=after)
    assert refused.value.code == "reason_is_missing"


def test_a_duplicate_needs_an_original_that_is_not_itself():
    desk, one, _ = in_stage("backlog")
    with pytest.raises(Refused) as refused:
        desk.ask(one, asked.MoveIssue, stage="duplicate")
    assert refused.value.code == "original_is_missing"
    with pytest.raises(Refused) as refused:
        desk.ask(one, asked.MoveIssue, stage="duplicate", known=Known(issue=desk.ref(one)))
    assert refused.value.code == "duplicate_of_itself"


def test_w9_relations_once_never_to_itself_and_never_in_a_circle():
    desk, one, other = in_stage("backlog")
    relate = {"kind": "blocks", "to": other, "known": Known(issue=desk.ref(other))}
    assert names(desk.ask(one, asked.RelateIssue, **relate)) == ["issue_related"]
    assert desk.ask(one, asked.RelateIssue, **relate) == []
    circle = Known(issue=desk.ref(one), blocked_by=frozenset({one}))
    with pytest.raises(Refused) as refused:
        desk.ask(other, asked.RelateIssue, kind="blocks", to=one, known=circle)
    assert refused.value.code == "issues_block_each_other"
    assert names(desk.ask(other, asked.RelateIssue, kind="relates", to=one, known=circle)) == ["issue_related"]
    with pytest.raises(Refused) as refused:
        desk.ask(one, asked.RelateIssue, kind="blocks", to=one, known=Known(issue=desk.ref(one)))
    assert refused.value.code == "issue_relates_to_itself"
    assert names(desk.ask(one, asked.UnrelateIssue, kind="blocks", to=other, reason="no")) == ["issue_unrelated"]


def test_w13_weight_counts_tickets_and_customers_and_is_right_after_unlinks():
    desk = Desk()
    one, two, third = desk.open(), desk.open(), desk.open(account=None)
    issue = desk.file(one, two, third)
    desk.settle()
    assert desk.issue(issue).facts.weight.model_dump() == {"tickets": 3, "customers": 2}
    from_ticket = {"issue_id": issue, "reason": "something else"}
    desk.ask(one, of_tickets.UnlinkIssue, **from_ticket)
    desk.ask(third, of_tickets.UnlinkIssue, **from_ticket)
    desk.settle()
    assert desk.issue(issue).facts.weight.model_dump() == {"tickets": 1, "customers": 1}


def test_w13_a_switched_requester_and_a_deleted_ticket_change_the_weight():
    desk = Desk()
    one, two = desk.open(), desk.open()
    issue = desk.file(one, two)
    desk.settle()
    desk.ask(two, of_tickets.SwitchRequester, requester=desk.ticket(two).facts.requester, account=None)
    desk.settle()
    assert desk.issue(issue).facts.weight.model_dump() == {"tickets": 2, "customers": 2}
    desk.ask(two, of_tickets.DeleteTicket, reason="a test")
    desk.settle()
    assert desk.issue(issue).facts.weight.model_dump() == {"tickets": 1, "customers": 1}


def test_w13_enhancements_are_weighed_other_parts_are_not():
    desk = Desk()
    enhancement = made_part(PartKind.ENHANCEMENT, id=DARK_MODE.id, number=2, name="Dark mode")
    desk.parts[DARK_MODE.id] = Part(enhancement)
    one = desk.open(at=DARK_MODE)
    desk.open()
    desk.settle()
    assert desk.parts[DARK_MODE.id].facts.weight.model_dump() == {"tickets": 1, "customers": 1}
    assert len(desk.told(PartTicketJoined)) == 1
    product = desk.ticket(desk.open()).facts.part
    desk.ask(one, of_tickets.ChangeTicket, part_id=product.id, known=Known(part=product))
    desk.settle()
    assert desk.parts[DARK_MODE.id].facts.weight.model_dump() == {"tickets": 0, "customers": 0}


@pytest.mark.parametrize("parent", [None, *PartKind])
@pytest.mark.parametrize("kind", [PartKind.CAPABILITY, PartKind.FEATURE, PartKind.ENHANCEMENT, PartKind.PRODUCT])
def test_w14_which_parent_each_kind_may_have(kind, parent):
    allowed: dict[PartKind, set[PartKind | None]] = {
        PartKind.PRODUCT: {None},
        PartKind.CAPABILITY: {PartKind.PRODUCT},
        PartKind.FEATURE: {PartKind.CAPABILITY, PartKind.FEATURE},
        PartKind.ENHANCEMENT: {PartKind.PRODUCT, PartKind.CAPABILITY, PartKind.FEATURE},
    }
    desk, above = Desk(), made_part(parent) if parent else None
    new, fields = new_id(), {"name": "x", "kind": kind, "parent": above.id if above else None}
    if parent in allowed[kind]:
        assert names(save(desk, new, above, **fields)) == ["part_saved", "part_staffed"]
        return
    with pytest.raises(Refused) as refused:
        save(desk, new, above, **fields)
    assert refused.value.code in ("part_has_no_parent", "parent_not_found", "parent_of_wrong_kind")


def test_w14_a_part_moves_with_what_is_below_and_never_below_itself():
    desk, above, other = Desk(), made_part(PartKind.CAPABILITY), made_part(PartKind.CAPABILITY)
    feature = made_part(PartKind.FEATURE, parent=above.id)
    desk.parts[feature.id] = Part(feature)
    below = Known(parent=other, above=(other.id, feature.id))
    with pytest.raises(Refused) as refused:
        desk.ask(feature.id, of_parts.MovePart, parent=other.id, known=below)
    assert refused.value.code == "part_below_itself"
    moved, _ = desk.ask(feature.id, of_parts.MovePart, parent=other.id, known=Known(parent=other, above=(other.id,)))
    assert (moved.before, moved.after.parent) == (above.id, other.id)


def test_w14_a_part_with_work_on_it_is_not_deleted_and_says_what_stands_in_the_way():
    desk, part = Desk(), made_part(PartKind.PRODUCT)
    desk.parts[part.id] = Part(part)
    with pytest.raises(Refused, match="3 parts, 12 tickets") as refused:
        desk.ask(part.id, of_parts.DeletePart, reason="old", known=Known(below=("3 parts", "12 tickets")))
    assert refused.value.code == "part_has_work"
    assert names(desk.ask(part.id, of_parts.DeletePart, reason="old")) == ["part_deleted", "part_staffed"]
    assert names(desk.ask(part.id, of_parts.RestorePart)) == ["part_restored", "part_staffed"]


def test_w1_there_is_one_default_part_and_it_stays():
    desk, old, new = Desk(), made_part(default=True), made_part()
    desk.parts |= {part.id: Part(part) for part in (old, new)}
    desk.ask(new.id, of_parts.SavePart, default=True, known=Known(defaults=(old.id,)))
    desk.settle()
    assert (desk.parts[old.id].facts.default, desk.parts[new.id].facts.default) == (False, True)
    assert [event.part_id for event in desk.told(DefaultPassed)] == [old.id]
    for kind, more in ((of_parts.SavePart, {"default": False}), (of_parts.DeletePart, {"reason": "x"})):
        with pytest.raises(Refused) as refused:
            desk.ask(new.id, kind, **more)
        assert refused.value.code == "default_part_is_needed"
