from uuid import uuid4

import pytest
from rich.console import Console

from deskstream.cli.problem import Problem
from deskstream.cli.services import installed
from deskstream.cli.work.drawing import tree_of
from deskstream.cli.work.names import Member, member_of, number_of
from deskstream.contracts import issues as of_issues
from deskstream.contracts import ticket_commands as of_tickets
from deskstream.contracts.crm import SaveAccount
from deskstream.contracts.facts import AccountFacts
from deskstream.contracts.linked import ConversationRef
from deskstream.runtime.launch import running
from deskstream.runtime.settings import RuntimeSettings
from deskstream.testkit.desk import prepare
from deskstream.testkit.eventually import eventually


@pytest.fixture
async def desk(database, nats_url):
    services = installed()
    await prepare(services, database, nats_url)
    settings = RuntimeSettings(nats_url=nats_url, postgres_url=database)
    async with running([one for one in services if one.name in ("crm", "ticketing")], settings) as started:
        yield started


async def ask(desk, command, actor="anna"):
    answer = await desk[command.SERVICE].call(command, actor=actor)
    assert answer.ok, answer.error
    return answer.result


@pytest.fixture
async def work(desk):
    """A ticket of Acme's from CONV-12 that waits for a confidential issue."""
    account = await ask(desk, SaveAccount(name="Acme"))
    facts = AccountFacts(id=account["id"], name="Acme")
    conversation = ConversationRef(id=uuid4(), number=12)
    opened = of_tickets.OpenTicket(title="It crashes", account=facts, conversation=conversation, severity="high")
    ticket = (await ask(desk, opened))["ticket"]
    filed = of_issues.FileIssue(title="Overflow", security="yes", tickets=[ticket["id"]], wait=True)
    issue = (await ask(desk, filed))["issue"]

    async def linked():
        found = await ask(desk, of_issues.FindIssue(issue_id=issue["id"]))
        assert found["issue"]["weight"]["tickets"] == 1
        return found["issue"]

    await eventually(linked)
    return account, ticket, issue


@pytest.mark.slow
async def test_the_chain_is_drawn_from_any_of_its_members(deskstream, work):
    account, ticket, issue = work
    drawn = await deskstream("chain", f"tkt-{ticket['number']}")
    assert drawn.code == 0
    assert drawn.lines == [
        f"TKT-{ticket['number']} “It crashes”, on hold, until ISS-{issue['number']}",
        "├── Acme",
        "├── CONV-12",
        f"├── ISS-{issue['number']} “Overflow”, triage, confidential, waited for, 1 ticket",
        "└── PART-1 Product",
    ]
    for name in (f"ISS-{issue['number']}", "CONV-12", "PART-1", account["number"]):
        said = await deskstream("chain", name)
        assert (said.code, f"TKT-{ticket['number']} “It crashes”" in said.out) == (0, True)
    as_json = (await deskstream("chain", "PART-1", "--json")).json
    assert [one["number"] for one in as_json["issues"]] == [issue["number"]]


@pytest.mark.slow
async def test_tickets_and_issues_are_listed_and_filtered(deskstream, work):
    _, ticket, issue = work
    said = await deskstream("tickets", "--tracker", "product_assist", "--issue", f"ISS-{issue['number']}")
    row = f"TKT-{ticket['number']} on hold high – Product ISS-{issue['number']} Acme It crashes"
    assert " ".join(said.lines[1].split()) == row
    assert (await deskstream("tickets", "--tracker", "active")).out == "There is no such ticket.\n"
    assert (await deskstream("tickets", "--part", "PART-1", "--json")).json["tickets"][0]["waits"] == [
        f"ISS-{issue['number']}"
    ]
    listed = await deskstream("issues", "--sort", "weight", "--open")
    assert "Overflow (confidential)" in listed.out
    assert (await deskstream("issues", "--stage", "completed")).out == "There is no such issue.\n"
    assert (await deskstream("issues", "--json")).json["more"] is False


@pytest.mark.slow
async def test_what_is_not_there_is_said(deskstream, work):
    for name, sentence in (("TKT-999", "no ticket"), ("ISS-999", "no issue"), ("PART-999", "no part")):
        said = await deskstream("chain", name)
        assert (said.code, sentence in said.err) == (1, True)
    assert "no tickets" in (await deskstream("chain", "CONV-999")).out


@pytest.mark.parametrize("name", ["", "7", "TKT", "TKT-", "TKT-0", "TKT--7", "XYZ-7", "TKT-7; DROP", "TKT-" + "9" * 99])
def test_what_names_nothing_is_misuse(nowhere, name):
    said = nowhere.now("chain", name)
    assert said.code == 2
    assert "write TKT-7" in said.err


