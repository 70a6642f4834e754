"""The service as it runs, on a real broker and database: commands, timers, lists, the chain, and refusals."""

import asyncio
from functools import partial
from uuid import uuid4

import pytest

from deskstream.contracts import issues as of_issues
from deskstream.contracts import part_commands as of_parts
from deskstream.contracts import ticket_commands as asked
from deskstream.testkit.desk import desk
from deskstream.testkit.eventually import eventually
from deskstream.ticketing.app import SERVICE
from services.ticketing.tests.given import ACME, ADA, conversation
from services.ticketing.tests.running import OTHERS, Around


async def test_a_ticket_goes_to_its_engineer_and_back(around):
    one = await around.open()
    issue = await around.file(one, wait=True)
    held = await around.ticket(one, lambda it: it["stage"] == "on_hold")
    assert held["waits"] == [{"kind": "issue", "name": f"ISS-{issue['number']}"}]
    await around.issue(issue, lambda it: it["weight"] == {"tickets": 1, "customers": 1})
    await around.ask(of_issues.AcceptIssue(issue_id=issue["id"]))
    await around.ask(of_issues.MoveIssue(issue_id=issue["id"], stage="completed"))
    await around.ticket(one, lambda it: it["stage"] == "open")
    assert await around.pool.fetchval("SELECT count(*) FROM waiting") == 0


async def test_w4_timers_fire_by_themselves_and_are_cancelled_by_the_customer(database, nats_url, monkeypatch):
    monkeypatch.setenv("DESKSTREAM_TICKETING_HOURS", "24x7")
    monkeypatch.setenv("DESKSTREAM_TICKETING_FIRST_FOLLOW_UP_HOURS", "0.0001")
    async with desk([SERVICE, OTHERS], database, nats_url) as services:
        around = Around(services["ticketing"])
        one = await around.open()
        await around.ask(asked.RecordAnswer(ticket_id=one["id"], asks="information"))
        await eventually(partial(around.has_said, "follow_up_wanted"))
        assert await around.pool.fetchval("SELECT count(*) FROM timers") == 1
        await around.ask(asked.RecordCustomer(ticket_id=one["id"]))
        assert await around.pool.fetchval("SELECT count(*) FROM timers") == 0


@pytest.mark.parametrize("member", ["ticket", "issue", "part", "conversation", "account"])
async def test_w10_the_whole_chain_from_any_of_its_members(around, member):
    product = await around.part("Shop", "product")
    capability = await around.part("Checkout", "capability", parent=product["id"])
    one = await around.open(part_id=capability["id"])
    two = await around.open(part_id=capability["id"], conversation=conversation(13))
    issue = await around.file(one, two, part_id=capability["id"])
    await around.issue(issue, lambda it: it["weight"]["tickets"] == 2)
    named = {
        "ticket": {"ticket": one["number"]},
        "issue": {"issue": issue["number"]},
        "part": {"part": product["number"]},
        "conversation": {"conversation": 12},
        "account": {"account_id": ACME.id},
    }
    chain = await around.ask(asked.ReadChain(**named[member]))
    alone = member in ("ticket", "conversation")
    assert [ticket["number"] for ticket in chain["tickets"]] == [one["number"]] if alone else [2, 1]
    assert [found["number"] for found in chain["issues"]] == [issue["number"]]
    assert [(part["name"], part["parent"]) for part in chain["parts"]] == [
        ("Shop", None), ("Checkout", product["number"]),
    ]  # fmt: skip
    assert {account["name"] for account in chain["accounts"]} == {"Acme"}
    assert {found["number"] for found in chain["conversations"]} == ({12} if alone else {12, 13})


