"""The views on a real database: any order between lanes, any batches, any repeats lead to the same rows."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deskstream.contracts.catalogue import events
from deskstream.contracts.conversation import (
    LANE,
    AgentReplied,
    ConversationSnoozed,
    CustomerReplied,
    NoteAdded,
    PriorityChanged,
    TagsChanged,
)
from deskstream.contracts.facts import Note, Priority, Reply, SnoozeFacts, Stage
from deskstream.contracts.routing import OwnerChosen
from deskstream.contracts.sla import ClockEvent, ClockWarned, Metric, Outcome
from deskstream.gateway.handlers import OF_CONVERSATIONS, project
from deskstream.gateway.views.rows import rows

INBOX = """
    SELECT conversation_id, updated_at, conversation_seq, number, stage, kind, channel, inbox, account_id, created_at,
        hidden_until, unanswered, priority_said, facts, choice_seq, priority_chosen, routing_seq, owner,
        priority_routed, routed, first_seq, first_due, first_clock, next_seq, next_due, next_clock, priority, urgency
    FROM inbox
    ORDER BY conversation_id
"""

FEED = """
    SELECT conversation_id, service, sequence, at, event, number, actor, summary, body
    FROM feed
    ORDER BY conversation_id, service, sequence
"""

LIVES = {
    "customer": lambda s: s.say(CustomerReplied, message=s.message(), now={"stage": Stage.NEEDS_RESPONSE}),
    "answer": lambda s: s.say(
        AgentReplied,
        now={"stage": Stage.WAITING_ON_USER, "oldest_unanswered_at": None},
        reply=Reply(id=s.id, author="anna", text="Hi", written_at=s.at, release_at=s.at),
    ),
    "note": lambda s: s.say(NoteAdded, note=Note(id=s.id, author="anna", text="Hm"), actor="anna"),
    "tags": lambda s: s.say(TagsChanged, now={"tags": {"vip": ""}}, added={"vip": ""}),
    "urgent": lambda s: s.say(PriorityChanged, now={"priority": Priority.URGENT}, before=s.facts.priority),
    "low": lambda s: s.say(PriorityChanged, now={"priority": Priority.LOW}, before=s.facts.priority),
    "snooze": lambda s: s.say(
        ConversationSnoozed, now={"snooze": SnoozeFacts(until=s.at, reason="later")}, snooze=SnoozeFacts(reason="x")
    ),
    "anna": lambda s: s.owned("anna", Priority.HIGH),
    "nobody": lambda s: s.owned(None),
    "first": lambda s: s.started(),
    "first met": lambda s: s.stopped(),
    "next": lambda s: s.started(Metric.NEXT_RESPONSE, 60),
    "next missed": lambda s: s.stopped(Metric.NEXT_RESPONSE, Outcome.BREACHED),
    "warned": lambda s: s.hear(
        ClockWarned(at=s.at, conversation_id=s.id, number=s.number, clock=s.clock(Metric.NEXT_RESPONSE, 30))
    ),
}


async def views(pool):
    inbox, feed = await pool.fetch(INBOX), await pool.fetch(FEED)
    await pool.execute("TRUNCATE inbox, feed")
    return [dict(row) for row in inbox], [dict(row) for row in feed]


def interleaved(draw, told):
    """The same events in another order between lanes and conversations, in order within each."""
    queues: dict[tuple[str, str], list[Any]] = {}
    for heard in told:
        queues.setdefault((heard.lane, heard.key), []).append(heard)
    mixed = []
    while queues:
        chosen = draw(st.sampled_from(sorted(queues)))
        mixed.append(queues[chosen].pop(0))
        if not queues[chosen]:
            del queues[chosen]
    return mixed


def cut(draw, told):
    """Into batches, each perhaps with something repeated that came before."""
    batches, start = [], 0
    while start < len(told):
        end = start + draw(st.integers(1, 6))
        early, late = (draw(st.lists(st.sampled_from(told[:end]), max_size=2)) for _ in range(2))
        batches.append([*(one for one in early if one in told[:start]), *told[start:end], *late])
        start = end
    return batches


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lives=st.lists(st.lists(st.sampled_from(sorted(LIVES)), max_size=8), min_size=1, max_size=3), data=st.data())
async def test_batches_repeats_and_order_between_lanes_change_nothing(pool, hear, story, lives, data):
    told = []
    for number, life in enumerate(lives, start=1):
        one = story(number)
        told += [one.opened(), *(LIVES[step](one.later(minutes=7)) for step in life)]
    for heard in told:
        await hear(heard)
    expected = await views(pool)
    for batch in cut(data.draw, interleaved(data.draw, told)):
        await hear(*batch)
    assert await views(pool) == expected


def test_a_batch_becomes_one_row_a_conversation(story):
    first, second = story(1), story(2)
    told = [first.opened(), second.opened(), first.owned(), first.started(), second.owned(), first.started()]
    assert sorted(row[0] for row in rows(told)) == sorted([first.id, second.id])


async def test_a_batch_costs_two_statements_whatever_its_size(pool, story):
    told = [heard for n in range(100) for s in [story(n)] for heard in (s.opened(), s.owned(), s.started())]
    statements = []
    async with pool.acquire() as tx, tx.transaction():
        # The first time the driver asks about types, too.
        await project(tx, [story(1000).opened()])
        with tx.query_logger(lambda query: statements.append(query.query)):
            await project(tx, told)
    assert len(statements) == 2
    assert await pool.fetchval("SELECT count(*) FROM inbox") == 101
    assert await pool.fetchval("SELECT count(*) FROM feed") == 301


async def test_what_routing_says_first_waits_for_the_conversation(pool, hear, story, api):
    one = story(1)
    opened = one.opened()
    await hear(one.owned("anna"), one.started())
    assert (await api.get("/api/conversations")).json()["conversations"] == []
    await hear(opened)
    [row] = (await api.get("/api/conversations")).json()["conversations"]
    assert (row["owner"], row["clocks"][0]["metric"], row["name"]) == ("anna", "first_response", "CONV-1")


@pytest.mark.parametrize(
    ("steps", "shown"),
    [
        pytest.param([], "normal", id="what the conversation says"),
        pytest.param(["anna"], "high", id="R2: what routing set, before the conversation repeats it"),
        pytest.param(["anna", "low"], "low", id="R2: a person's choice wins"),
        pytest.param(["low", "anna"], "low", id="R2: … also over what routing sets later"),
        pytest.param(["low", "urgent"], "urgent", id="R2: the last choice counts"),
    ],
)
async def test_priority(hear, story, api, steps, shown):
    one = story(1)
    await hear(one.opened(), *(LIVES[step](one) for step in steps))
    [row] = (await api.get("/api/conversations")).json()["conversations"]
    assert row["priority"] == shown


async def test_the_feed_keeps_the_order_of_the_batch(pool, hear, story):
    one = story(1)
    await hear(one.opened(), one.owned(), one.started())
    found = await pool.fetch("SELECT id, event FROM feed ORDER BY id")
    assert [row["event"] for row in found] == ["conversation_opened", "owner_chosen", "clock_started"]


async def test_two_projectors_write_the_feed_one_after_the_other(pool, story):
    first, second = story(1), story(2)
    async with pool.acquire() as one, pool.acquire() as other:
        outer = one.transaction()
        await outer.start()
        await project(one, [first.opened()])

        async def late():
            async with other.transaction():
                await project(other, [second.opened()])

        waiting = asyncio.create_task(late())
        done, _ = await asyncio.wait([waiting], timeout=0.2)
        assert not done, "the second wrote while the first had ids that nobody could read"
        await project(one, [first.owned()])
        await outer.commit()
        await waiting
    found = await pool.fetch("SELECT number FROM feed ORDER BY id")
    assert [row["number"] for row in found] == [1, 1, 2]


async def test_a_repeated_batch_tells_the_listeners_nothing(pool, hear, story):
    one = story(1)
    batch = [one.opened(), one.owned()]
    await hear(*batch)
    await hear(*batch)
    assert await pool.fetchval("SELECT count(*) FROM feed") == 2


async def test_the_table_sorts_as_urgency_is_defined(hear, story, api):
    told = []
    for number, priority in enumerate(Priority, start=1):
        for place, minutes in enumerate((1, 50, 100, 200, 350)):
            one = story(10 * number + place).later(minutes=place)
            told += [one.opened(), one.owned("anna", priority), one.started(minutes=minutes)]
    calm = story(99, oldest_unanswered_at=None)
    await hear(*told, calm.opened())
    found = (await api.get("/api/conversations")).json()["conversations"]
    urgent = [row["urgency"] for row in found[:-1]]
    assert urgent == sorted(urgent)
    assert (found[-1]["name"], found[-1]["urgency"]) == ("CONV-99", None)


def test_everything_said_about_conversations_is_shown():
    said = {kind for kind in events().values() if LANE == kind.LANE or issubclass(kind, (OwnerChosen, ClockEvent))}
    assert set(OF_CONVERSATIONS) == {kind for kind in said if kind.KEY == "conversation_id"}


async def test_the_last_touch_is_the_latest_whoever_comes_late(pool, hear, story):
    one = story(1)
    opened, owned = one.opened(), one.later(minutes=5).owned()
    await hear(owned)
    await hear(opened)
    assert await pool.fetchval("SELECT updated_at FROM inbox") == opened.at + timedelta(minutes=5)