@pytest.mark.parametrize(
    "arguments",
    [
        *(("tickets", option, "x") for option in ("--tracker", "--triage", "--stage", "--severity")),
        *(("issues", option, "x") for option in ("--stage", "--sort", "--severity", "--security")),
    ],
)
def test_an_unknown_word_is_answered_with_those_that_are_known(nowhere, arguments):
    said = nowhere.now(*arguments)
    assert said.code == 2
    assert "'x' is no" in said.err


def test_a_member_may_be_written_in_any_way():
    assert member_of(" iss-31 ") == Member("issue", 31)
    assert (number_of("4", "part"), number_of("part-4", "part")) == (4, 4)
    with pytest.raises(Problem, match="names no part"):
        number_of("TKT-4", "part")


def test_a_part_is_drawn_with_what_is_above_and_below():
    parts = [
        {"number": 2, "name": "Shop", "kind": "product", "parent": None},
        {"number": 3, "name": "Cart", "kind": "capability", "parent": 2},
        {"number": 4, "name": "Rows", "kind": "feature", "parent": 3},
    ]
    chain = {"tickets": [], "issues": [], "parts": parts, "more": True}
    console = Console(record=True, width=80, file=None)
    with console.capture() as drawn:
        console.print(tree_of(chain, Member("part", 3)))
    assert [line.rstrip() for line in drawn.get().splitlines()] == [
        "PART-3 Cart ‹ PART-2 Shop",
        "├── PART-4 Rows, feature",
        "├── no tickets",
        "└── and more",
    ]


PARTS = [{"number": 1, "name": "Shop", "kind": "product", "parent": None, "deleted": False},
         {"number": 2, "name": "Cart", "kind": "capability", "parent": 1, "deleted": False}]  # fmt: skip
ISSUE = {"number": 31, "title": "Null pointer", "stage": "backlog", "part": 2, "confidential": False,
         "deleted": False, "relations": [], "weight": {"tickets": 0, "customers": 0}, "waiting": [12]}  # fmt: skip


@pytest.mark.parametrize(
    ("member", "lines"),
    [
        pytest.param(Member("conversation", 12), ["CONV-12", "ISS-31", "waited for"], id="from the conversation"),
        pytest.param(Member("issue", 31), ["ISS-31", "CONV-12 waits for it"], id="from the issue"),
        pytest.param(Member("part", 1), ["PART-1", "ISS-31", "PART-2"], id="from a part above"),
    ],
)
def test_w10_what_no_ticket_holds_together_is_drawn(member, lines):
    chain = {"tickets": [], "issues": [ISSUE], "parts": PARTS, "conversations": [], "accounts": [], "more": False}
    console = Console(width=200)
    with console.capture() as captured:
        console.print(tree_of(chain, member))
    drawn = captured.get()
    at = -1
    for line in lines:
        assert (at := drawn.find(line, at + 1)) >= 0, drawn


@pytest.mark.parametrize(
    ("stage", "waits", "told"),
    [
        pytest.param("new", (), "new, our turn, anna", id="W3: new: ours"),
        pytest.param("open", (), "open, our turn, anna", id="W3: open: ours"),
        pytest.param("pending", (), "pending, the customer's turn, anna", id="W3: pending: the customer's"),
        pytest.param("on_hold", ("ISS-31", "carla"), "on hold, until ISS-31 and carla, anna", id="W3: on hold: named"),
        pytest.param("solved", (), "solved, anna", id="W3: solved: nobody's"),
    ],
)
def test_a_ticket_says_who_acts_next(stage, waits, told):
    ticket = {"number": 7, "title": "Crash", "stage": stage, "owner": "anna", "deleted": False, "waits": waits,
              "account": None, "conversations": [], "issues": [], "part": 1}  # fmt: skip
    chain = {"tickets": [ticket], "issues": [], "parts": PARTS, "conversations": [], "accounts": [], "more": False}
    console = Console(width=200)
    with console.capture() as captured:
        console.print(tree_of(chain, Member("ticket", 7)))
    assert captured.get().splitlines()[0].rstrip() == f"TKT-7 “Crash”, {told}"


@pytest.mark.parametrize("more", [True, False])
def test_w10_a_ticket_tells_that_more_hangs_on_it_than_is_drawn(more):
    ticket = {"number": 7, "title": "Crash", "stage": "open", "owner": None, "deleted": False, "waits": (),
              "account": None, "conversations": [], "issues": [], "part": 1}  # fmt: skip
    chain = {"tickets": [ticket], "issues": [], "parts": PARTS, "conversations": [], "accounts": [], "more": more}
    console = Console(width=200)
    with console.capture() as captured:
        console.print(tree_of(chain, Member("ticket", 7)))
    assert (captured.get().splitlines()[-1].rstrip() == "└── and more") is more
