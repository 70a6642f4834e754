"""W9: what is restored, or continued, finds itself in a desk that went on without it."""

from uuid import uuid4

import nats
import pytest
import pytest_asyncio

from deskstream.contracts import issues as of_issues
from deskstream.contracts import part_commands as of_parts
from deskstream.contracts import ticket_commands as asked
from deskstream.contracts.envelope import HEADER_ID, HEADER_SEQUENCE, HEADER_TYPE, Stamp, encode, event_type
from deskstream.contracts.linked import UNCLOSED
from deskstream.contracts.links import PartTicketJoined
from deskstream.contracts.ticket_talk import CustomerAnswered
from deskstream.testkit.desk import desk
from deskstream.testkit.eventually import eventually
from deskstream.ticketing.app import SERVICE
from deskstream.ticketing.domain import Known, TimeCame
from services.ticketing.tests.given import DARK_MODE, MORNING, PRODUCT, Desk, berlin, conversation, names
from services.ticketing.tests.running import OTHERS, Around


@pytest.mark.parametrize(
    ("before", "then"),
    [
        pytest.param(0, (berlin(13, "11:00"), "follow_up_sent"), id="nobody was reminded"),
        pytest.param(1, (berlin(15, "14:00"), "follow_up_sent"), id="reminded once"),
        pytest.param(2, (berlin(19, "16:00"), "ticket_solved"), id="reminded twice"),
    ],
)
def test_w4_silence_is_counted_anew_from_the_moment_of_restoring(before, then):
    desk = Desk()
    one = desk.in_stage("pending")
    for _ in range(before):
        desk.wake(one)
    desk.ask(one, asked.DeleteTicket, reason="a slip")
    desk.now = berlin(11, "09:00")
    desk.ask(one, asked.RestoreTicket)
    said = [name for name in names(desk.wake(one)) if name not in ("follow_up_wanted", "reply_wanted")]
    assert (desk.now, said[0]) == then


def test_w4_a_follow_up_that_left_while_its_ticket_was_deleted_is_not_waited_for():
    desk = Desk()
    one = desk.in_stage("pending")
    desk.now = desk.due(one) or desk.now
    assert "follow_up_wanted" in names(desk.tell_ticket(one, TimeCame()))
    desk.ask(one, asked.DeleteTicket, reason="a slip")
    assert desk.deliver() == []
    desk.ask(one, asked.RestoreTicket)
    assert names(desk.wake(one))[-1] == "follow_up_sent"


@pytest.mark.parametrize(
    ("stage", "part"),
    [
        *((stage, PRODUCT) for stage in sorted(UNCLOSED)),
        *((stage, DARK_MODE) for stage in ("closed", "canceled")),
    ],
)
def test_w14_a_ticket_whose_part_is_deleted_goes_on_at_the_default_one_unless_it_is_over(stage, part):
    desk = Desk()
    one = desk.in_stage(stage, at=DARK_MODE)
    desk.ask(one, asked.DeleteTicket, reason="a slip")
    desk.said.clear()
    desk.ask(one, asked.RestoreTicket, known=Known(part=PRODUCT))
    assert desk.ticket(one).facts.part == part
    assert [event.part_id for event in desk.told(PartTicketJoined)] == [DARK_MODE.id] * (part == DARK_MODE)


@pytest.mark.parametrize(("end", "part"), [(None, DARK_MODE), ("wont_fix", PRODUCT)], ids=["worked on", "over"])
def test_w14_an_issue_whose_part_is_deleted_goes_on_at_the_default_one_unless_it_is_over(end, part):
    desk = Desk()
    issue = desk.file()
    if end:
        desk.end(issue, end)
    desk.ask(issue, of_issues.DeleteIssue, reason="a slip")
    desk.ask(issue, of_issues.RestoreIssue, known=Known(part=DARK_MODE))
    assert desk.issue(issue).facts.part == part