async def test_w10_the_chain_of_an_issue_names_what_it_blocks_and_what_it_repeats(around):
    one, other, original = [await around.file(title=title) for title in ("Slow", "Slower", "Slowest")]
    await around.ask(of_issues.RelateIssue(issue_id=one["id"], kind="blocks", to=other["id"]))
    await around.ask(of_issues.AcceptIssue(issue_id=one["id"]))
    repeats = of_issues.MoveIssue(issue_id=one["id"], stage="duplicate", duplicate_of=original["id"])
    await around.ask(repeats)
    chain = await around.ask(asked.ReadChain(issue=one["number"]))
    assert [found["title"] for found in chain["issues"]] == ["Slow", "Slower", "Slowest"]
    assert chain["issues"][0]["relations"] == [
        {"kind": "blocks", "issue": other["number"]}, {"kind": "duplicates", "issue": original["number"]},
    ]  # fmt: skip
    around_other = (await around.ask(asked.ReadChain(issue=other["number"])))["issues"]
    assert [found["number"] for found in around_other] == [other["number"], one["number"]]


async def test_w10_a_chain_without_a_member_or_with_an_unknown_one_is_refused(around):
    assert await around.refused(asked.ReadChain()) == "name_one_member"
    assert await around.refused(asked.ReadChain(ticket=1, issue=1)) == "name_one_member"
    assert await around.refused(asked.ReadChain(ticket=999)) == "ticket_not_found"
    assert (await around.ask(asked.ReadChain(conversation=999)))["tickets"] == []


async def test_r12_trackers_vistas_filters_and_pages(around):
    plain, code, filed = (
        await around.open(),
        await around.open(needs_code_change="yes"),
        await around.open(owner="bruno"),
    )
    issue = await around.file(filed)
    await around.ticket(filed, lambda it: it["issues"])
    over = await around.open()
    await around.ask(asked.CancelTicket(ticket_id=over["id"], reason="a double"))
    await around.ask(asked.RecordAnswer(ticket_id=code["id"]))

    async def listed(**filters):
        return [row["number"] for row in (await around.ask(asked.ListTickets(**filters)))["tickets"]]

    numbers = {
        name: one["number"] for name, one in (("plain", plain), ("code", code), ("filed", filed), ("over", over))
    }
    assert await listed(tracker="product_assist") == [numbers["filed"], numbers["code"]]
    assert await listed(tracker="active") == [numbers["plain"]]
    assert await listed(triage="untriaged") == [numbers["filed"], numbers["plain"]]
    assert await listed(triage="triaged") == [numbers["code"]]
    assert await listed(triage="closed") == [numbers["over"]]
    assert await listed(owner="bruno") == await listed(issue_id=issue["id"]) == [numbers["filed"]]
    assert await listed(account_id=uuid4()) == []
    assert await listed(part_id=plain["part"]["id"], tracker="active") == [numbers["plain"]]
    assert await listed(part_id=uuid4()) == []
    assert len(await listed(conversation_id=conversation().id, stage="new")) == 2
    page = await around.ask(asked.ListTickets(limit=3))
    assert (len(page["tickets"]), page["more"]) == (3, numbers["code"])
    assert await listed(before=page["more"]) == [numbers["plain"]]
    (part,) = (await around.ask(asked.CountTickets()))["parts"]
    assert part == {"part": 1, "stages": {"canceled": 1, "new": 2, "open": 1}}


async def test_w13_issues_and_parts_sort_by_weight(around):
    light, heavy = await around.file(await around.open()), await around.file(await around.open(), await around.open())
    await around.issue(light, lambda it: it["weight"]["tickets"] == 1)
    await around.issue(heavy, lambda it: it["weight"]["tickets"] == 2)
    by_weight = (await around.ask(of_issues.ListIssues(sort="weight")))["issues"]
    assert [one["number"] for one in by_weight] == [heavy["number"], light["number"]]
    assert [one["number"] for one in (await around.ask(of_issues.ListIssues(open=False)))["issues"]] == []


