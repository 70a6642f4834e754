"""W10: what no ticket holds together is in the chain, too: conversations that wait for an issue, issues on a part."""

from dataclasses import replace
from importlib.resources import files

import pytest
import pytest_asyncio

from deskstream.contracts import issues as of_issues
from deskstream.contracts.chain_facts import PartKind, Tombstone
from deskstream.contracts.ticket_commands import ReadChain
from deskstream.ticketing.domain import Known
from deskstream.ticketing.domain.issue.deciding import Awaited
from deskstream.ticketing.domain.part import Part
from deskstream.ticketing.store import issues, parts, tickets
from deskstream.ticketing.store.chain import read_chain
from deskstream.ticketing.store.chain_members import MOST_ISSUES
from services.ticketing.tests.given import ANNA, MORNING, Desk, conversation, made_part

GONE = Tombstone(at=MORNING, by=ANNA, reason="sold")


@pytest_asyncio.fixture
async def pool(pool_for):
    return await pool_for("ticketing")


async def keep(tx, desk):
    await issues.save(tx, list(desk.issues.values()))
    await tickets.save(tx, list(desk.tickets.values()))


def waits(desk, issue, number):
    """CONV-`number` goes on hold for the issue, without a ticket."""
    name = f"ISS-{desk.issue(issue).facts.number}"
    desk.tell_issue(issue, Awaited(issue, name, conversation(number)))


def numbers(members):
    return [one["number"] for one in members]


@pytest.mark.parametrize("member", ["conversation", "issue"])
async def test_w10_a_conversation_that_waits_for_an_issue_is_in_its_chain(pool, member):
    desk = Desk()
    issue, other = desk.file(), desk.file()
    waits(desk, issue, 12)
    waits(desk, issue, 13)
    waits(desk, other, 14)
    async with pool.acquire() as tx, tx.transaction():
        await keep(tx, desk)
        number = desk.issue(issue).facts.number
        chain = await read_chain(
            tx, ReadChain(conversation=12) if member == "conversation" else ReadChain(issue=number)
        )
    assert (numbers(chain["issues"]), chain["issues"][0]["waiting"]) == ([number], [12, 13])
    assert (numbers(chain["conversations"]), chain["tickets"]) == ([12, 13], [])


async def test_w10_from_a_ticket_they_are_seen_beside_its_own(pool):
    desk = Desk()
    one = desk.open()
    issue = desk.file(one)
    desk.settle()
    waits(desk, issue, 13)
    async with pool.acquire() as tx, tx.transaction():
        await keep(tx, desk)
        for member in ({"ticket": desk.ticket(one).facts.number}, {"conversation": 13}, {"conversation": 12}):
            chain = await read_chain(tx, ReadChain(**member))
            assert numbers(chain["issues"]) == [desk.issue(issue).facts.number]
            assert 13 in numbers(chain["conversations"])


async def test_w10_whoever_waits_twice_or_for_two_issues_is_shown_once(pool):
    desk = Desk()
    one, two = desk.file(), desk.file()
    for issue in (one, one, two):
        waits(desk, issue, 12)
    async with pool.acquire() as tx, tx.transaction():
        await keep(tx, desk)
        await keep(tx, desk)
        chain = await read_chain(tx, ReadChain(conversation=12))
    assert (len(chain["issues"]), numbers(chain["conversations"])) == (2, [12])


async def test_w10_who_waits_for_a_neighbour_only_is_not_shown(pool):
    desk = Desk()
    original, copy = desk.file(), desk.file()
    waits(desk, original, 12)
    desk.end(copy, "duplicate", original=original)
    desk.settle()
    async with pool.acquire() as tx, tx.transaction():
        await keep(tx, desk)
        chain = await read_chain(tx, ReadChain(issue=desk.issue(copy).facts.number))
    assert (len(chain["issues"]), chain["conversations"]) == (2, [])


async def test_w10_an_issue_without_tickets_is_in_the_chain_of_its_part_and_of_those_above(pool):
    shop = made_part(number=901)
    cart = made_part(PartKind.CAPABILITY, parent=shop.id, number=902)
    desk = Desk()
    hung, elsewhere = desk.file(), desk.file()
    facts = desk.issue(hung).facts
    desk.issues[hung] = hung_on(desk.issue(hung), Part(cart))
    async with pool.acquire() as tx, tx.transaction():
        await parts.save(tx, [Part(shop), Part(cart)])
        await keep(tx, desk)
        for part in (shop, cart):
            chain = await read_chain(tx, ReadChain(part=part.number))
            assert (numbers(chain["issues"]), numbers(chain["parts"])) == ([facts.number], [901, 902])
        assert desk.issue(elsewhere).facts.number not in numbers(chain["issues"])


