"""W6 and W7: in which category a ticket may be solved, and what its tasks have to do with it."""

from collections.abc import Callable
from uuid import UUID

import pytest

from deskstream.contracts import Refused
from deskstream.contracts import issues as of_issues
from deskstream.contracts import ticket_commands as asked
from services.ticketing.tests.given import BRUNO, Desk, names

Steps = tuple[Callable[[Desk, UUID], object], ...]


def engineer(desk: Desk, one: UUID) -> None:
    desk.ask(one, asked.ChangeTicket, customer_engineer="carla")


def tag(desk: Desk, one: UUID) -> None:
    desk.ask(one, asked.TagCustomerEngineer)


def silent_twice(desk: Desk, one: UUID) -> None:
    desk.wake(one)
    desk.wake(one)


def filed(desk: Desk, one: UUID) -> None:
    desk.file(one)
    desk.settle()


def filed_secretly(desk: Desk, one: UUID) -> None:
    desk.file(one, security="yes")
    desk.settle()


def published(desk: Desk, one: UUID) -> None:
    (issue,) = desk.issues
    desk.ask(issue, of_issues.PublishIssue, link="https://tracker.example/31", reveals="no")
    desk.settle()


def fixed(desk: Desk, one: UUID) -> None:
    (issue,) = desk.issues
    desk.end(issue)
    desk.settle()


def deleted(desk: Desk, one: UUID) -> None:
    (issue,) = desk.issues
    desk.ask(issue, of_issues.DeleteIssue, reason="a double")
    desk.settle()


def says(*gives: str, asks: str | None = None) -> Callable[[Desk, UUID], object]:
    return lambda desk, one: desk.reply(one, *gives, asks=asks)


def yes(desk: Desk, one: UUID) -> None:
    desk.customer(one, solved=True)


def no(desk: Desk, one: UUID) -> None:
    desk.customer(one, solved=False)


def solved(desk: Desk, one: UUID, category: str = "confirmed") -> None:
    desk.ask(one, asked.SolveTicket, category=category)


def feature(desk: Desk, one: UUID) -> None:
    solved(desk, one, "feature_request")


def broken(desk: Desk, one: UUID) -> None:
    """A message that says no more than that: no answer to "is this solved?"."""
    desk.customer(one)


GOOD: list[tuple[str, str, Steps]] = [
    ("the customer said so", "confirmed", (yes,)),
    ("a workaround, a filed defect and its link", "workaround", (filed, published, says("workaround", "public_link"))),
    (
        "with a confidential issue, told that it is filed stands for the link",
        "workaround",
        (filed_secretly, says("workaround", "filed")),
    ),
    ("fixed and confirmed", "defect", (filed, fixed, yes)),
    ("its public link was sent", "defect", (filed, published, says("public_link"))),
    ("a confidential defect: told that it is filed", "defect", (filed_secretly, says("filed"))),
    ("the customer engineer was tagged", "feature_request", (engineer, tag)),
    ("no customer engineer: filed, and the link sent", "feature_request", (filed, published, says("public_link"))),
    ("an answer, two follow-ups, nobody to tell", "silent_after_answer", (says(asks="confirmation"), silent_twice)),
    (
        "an answer, two follow-ups, the customer engineer told",
        "silent_after_answer",
        (engineer, tag, says("answer", asks="information"), silent_twice),
    ),
    ("no answer found, two follow-ups, nobody to ask", "silent_no_answer", (says(asks="information"), silent_twice)),
]