async def test_w9_issues_are_narrowed_down(around):
    ticket = await around.open()
    linked = await around.file(ticket, severity="high", title="linked")
    await around.file(security="yes", owner="bruno", title="secret")
    await around.issue(linked, lambda it: it["weight"]["tickets"] == 1)

    async def listed(**filters):
        return [one["title"] for one in (await around.ask(of_issues.ListIssues(**filters)))["issues"]]

    assert await listed(severity="high") == await listed(linked=True) == await listed(owner="") == ["linked"]
    assert await listed(account_id=ticket["account"]["id"], security="no") == ["linked"]
    assert await listed(security="yes") == await listed(linked=False) == await listed(owner="bruno") == ["secret"]
    assert await listed(account_id=uuid4()) == await listed(security="unsure") == []
    await around.ask(of_issues.MarkSecurity(issue_id=linked["id"], security="unsure", reason="it may be"))
    await around.ask(of_issues.ChangeIssue(issue_id=linked["id"], severity="low"))
    assert await listed(security="unsure", severity="low") == ["linked"]


async def test_w14_the_product_tree_moves_and_keeps_its_work(around):
    product = await around.part("Shop", "product")
    cart = await around.part("Cart", "capability", parent=product["id"])
    rows = await around.part("Rows", "feature", parent=cart["id"])
    cells = await around.part("Cells", "feature", parent=rows["id"])
    pay = await around.part("Pay", "capability", parent=product["id"])
    assert await around.refused(of_parts.MovePart(part_id=rows["id"], parent=cells["id"])) == "part_below_itself"
    await around.ask(of_parts.MovePart(part_id=rows["id"], parent=pay["id"]))
    tree = (await around.ask(of_parts.ListParts(below=pay["id"])))["parts"]
    assert [part["name"] for part in tree] == ["Pay", "Rows", "Cells"]
    one = await around.open(part_id=cells["id"])
    assert await around.refused(of_parts.DeletePart(part_id=cells["id"], reason="old")) == "part_has_work"
    assert await around.refused(of_parts.DeletePart(part_id=pay["id"], reason="old")) == "part_has_work"
    await around.ask(asked.ChangeTicket(ticket_id=one["id"], part_id=cart["id"]))
    await around.ask(of_parts.DeletePart(part_id=cells["id"], reason="old"))
    assert await around.refused(asked.OpenTicket(title="x", part_id=cells["id"])) == "part_not_found"


async def test_w9_two_halves_of_a_circle_asked_at_once_leave_one(around):
    one, two, three = await around.file(), await around.file(), await around.file()
    ring = [(one, two), (two, three), (three, one)]
    relate = [of_issues.RelateIssue(issue_id=a["id"], kind="blocks", to=b["id"]) for a, b in ring]
    answers = await asyncio.gather(*(around.service.call(command, actor="anna") for command in relate))
    assert sorted(answer.ok for answer in answers) == [False, True, True]
    assert {answer.error.code for answer in answers if not answer.ok} == {"issues_block_each_other"}
    for one_of, other in ((one, two), (two, one)):
        await around.ask(of_issues.AcceptIssue(issue_id=one_of["id"]))
        command = of_issues.MoveIssue(issue_id=one_of["id"], stage="duplicate", duplicate_of=other["id"])
        if one_of is one:
            await around.ask(command)
        else:
            assert await around.refused(command) == "duplicate_of_itself"


async def test_what_nobody_knows_is_refused_by_name(around):
    nobody = uuid4()
    assert await around.refused(asked.CancelTicket(ticket_id=nobody, reason="x")) == "ticket_not_found"
    assert await around.refused(of_issues.MoveIssue(issue_id=nobody, stage="backlog")) == "issue_not_found"
    assert await around.refused(of_parts.RestorePart(part_id=nobody)) == "part_not_found"
    assert await around.refused(asked.OpenTicket(title="x", issue_id=nobody)) == "issue_not_found"
    assert await around.refused(asked.OpenTicket(title="x", part_id=nobody)) == "part_not_found"
    one = await around.open()
    assert await around.refused(asked.LinkIssue(ticket_id=one["id"], issue_id=nobody)) == "issue_not_found"