@pytest.fixture
def shop():
    """A shop of three capabilities, one of them given up; the first has a feature."""
    product = made_part(number=901)
    below = [made_part(PartKind.CAPABILITY, parent=product.id, number=number) for number in (902, 903)]
    gone = made_part(PartKind.CAPABILITY, parent=product.id, number=904, deleted=GONE)
    feature = made_part(PartKind.FEATURE, parent=below[0].id, number=905)
    return [Part(facts) for facts in (product, *below, gone, feature)]


async def test_w10_the_chain_of_a_part_lists_the_parts_directly_below_it_on_which_nothing_hangs(pool, shop):
    async with pool.acquire() as tx, tx.transaction():
        await parts.save(tx, shop)
        found = {number: await read_chain(tx, ReadChain(part=number)) for number in (901, 902, 905)}
    assert {number: numbers(chain["parts"]) for number, chain in found.items()} == {
        901: [901, 902, 903],
        902: [901, 902, 905],
        905: [901, 902, 905],
    }
    assert not any(chain["more"] for chain in found.values())
    assert [part["parent"] for part in found[901]["parts"]] == [None, 901, 901]


@pytest.mark.parametrize(
    ("limit", "more"),
    [pytest.param(1, True, id="one of two is shown"), pytest.param(2, False, id="both are shown")],
)
async def test_w10_more_is_said_of_parts_and_of_issues_without_a_ticket(pool, shop, limit, more):
    desk = Desk()
    for issue in (desk.file(), desk.file()):
        waits(desk, issue, 12)
        desk.issues[issue] = hung_on(desk.issue(issue), shop[2])
    async with pool.acquire() as tx, tx.transaction():
        await parts.save(tx, shop)
        await keep(tx, desk)
        above = await read_chain(tx, ReadChain(part=901, limit=limit))
        hung = await read_chain(tx, ReadChain(part=903, limit=limit))
        waiting = await read_chain(tx, ReadChain(conversation=12, limit=limit))
    assert [chain["more"] for chain in (above, hung, waiting)] == [more] * 3
    assert [len(chain["issues"]) for chain in (above, hung, waiting)] == [limit] * 3


def hung_on(issue, part):
    ref = issue.facts.part.model_copy(update={"id": part.facts.id, "number": part.facts.number})
    return replace(issue, facts=issue.facts.model_copy(update={"part": ref}))


async def test_w10_neighbours_beyond_what_is_shown_are_said_to_be_more(pool):
    desk = Desk()
    issue, others = desk.file(), [desk.file() for _ in range(MOST_ISSUES)]
    for other in others:
        desk.ask(issue, of_issues.RelateIssue, kind="relates", to=other, known=Known(issue=desk.ref(other)))
    async with pool.acquire() as tx, tx.transaction():
        await keep(tx, desk)
        chain = await read_chain(tx, ReadChain(issue=desk.issue(issue).facts.number))
        other = await read_chain(tx, ReadChain(issue=desk.issue(others[0]).facts.number))
    assert (len(chain["issues"]), chain["more"]) == (MOST_ISSUES, True)
    assert chain["issues"][0]["id"] == str(issue)
    assert (len(other["issues"]), other["more"]) == (2, False)


async def test_what_was_kept_before_is_found_after_the_migration(pool):
    desk = Desk()
    issue = desk.file(text="It says NUL \x00 here")
    desk.file()
    waits(desk, issue, 12)
    waits(desk, issue, 13)
    script = files("deskstream.ticketing") / "migrations" / "0002_waiting_conversations.sql"
    fill = script.read_text("utf-8").split(";")[-2]
    async with pool.acquire() as tx, tx.transaction():
        await keep(tx, desk)
        before = await tx.fetch("DELETE FROM issue_waiters RETURNING issue_id, number")
        await tx.execute(fill)
        after = await tx.fetch("SELECT issue_id, number FROM issue_waiters ORDER BY number")
    assert sorted(before, key=lambda row: row["number"]) == after
    assert [tuple(row) for row in after] == [(issue, 12), (issue, 13)]