LACKING: list[tuple[str, str, Steps, str]] = [
    ("nobody said so", "confirmed", (), "the customer said that it is solved"),
    ("the customer said no", "confirmed", (no,), "the customer said that it is solved"),
    ("it is broken again", "confirmed", (yes, solved, broken), "the customer said that it is solved"),
    ("it is broken again, of which its customer engineer knows nothing", "feature_request",
     (engineer, tag, feature, broken), "the customer engineer was tagged"),
    ("no workaround was given", "workaround", (filed, published, says("public_link")), "a workaround was given"),
    ("nothing is filed", "workaround", (says("workaround", "public_link"),), "a defect or improvement is filed"),
    ("what was filed is deleted", "workaround", (filed, published, says("workaround", "public_link"), deleted),
     "a defect or improvement is filed"),
    ("a link that nobody published cannot have been sent", "defect", (filed, says("public_link")), "link was sent"),
    ("the link was not sent", "workaround", (filed, published, says("workaround")), "its public link was sent"),
    ("told that it is filed, but it is no secret", "workaround", (filed, says("workaround", "filed")), "public link"),
    ("fixed, not confirmed", "defect", (filed, fixed), "it is fixed and the customer confirmed it"),
    ("confirmed, not fixed", "defect", (filed, yes), "it is fixed and the customer confirmed it"),
    ("the customer engineer was not tagged", "feature_request", (engineer, filed, published, says("public_link")),
     "the customer engineer was tagged"),
    ("nothing was filed for it", "feature_request", (says("public_link"),), "without one, it is filed"),
    ("one follow-up", "silent_after_answer", (says(asks="confirmation"), lambda d, t: d.wake(t)), "two follow-ups"),
    ("no answer was given", "silent_after_answer", (says(asks="information"), silent_twice), "an answer was given"),
    ("the customer engineer knows nothing", "silent_after_answer", (engineer, says(asks="confirmation"), silent_twice),
     "the customer engineer was told"),
    ("an answer was found", "silent_no_answer", (says("answer", asks="information"), silent_twice), "no answer"),
]  # fmt: skip


@pytest.mark.parametrize(("category", "steps"), [pytest.param(c, s, id=f"W6: {c}: {why}") for why, c, s in GOOD])
def test_a_category_whose_conditions_hold(category, steps):
    desk = Desk()
    one = desk.open()
    for step in steps:
        step(desk, one)
    desk.ask(one, asked.SolveTicket, category=category)
    facts = desk.ticket(one).facts
    assert (facts.stage, facts.resolution, facts.tags) == ("solved", category, {"resolution": category})


@pytest.mark.parametrize(
    ("category", "steps", "lacking"), [pytest.param(c, s, m, id=f"W6: not {c}: {why}") for why, c, s, m in LACKING]
)
def test_a_category_that_lacks_something(category, steps, lacking):
    desk = Desk()
    one = desk.open()
    for step in steps:
        step(desk, one)
    with pytest.raises(Refused) as refused:
        desk.ask(one, asked.SolveTicket, category=category)
    assert refused.value.code == "condition_is_missing"
    assert lacking in refused.value.sentence


@pytest.mark.parametrize("category", ["answered", "continued_in_ticket", "spam", "duplicate"])
def test_w6_a_conversation_s_category_is_none_of_a_ticket(category):
    desk = Desk()
    with pytest.raises(Refused) as refused:
        desk.ask(desk.open(), asked.SolveTicket, category=category)
    assert refused.value.code == "category_is_for_conversations"


def test_w7_an_open_task_refuses_solving_until_it_is_done_or_somebody_says_why():
    desk = Desk()
    one = desk.open()
    yes(desk, one)
    desk.ask(one, asked.AddTicketTask, title="Update the docs", owner="bruno")
    with pytest.raises(Refused, match="born from it are open: 1\\.") as refused:
        desk.ask(one, asked.SolveTicket, category="confirmed")
    assert (refused.value.code, "docs" in refused.value.sentence) == ("tasks_are_open", False)
    desk.ask(one, asked.SolveTicket, category="confirmed", despite_tasks="the docs come with the release")
    assert desk.stage(one) == "solved"
    assert desk.said[-2].despite_tasks == "the docs come with the release"


@pytest.mark.parametrize("how", ["done", "dropped"])
def test_w7_a_task_that_is_over_stands_in_nobody_s_way(how):
    desk = Desk()
    one = desk.open()
    yes(desk, one)
    desk.ask(one, asked.AddTicketTask, title="Update the docs")
    desk.ask(one, asked.ChangeTicketTask, number=1, how="delegated", owner=BRUNO)
    desk.ask(one, asked.ChangeTicketTask, number=1, how=how)
    desk.ask(one, asked.SolveTicket, category="confirmed")
    assert desk.stage(one) == "solved"


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        pytest.param(asked.AddTicketTask, {"title": "Another"}, id="W7: no new task"),
        pytest.param(asked.ChangeTicketTask, {"number": 1, "how": "reopened"}, id="W7: no old one taken up again"),
    ],
)
def test_nothing_is_born_from_what_is_solved(kind, more):
    desk = Desk()
    one = desk.open()
    yes(desk, one)
    desk.ask(one, asked.AddTicketTask, title="Update the docs")
    desk.ask(one, asked.ChangeTicketTask, number=1, how="done")
    desk.ask(one, asked.SolveTicket, category="confirmed")
    with pytest.raises(Refused) as refused:
        desk.ask(one, kind, **more)
    assert refused.value.code == "ticket_is_solved"


