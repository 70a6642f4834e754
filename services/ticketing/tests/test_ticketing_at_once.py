"""What is asked in the same moment, of one replica or of two, leaves the product tree whole (W1, W14)."""

import asyncio
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from deskstream.contracts import issues as of_issues
from deskstream.contracts import part_commands as of_parts
from deskstream.contracts import ticket_commands as asked
from deskstream.testkit.desk import desk
from deskstream.testkit.eventually import eventually
from deskstream.ticketing.app import SERVICE
from services.ticketing.tests.running import OTHERS, Around

ROUNDS = 5

ASTRAY = """
SELECT
    (SELECT count(*) FROM parts AS low JOIN parts AS p ON p.id = low.parent WHERE p.deleted AND NOT low.deleted)
    + (SELECT count(*) FROM tickets AS t JOIN parts AS p ON p.id = t.part_id WHERE p.deleted AND NOT t.deleted)
    + (SELECT count(*) FROM issues AS i JOIN parts AS p ON p.id = i.part_id WHERE p.deleted AND NOT i.deleted)
"""

DEFAULTS = "SELECT array_agg(number) FROM parts WHERE default_since IS NOT NULL"

HANGING = {
    "a ticket opens": lambda part, others: asked.OpenTicket(title="It crashes", part_id=part),
    "an issue is filed": lambda part, others: of_issues.FileIssue(title="Null pointer", part_id=part),
    "a part is made": lambda part, others: of_parts.SavePart(name="Rows", kind="capability", parent=part),
    "a part moves": lambda part, others: of_parts.MovePart(part_id=others["part"], parent=part),
    "a ticket changes": lambda part, others: asked.ChangeTicket(ticket_id=others["ticket"], part_id=part),
    "an issue changes": lambda part, others: of_issues.ChangeIssue(issue_id=others["issue"], part_id=part),
    "a part is restored": lambda part, others: of_parts.RestorePart(part_id=others["below"]),
}


async def others_of(around, part, elsewhere):
    """What can be put on the part, and what was deleted below it."""
    below = await around.part("Cells", "capability", parent=part)
    await around.ask(of_parts.DeletePart(part_id=below["id"], reason="old"))
    return {
        "part": (await around.part("Pay", "capability", parent=elsewhere["id"]))["id"],
        "ticket": (await around.open(part_id=elsewhere["id"]))["id"],
        "issue": (await around.file(part_id=elsewhere["id"]))["id"],
        "below": below["id"],
    }


def ask(service, command):
    return service.ask(command, idempotency_key=str(uuid4()), actor="anna")


@pytest.mark.parametrize("first", ["deleted first", "deleted second"])
@pytest.mark.parametrize("hanging", HANGING)
async def test_w14_nothing_is_hung_on_a_part_that_is_deleted_in_the_same_batch(around, hanging, first):
    elsewhere = await around.part("Elsewhere", "product")
    for _ in range(ROUNDS):
        part = (await around.part("Shop", "product"))["id"]
        hang = HANGING[hanging](part, await others_of(around, part, elsewhere))
        commands = [of_parts.DeletePart(part_id=part, reason="old"), hang]
        if first == "deleted second":
            commands.reverse()
        answers = await asyncio.gather(*(ask(around.service, command) for command in commands))
        assert [answer.ok for answer in answers] == [True, False]
    assert await around.pool.fetchval(ASTRAY) == 0


@pytest.mark.parametrize(
    ("moves", "refused"),
    [
        pytest.param((("rows", "cells"), ("cells", "rows")), [None, "part_below_itself"], id="two halves"),
        pytest.param(
            (("low", "shop"), ("high", "low")), ["parent_of_wrong_kind", "part_below_itself"], id="the first is refused"
        ),
    ],
)
async def test_w14_moves_in_one_batch_make_no_circle(around, moves, refused):
    shop = await around.part("Shop", "product")
    cart = await around.part("Cart", "capability", parent=shop["id"])
    rows, cells, high = [await around.part(name, "feature", parent=cart["id"]) for name in ("Rows", "Cells", "High")]
    low = await around.part("Low", "feature", parent=high["id"])
    ids = {part["name"].lower(): part["id"] for part in (shop, rows, cells, high, low)}
    wanted = (of_parts.MovePart(part_id=ids[part], parent=ids[parent]) for part, parent in moves)
    answers = await asyncio.gather(*(ask(around.service, move) for move in wanted))
    assert [answer.error and answer.error.code for answer in answers] == refused


async def test_w1_parts_that_become_the_default_one_in_one_batch_leave_one(around):
    new = [of_parts.SavePart(name=name, kind="product", default=True) for name in ("One", "Two", "Three")]
    answers = await asyncio.gather(*(ask(around.service, part) for part in new))
    latest = answers[-1].result["part"]["number"]

    assert await the_default_one(around) == latest


async def the_default_one(around):
    async def only():
        numbers = await around.pool.fetchval(DEFAULTS)
        assert len(numbers) == 1
        return numbers[0]

    return await eventually(only)


@asynccontextmanager
async def two_replicas(database, nats_url):
    async with (
        desk([SERVICE, OTHERS], database, nats_url) as first,
        desk([SERVICE, OTHERS], database, nats_url) as second,
    ):
        yield Around(first["ticketing"]), second["ticketing"]


@pytest.mark.parametrize("hanging", ["a part is made", "a part moves", "a part is restored", "a ticket opens"])
async def test_w14_nothing_is_hung_on_a_part_that_another_replica_deletes(database, nats_url, hanging):
    async with two_replicas(database, nats_url) as (around, other):
        elsewhere = await around.part("Elsewhere", "product")
        for _ in range(4 * ROUNDS):
            part = (await around.part("Shop", "product"))["id"]
            hang = HANGING[hanging](part, await others_of(around, part, elsewhere))
            delete = of_parts.DeletePart(part_id=part, reason="old")
            answers = await asyncio.gather(ask(around.service, hang), ask(other, delete))
            assert sorted(answer.ok for answer in answers) == [False, True]
        assert await around.pool.fetchval(ASTRAY) == 0


async def test_w1_parts_that_become_the_default_one_in_two_replicas_leave_one(database, nats_url):
    new = [of_parts.SavePart(name=name, kind="product", default=True) for name in ("One", "Two")]
    async with two_replicas(database, nats_url) as (around, other):
        for _ in range(4 * ROUNDS):
            answers = await asyncio.gather(ask(around.service, new[0]), ask(other, new[1]))
            assert await the_default_one(around) in [answer.result["part"]["number"] for answer in answers]