async def test_w12_a_customer_sees_stages_in_plain_words_and_no_internal_ticket(around):
    one = await around.open()
    await around.open(internal=True)
    await around.file(one, security="yes", title="Zephyr overflow")
    await around.ticket(one, lambda it: it["issues"])
    seen = (await around.ask(asked.ListCustomerTickets(contact_id=ADA.id)))["tickets"]
    assert seen == [
        {
            "id": one["id"],
            "number": one["number"],
            "title": "It crashes",
            "stage": "received",
            "filed": True,
            "links": [],
        }
    ]


async def test_w11_an_approved_answer_names_the_internal_tickets_that_it_leaves_out(around):
    inside, outside = await around.open(internal=True), await around.open()
    issue = await around.file(inside, outside)
    await around.issue(issue, lambda it: it["weight"]["tickets"] == 2)
    await around.ask(of_issues.AcceptIssue(issue_id=issue["id"]))
    await around.ask(of_issues.MoveIssue(issue_id=issue["id"], stage="completed"))
    approved = await around.ask(of_issues.ApproveAnswer(issue_id=issue["id"], text="It is fixed."))
    left_out = [{"why": "internal", "tickets": [f"TKT-{inside['number']}"]}]
    assert (approved["answered"], approved["left_out"]) == (1, left_out)


async def test_w12_no_title_that_a_customer_sees_names_a_confidential_issue(around):
    link = "https://code.example/acme/shop/31"
    issue = await around.file(title="Zephyr overflow")
    await around.ask(of_issues.PublishIssue(issue_id=issue["id"], link=link, reveals="no"))
    titles = [f"See iss {issue['number']}", f"Crash, {link}?tab=1", f"Crash {issue['id']}", "See ISS-999", "Crash"]
    opened = [await around.open(title=title) for title in titles]

    async def seen():
        listed = (await around.ask(asked.ListCustomerTickets(contact_id=ADA.id)))["tickets"]
        return [one["title"] for one in reversed(listed)]

    assert await seen() == titles
    await around.ask(of_issues.MarkSecurity(issue_id=issue["id"], security="unsure", reason="it may be"))
    assert await seen() == [*(f"TKT-{one['number']}" for one in opened[:3]), *titles[3:]]


async def test_w12_what_is_secret_leaves_its_part_by_somebody_of_it_alone(around):
    product = await around.part("Vault", "product", owners=("carla",))
    below = await around.part("Keys", "capability", parent=product["id"])
    other = await around.part("Shop", "product", owners=("anna",))
    issue = await around.file(part_id=below["id"], security="yes")
    move = of_issues.ChangeIssue(issue_id=issue["id"], part_id=other["id"])
    assert await around.refused(move, "anna") == "not_of_the_part"
    assert (await around.ask(move, "carla"))["issue"]["part"]["name"] == "Shop"
    nobody = await around.part("Attic", "product")
    misfiled = await around.file(part_id=other["id"])
    assert await around.refused(of_issues.ChangeIssue(issue_id=misfiled["id"], part_id=nobody["id"]), "carla")
    await around.ask(of_issues.ChangeIssue(issue_id=misfiled["id"], part_id=below["id"]), "bruno")


async def test_w9_a_move_is_answered_with_its_way_back_where_there_is_one(around):
    issue, original = await around.file(), await around.file()
    said = []
    for command, more in (
        (of_issues.AcceptIssue, {}),
        (of_issues.MoveIssue, {"stage": "completed"}),
        (of_issues.MoveIssue, {"stage": "in_review", "reason": "it did not hold"}),
        (of_issues.MoveIssue, {"stage": "duplicate", "duplicate_of": original["id"]}),
        (of_issues.MoveIssue, {"stage": "backlog", "reason": "it is none"}),
    ):
        said.append((await around.ask(command(issue_id=issue["id"], **more))).get("before"))
    assert said == [None, {"stage": "backlog"}, {"stage": "completed"}, {"stage": "in_review"}, None]
    declined = await around.ask(of_issues.MoveIssue(issue_id=original["id"], stage="wont_fix", reason="no"))
    assert "before" not in declined
