"""Lists on PostgreSQL: what hangs below a part, what no customer may read of, and statements that look at little."""

from dataclasses import replace
from itertools import count

import pytest
import pytest_asyncio

from deskstream.contracts.chain_facts import PartKind
from deskstream.contracts.confidential import ConfidentialityChanged
from deskstream.contracts.issues import FindIssue, ListIssues
from deskstream.contracts.ticket_commands import FindTicket, ListCustomerTickets, ListTickets
from deskstream.ticketing.domain.issue.publishing import confidentiality
from deskstream.ticketing.domain.issue.state import Unfiled
from deskstream.ticketing.domain.part import Part
from deskstream.ticketing.store import issues, parts, reading, tickets
from services.ticketing.tests.given import ADA, MORNING, Desk, made_part, new_id

MANY = 3000


@pytest_asyncio.fixture
async def pool(pool_for):
    return await pool_for("ticketing")


def moved_to(part, state):
    ref = state.facts.part.model_copy(update={"id": part.id, "number": part.number})
    return replace(state, facts=state.facts.model_copy(update={"part": ref}))


@pytest_asyncio.fixture
async def tree(pool):
    """An issue and a ticket on a product, and on the two features below it; and of each one elsewhere."""
    shop = made_part(number=901)
    cart = made_part(PartKind.CAPABILITY, parent=shop.id, number=902)
    rows = made_part(PartKind.FEATURE, parent=cart.id, number=903)
    desk, numbers = Desk(), count(1)
    for part, title in ((shop, "shop"), (cart, "cart"), (rows, "rows"), (None, "elsewhere")):
        issue, ticket = desk.file(title=title), desk.open(title=title)
        if part is not None:
            desk.issues[issue] = moved_to(part, desk.issue(issue))
            desk.tickets[ticket] = moved_to(part, desk.ticket(ticket))
        heavier = desk.issue(issue).facts.weight.model_copy(update={"tickets": next(numbers)})
        facts = desk.issue(issue).facts.model_copy(update={"weight": heavier})
        desk.issues[issue] = replace(desk.issue(issue), facts=facts)
    async with pool.acquire() as tx:
        await parts.save(tx, [Part(facts) for facts in (shop, cart, rows)])
        await issues.save(tx, list(desk.issues.values()))
        await tickets.save(tx, list(desk.tickets.values()))
        yield tx, {"shop": shop.id, "cart": cart.id, "rows": rows.id, "nothing": new_id()}


@pytest.mark.parametrize(
    ("part", "found"),
    [
        ("shop", ["rows", "cart", "shop"]),
        ("cart", ["rows", "cart"]),
        ("rows", ["rows"]),
        ("nothing", []),
    ],
)
async def test_w10_issues_of_a_part_are_those_below_it_too_as_tickets_are(tree, part, found):
    tx, ids = tree
    for sort in ("newest", "weight"):
        listed = await reading.list_issues(tx, ListIssues(part_id=ids[part], sort=sort))
        assert [one["title"] for one in listed["issues"]] == found, sort
    listed = await reading.list_tickets(tx, ListTickets(part_id=ids[part]))
    assert [one["title"] for one in listed["tickets"]] == found


async def test_w10_what_hangs_on_a_part_that_is_renamed_shows_its_name_of_now(tree):
    tx, ids = tree
    renamed = made_part(PartKind.FEATURE, number=903).model_copy(update={"id": ids["rows"], "name": "Lines"})
    await parts.save(tx, [Part(renamed)])
    ticket, *_ = (await reading.list_tickets(tx, ListTickets(part_id=ids["rows"])))["tickets"]
    issue, *_ = (await reading.list_issues(tx, ListIssues(part_id=ids["rows"])))["issues"]
    assert [one["part"]["name"] for one in (ticket, issue)] == ["Lines", "Lines"]
    found = await reading.find_ticket(tx, FindTicket(ticket_id=ticket["id"]))
    assert found["ticket"]["part"]["name"] == "Lines"
    found = await reading.find_issue(tx, FindIssue(issue_id=issue["id"]))
    assert found["issue"]["part"]["name"] == "Lines"


