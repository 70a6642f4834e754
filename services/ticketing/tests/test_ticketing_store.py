"""What is kept, on PostgreSQL: documents that come back whole, links, weights, and what decisions look up."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest_asyncio

from deskstream.contracts import issues as of_issues
from deskstream.contracts import ticket_commands as of_tickets
from deskstream.contracts.chain_facts import PartKind
from deskstream.contracts.ids import IssueId, PartId
from deskstream.ticketing.domain import Known, ticket
from deskstream.ticketing.domain.issue.chains import end_of_chain, reachable
from deskstream.ticketing.domain.part import Part, Unmade
from deskstream.ticketing.store import issues, looking, parts, tickets
from services.ticketing.tests.given import ANNA, Desk, conversation, made_part, new_id

Pool = Any


@pytest_asyncio.fixture
async def pool(pool_for: Callable[[str], Any]) -> Pool:
    return await pool_for("ticketing")


def settled(state):
    """As it comes back: what was not stored yet is."""
    flags = {"relinked": False, "rerelated": False, "rewatched": False, "moved": {}}
    return replace(state, **{name: value for name, value in flags.items() if hasattr(state, name)})


async def keep(tx, desk):
    await parts.save(tx, list(desk.parts.values()))
    await issues.save(tx, list(desk.issues.values()))
    await tickets.save(tx, list(desk.tickets.values()))


async def test_tickets_and_issues_come_back_as_they_were(pool):
    desk = Desk()
    one, two = desk.open(text="It says NUL \x00 here"), desk.open(conversation=conversation(13))
    issue = desk.file(one, two, wait=True, text="Look at the parser")
    desk.settle()
    desk.ask(one, of_tickets.AddTicketTask, title="Docs")
    desk.reply(two, asks="confirmation")
    async with pool.acquire() as tx, tx.transaction():
        await keep(tx, desk)
        loaded = await tickets.load(tx, [str(one), str(two)])
        again = await issues.load(tx, [str(issue)])
    assert loaded == {str(key): settled(desk.ticket(key)) for key in (one, two)}
    assert again == {str(issue): settled(desk.issue(issue))}


async def test_what_does_not_exist_comes_with_the_number_that_it_would_get(pool):
    key = str(new_id())
    async with pool.acquire() as tx, tx.transaction():
        (state,) = (await tickets.load(tx, [key])).values()
        (again,) = (await tickets.load(tx, [key])).values()
        (part,) = (await parts.load(tx, [key])).values()
    assert isinstance(state, ticket.Unopened)
    assert isinstance(part, Unmade)
    assert isinstance(again, ticket.Unopened)
    assert again.number > state.number
    assert part.number > 1


async def test_w9_an_unlinked_ticket_is_gone_from_conversation_and_weight(pool):
    desk = Desk()
    one = desk.open()
    issue = desk.file(one)
    desk.settle()
    async with pool.acquire() as tx, tx.transaction():
        await keep(tx, desk)
        desk.ask(one, of_tickets.UnlinkIssue, issue_id=issue, reason="no")
        desk.ask(one, of_tickets.UnlinkConversation, conversation_id=conversation().id, reason="no")
        desk.ask(one, of_tickets.LinkConversation, conversation=conversation(99))
        desk.settle()
        await keep(tx, desk)
        linked = await tx.fetch("SELECT number FROM ticket_conversations WHERE ticket_id = $1", one)
        weights = await tx.fetchval("SELECT count(*) FROM weights")
    assert ([row["number"] for row in linked], weights) == ([99], 0)


async def test_w1_a_default_part_exists_from_the_first_moment_on(pool):
    other = made_part(default=True, number=900)
    async with pool.acquire() as tx, tx.transaction():
        (found,) = await looking.parts_for(tx, [None])
        assert found is not None
        assert (found.number, found.kind) == (1, PartKind.PRODUCT)
        await parts.save(tx, [Part(other)])
        (later, named, nobody) = await looking.parts_for(tx, [None, found.id, PartId(new_id())])
    assert later is not None
    assert (later.id, named, nobody) == (other.id, found, None)


async def test_w8_people_come_from_the_nearest_part_that_names_any(pool):
    product = made_part(owners=(ANNA,), number=901)
    capability = made_part(PartKind.CAPABILITY, parent=product.id, number=902, first_expert="bruno", workers=("carla",))
    feature = made_part(PartKind.FEATURE, parent=capability.id, number=903)
    desk = Desk()
    low, high = desk.file(), desk.file()
    desk.issues[low] = _on(desk.issue(low), feature)
    desk.issues[high] = _on(desk.issue(high), product)
    async with pool.acquire() as tx, tx.transaction():
        await parts.save(tx, [Part(product), Part(capability), Part(feature)])
        await keep(tx, desk)
        people = await looking.people_for(tx, [low, high])
        hanging = await looking.hanging_on(tx, [product.id, feature.id])
    assert people == {low: ("bruno", "carla"), high: ("anna",)}
    assert hanging == {product.id: ("1 part", "1 issue"), feature.id: ("1 issue",)}


def _on(issue, part):
    ref = issue.facts.part.model_copy(update={"id": part.id, "kind": part.kind})
    return replace(issue, facts=issue.facts.model_copy(update={"part": ref}))


async def test_w9_blockers_are_found_by_any_way(pool):
    desk = Desk()
    one, two, three = desk.file(), desk.file(), desk.file()
    for blocking, blocked in ((one, two), (two, three)):
        desk.ask(blocking, of_issues.RelateIssue, kind="blocks", to=blocked, known=Known(issue=desk.ref(blocked)))
    async with pool.acquire() as tx, tx.transaction():
        await keep(tx, desk)
        direct = await looking.blockers(tx, [three])
    assert reachable(three, direct) == {one, two}
    assert reachable(one, direct) == frozenset()


def test_a_chain_that_bites_its_tail_ends():
    one, two = IssueId(new_id()), IssueId(new_id())
    assert end_of_chain(one, {one: two, two: one}) in (one, two)
    assert end_of_chain(one, {}) == one