async def test_w14_a_solved_ticket_keeps_its_part_and_an_issue_taken_up_again_goes_to_the_default_one(around):
    shop = await around.part("Shop", "product")
    one, issue = await around.open(part_id=shop["id"]), await around.file(part_id=shop["id"])
    await around.ask(asked.RecordCustomer(ticket_id=one["id"], confirmed=True))
    await around.ask(asked.SolveTicket(ticket_id=one["id"], category="confirmed"))
    await around.ask(of_issues.AcceptIssue(issue_id=issue["id"]))
    await around.ask(of_issues.MoveIssue(issue_id=issue["id"], stage="completed"))
    removal = of_parts.DeletePart(part_id=shop["id"], reason="old")
    assert await around.refused(removal) == "part_has_work"
    await around.ask(asked.ChangeTicket(ticket_id=one["id"], part_id=(await around.part("Desk", "product"))["id"]))
    await around.ask(removal)
    again = of_issues.MoveIssue(issue_id=issue["id"], stage="in_development", reason="it came back")
    assert (await around.ask(again))["issue"]["part"]["number"] == 1


async def test_w9_w14_what_is_restored_stands_on_parts_that_are_there(around):
    shop = await around.part("Shop", "product")
    cart = await around.part("Cart", "capability", parent=shop["id"])
    rows = await around.part("Rows", "feature", parent=cart["id"])
    lost, kept = [await around.open(part_id=part["id"]) for part in (rows, shop)]
    issue = await around.file(part_id=cart["id"])
    gone = [
        asked.DeleteTicket(ticket_id=lost["id"], reason="a slip"),
        asked.DeleteTicket(ticket_id=kept["id"], reason="a slip"),
        of_issues.DeleteIssue(issue_id=issue["id"], reason="a slip"),
        *(of_parts.DeletePart(part_id=part["id"], reason="old") for part in (rows, cart)),
    ]
    for command in gone:
        await around.ask(command)
    tickets = [(await around.ask(asked.RestoreTicket(ticket_id=one["id"])))["ticket"] for one in (lost, kept)]
    again = (await around.ask(of_issues.RestoreIssue(issue_id=issue["id"])))["issue"]
    assert [one["part"]["number"] for one in (*tickets, again)] == [1, shop["number"], 1]
    assert await around.refused(of_parts.RestorePart(part_id=rows["id"])) == "parent_is_deleted"
    for part in (cart, rows):
        await around.ask(of_parts.RestorePart(part_id=part["id"]))
    tree = (await around.ask(of_parts.ListParts(below=shop["id"])))["parts"]
    assert [part["name"] for part in tree] == ["Shop", "Cart", "Rows"]


@pytest_asyncio.fixture
async def closing_at_once(database, nats_url, monkeypatch):
    monkeypatch.setenv("DESKSTREAM_TICKETING_CLOSE_HOURS", "0.00001")
    async with desk([SERVICE, OTHERS], database, nats_url) as services:
        yield Around(services["ticketing"])


async def hear_answer(to, nats_url):
    said = CustomerAnswered(
        ticket_id=to["id"], at=MORNING, conversation=conversation(), message_id=uuid4(), concerns="this_ticket"
    )
    stamp = Stamp(uuid4(), 1, correlation=uuid4(), causation=uuid4(), actor=None, at=MORNING)
    headers = {HEADER_ID: str(stamp.id), HEADER_TYPE: event_type(said), HEADER_SEQUENCE: "1"}
    client = await nats.connect(nats_url)
    await client.jetstream().publish(said.subject(), encode(said, stamp).encode(), headers=headers)
    await client.close()


async def test_w4_w14_the_follow_up_of_a_closed_ticket_opens_on_a_part_that_is_there(closing_at_once, nats_url):
    around = closing_at_once
    shop = await around.part("Shop", "product")
    one = await around.open(part_id=shop["id"])
    await around.ask(asked.RecordCustomer(ticket_id=one["id"], confirmed=True))
    await around.ask(asked.SolveTicket(ticket_id=one["id"], category="confirmed"))
    await around.ticket(one, lambda it: it["stage"] == "closed")
    await around.ask(of_parts.DeletePart(part_id=shop["id"], reason="old"))
    await hear_answer(one, nats_url)

    async def opened():
        tickets = (await around.ask(asked.ListTickets()))["tickets"]
        assert [(it["stage"], it["part"]["number"]) for it in tickets] == [("new", 1), ("closed", shop["number"])]
        return True

    await eventually(opened)