async def test_pages_of_a_part_s_issues_have_each_once(tree):
    tx, ids = tree
    pages = [await reading.list_issues(tx, ListIssues(part_id=ids["shop"], skip=n, limit=1)) for n in range(4)]
    assert [[one["title"] for one in page["issues"]] for page in pages] == [["rows"], ["cart"], ["shop"], []]
    assert [page["more"] for page in pages] == [True, True, False, False]


@pytest.mark.parametrize("security", ["no", "unsure", "yes"])
async def test_w12_the_database_calls_confidential_what_the_domain_does(pool, security):
    desk = Desk()
    issue = desk.issue(desk.file(security=security))
    said = confidentiality(Unfiled(issue.id, 1), issue, MORNING)
    async with pool.acquire() as tx:
        await issues.save(tx, [issue])
        kept = await tx.fetchval("SELECT confidential FROM issues")
    assert kept is any(isinstance(event, ConfidentialityChanged) and event.confidential for event in said)


async def test_w12_a_title_is_masked_although_the_issue_s_text_holds_a_nul(pool):
    link = "https://code.example/31"
    desk = Desk()
    named, plain = desk.open(title=f"Crash, {link}"), desk.open(title="Crash, https://other.example/1")
    issue = desk.issue(desk.file(security="yes", text="It says NUL \x00 here"))
    async with pool.acquire() as tx:
        await issues.save(tx, [replace(issue, withheld=(link,)), desk.issue(desk.file(security="yes", text="\x00"))])
        await tickets.save(tx, list(desk.tickets.values()))
        seen = (await reading.list_customer_tickets(tx, ListCustomerTickets(contact_id=ADA.id)))["tickets"]
    assert {one["id"]: one["title"] for one in seen} == {
        str(named): f"TKT-{desk.ticket(named).facts.number}",
        str(plain): "Crash, https://other.example/1",
    }


MULTIPLIED = """
INSERT INTO tickets
    (id, number, stage, triage, tracker, type, severity, part_id, owner, account, contact, internal, deleted, state)
SELECT gen_random_uuid(), number + n, stage, triage, tracker, type, severity, part_id, owner, account, contact,
       internal, deleted, state
FROM tickets
CROSS JOIN generate_series(1, $1) AS n
"""

READ = "SELECT (seq_tup_read + idx_tup_fetch)::int FROM pg_stat_xact_user_tables WHERE relname = 'tickets'"


@pytest.mark.parametrize("filters", ["conversation_id", "issue_id", "part_id", "contact_id", "account_id"])
async def test_what_hangs_on_one_object_is_found_without_a_look_at_all_tickets(pool, filters):
    desk = Desk()
    one = desk.open(title="wanted")
    wanted = {
        "conversation_id": desk.ticket(one).facts.conversations[0].id,
        "issue_id": desk.file(one),
        "part_id": new_id(),
        "contact_id": ADA.id,
        "account_id": desk.ticket(one).facts.account.id,
    }
    desk.settle()
    part = made_part(number=901, id=wanted["part_id"])
    found = moved_to(part, desk.ticket(one))
    other = desk.ticket(desk.open(requester=None, account=None, conversation=None))
    async with pool.acquire() as tx:
        await parts.save(tx, [Part(part)])
        await tickets.save(tx, [other])
        await tx.execute(MULTIPLIED, MANY)
        await tickets.save(tx, [found])
        await issues.save(tx, list(desk.issues.values()))
        await tx.execute("ANALYZE tickets, ticket_conversations, weights")
        async with tx.transaction():
            listed = await reading.list_tickets(tx, ListTickets(**{filters: wanted[filters]}))
            read = await tx.fetchval(READ)
    assert [row["title"] for row in listed["tickets"]] == ["wanted"]
    assert read < 20