@pytest.mark.parametrize(
    ("number", "how", "owner", "code"),
    [
        pytest.param(2, "done", None, "task_not_found", id="W7: a task that is not there"),
        pytest.param(1, "reopened", None, "task_is_so_already", id="W7: taken up although it is open"),
        pytest.param(1, "delegated", None, "owner_is_missing", id="W7: delegated to nobody"),
    ],
)
def test_what_a_task_cannot_become(number, how, owner, code):
    desk = Desk()
    one = desk.open()
    desk.ask(one, asked.AddTicketTask, title="Update the docs")
    with pytest.raises(Refused) as refused:
        desk.ask(one, asked.ChangeTicketTask, number=number, how=how, owner=owner)
    assert refused.value.code == code


def test_w7_twenty_five_tasks_are_enough():
    desk = Desk()
    one = desk.open()
    for _ in range(25):
        desk.ask(one, asked.AddTicketTask, title="More")
    with pytest.raises(Refused, match="25"):
        desk.ask(one, asked.AddTicketTask, title="More")


def test_w7_a_side_task_is_a_ticket_of_its_own_that_blocks_nothing_and_has_no_clock():
    desk = Desk()
    one = desk.open()
    side = desk.open(title="Order cake", side_of=one, conversation=None)
    facts = desk.ticket(side).facts
    assert (facts.type, facts.internal, facts.side_of) == ("task", True, one)
    yes(desk, one)
    desk.ask(one, asked.SolveTicket, category="confirmed")
    assert (desk.stage(one), desk.stage(side), desk.due(side)) == ("solved", "new", None)
    with pytest.raises(Refused, match="type task"):
        desk.ask(side, asked.ChangeTicket, type="bug")


def test_w6_a_reopened_ticket_loses_its_category():
    desk = Desk()
    one = desk.in_stage("solved")
    desk.customer(one)
    facts = desk.ticket(one).facts
    assert (facts.resolution, facts.tags, facts.solved_at) == (None, {}, None)


def test_a_link_that_nobody_published_cannot_have_been_sent():
    desk = Desk()
    one = desk.open()
    with pytest.raises(Refused) as refused:
        desk.ask(one, asked.RecordAnswer, gives=["public_link"])
    assert refused.value.code == "no_public_link"


def test_w5_fields_requester_and_a_stale_version():
    desk = Desk()
    one = desk.open()
    said = desk.ask(one, asked.ChangeTicket, severity="blocker", owner="bruno", title="It crashes")
    assert said[0].fields == ("severity", "owner")
    assert desk.ask(one, asked.ChangeTicket, severity="blocker") == []
    with pytest.raises(Refused) as refused:
        desk.ask(one, asked.ChangeTicket, severity="low", version=1)
    assert refused.value.code == "version_is_stale"
    bob = desk.ticket(one).facts.requester.model_copy(update={"name": "Bob"})
    assert names(desk.ask(one, asked.SwitchRequester, requester=bob))[0] == "requester_switched"
    assert (desk.ticket(one).facts.requester.name, desk.ticket(one).facts.account) == ("Bob", None)


@pytest.mark.parametrize("stage", ["closed", "canceled"])
def test_w3_what_is_final_is_locked(stage):
    desk = Desk()
    one = desk.in_stage(stage)
    for act in (
        lambda: desk.ask(one, asked.ChangeTicket, severity="low"),
        lambda: desk.ask(one, asked.AddTicketTask, title="More"),
        lambda: desk.link(one, desk.file()),
    ):
        with pytest.raises(Refused) as refused:
            act()
        assert refused.value.code == f"ticket_is_{stage}"


def test_w9_a_deleted_ticket_keeps_its_number_is_silent_and_can_be_restored():
    desk = Desk()
    one = desk.in_stage("pending")
    desk.ask(one, asked.DeleteTicket, reason="a test")
    facts = desk.ticket(one).facts
    assert (facts.deleted.by, facts.deleted.reason, desk.due(one)) == ("anna", "a test", None)
    assert desk.customer(one) == []
    with pytest.raises(Refused, match="Restore it first"):
        desk.ask(one, asked.CancelTicket, reason="x")
    desk.ask(one, asked.RestoreTicket)
    assert (desk.ticket(one).facts.deleted, desk.due(one) is None) == (None, False)
