"""Conversations on a real PostgreSQL: numbered, locked, kept as they are; their threads beside them."""

import json
from dataclasses import replace

import asyncpg
import pytest
import pytest_asyncio

from deskstream.contracts import Refused
from deskstream.contracts import conversation as asked
from deskstream.contracts.facts import Stage
from deskstream.contracts.inbound import DeliveryState, Identity
from deskstream.conversation import store
from deskstream.conversation.domain import Conversation, Unopened
from services.conversation.tests.given import TICKET, UNDO, Story, another, in_stage


@pytest_asyncio.fixture
async def pool(pool_for):
    return await pool_for("conversation")


@pytest.fixture
def keep(pool):
    """`await keep(story)`: in a transaction, as the runner would after a batch; the story goes on as it is loaded."""

    async def save(*stories):
        async with pool.acquire() as tx, tx.transaction():
            await store.load(tx, [str(story.id) for story in stories])
            await store.save(tx, [story.state for story in stories])
        for story in stories:
            story.state = (await load(pool, story.id))[str(story.id)]

    return save


async def load(pool, *ids):
    async with pool.acquire() as tx, tx.transaction():
        return await store.load(tx, [str(key) for key in ids])


async def thread(pool, story):
    return await pool.fetch(
        "SELECT position, kind, body::json, delivery::json FROM messages WHERE conversation_id = $1 ORDER BY position",
        story.id,
    )


async def deliveries(pool, story):
    return [json.loads(row["delivery"]) for row in await thread(pool, story) if row["kind"] == "reply"]


async def test_every_key_asked_for_gets_a_state_and_a_number_of_its_own(pool, keep):
    story = in_stage(Stage.NEW)
    await keep(story)
    states = await load(pool, story.id, one := another(), other := another())
    assert isinstance(states[str(story.id)], Conversation)
    fresh = [states[str(one)], states[str(other)]]
    assert all(isinstance(state, Unopened) for state in fresh)
    assert [str(state.id) for state in fresh] == [str(one), str(other)]
    assert fresh[0].number != fresh[1].number


async def test_a_known_conversation_takes_no_further_number(pool, keep):
    story = in_stage(Stage.NEW)
    await keep(story)
    before = await pool.fetchval("SELECT last_value FROM conversation_numbers")
    await load(pool, story.id)
    assert await pool.fetchval("SELECT last_value FROM conversation_numbers") == before


@pytest.mark.parametrize("stage", Stage)
async def test_a_conversation_comes_back_as_it_was(pool, keep, stage):
    story = in_stage(stage)
    story.note()
    told = replace(story.open, filed=(), marked=())
    await keep(story)
    assert story.state == told


async def test_it_lives_through_many_batches(pool, keep):
    story = Story()
    for step in (
        lambda: story.customer(),
        lambda: story.hold(TICKET),
        lambda: story.reply(drops=("TKT-7",), undo=UNDO),
        lambda: story.wake(),
        lambda: story.customer(),
        lambda: story.resolve(),
    ):
        step()
        await keep(story)
    assert (story.facts.stage, story.facts.version) == (Stage.RESOLVED, 6)
    assert story.facts == story.taken[-1].after


async def test_the_thread_is_kept_in_order(pool, keep):
    one, other = in_stage(Stage.HOLD), Story(id=another())
    other.customer()
    other.state = replace(other.open, facts=other.facts.model_copy(update={"number": 99}))
    one.note("Ask carla")
    await keep(one, other)
    one.customer("And?")
    await keep(one, other)
    rows = await thread(pool, one)
    assert [(row["position"], row["kind"]) for row in rows] == [(1, "customer"), (3, "note"), (4, "customer")]
    assert json.loads(rows[2]["body"])["text"] == "And?"
    assert len(await thread(pool, other)) == 1


async def test_how_far_a_reply_got_stands_with_it_in_one_batch_or_in_many(pool, keep):
    story = in_stage(Stage.WAITING_ON_USER)
    story.report(DeliveryState.SENT, external_id="<1@desk>")
    story.reply("second", undo=UNDO)
    await keep(story)
    assert await deliveries(pool, story) == [{"state": "sent", "external_id": "<1@desk>"}, {"state": "queued"}]
    story.wake()
    story.report(DeliveryState.UNKNOWN)
    story.bounce()
    story.bounce(of=story.open.deliveries[0].id)
    await keep(story)
    lost = {"state": "failed", "reason": "550 no such user", "permanent": True}
    assert await deliveries(pool, story) == [lost, lost]


async def test_a_withdrawn_reply_is_marked(pool, keep):
    story = in_stage(Stage.NEW)
    [queued] = story.reply(undo=UNDO)
    await keep(story)
    story.ask(asked.UndoReply, reply_id=queued.reply.id)
    await keep(story)
    assert await deliveries(pool, story) == [{"state": "withdrawn"}]


async def test_the_texts_of_replies_are_found_in_their_own_conversation_only(pool, keep):
    story = in_stage(Stage.WAITING_ON_USER)
    await keep(story)
    delivery = story.open.deliveries[0]
    known = asked.RetryReply(conversation_id=story.id, reply_id=delivery.reply_id)
    foreign = asked.RetryReply(conversation_id=another(), reply_id=delivery.reply_id)
    async with pool.acquire() as tx:
        found = await store.replies(tx, [foreign, known])
        assert found == {delivery.reply_id: story.replies[delivery.reply_id]}
        assert await store.replies(tx, [foreign]) == {}


async def test_a_conversation_is_found_by_number_and_by_id(pool, keep):
    story = in_stage(Stage.NEW)
    await keep(story)
    async with pool.acquire() as tx:
        by_number = await store.find(tx, asked.FindConversation(number=12))
        by_id = await store.find(tx, asked.FindConversation(conversation_id=story.id))
        assert by_number[0] == by_id[0] == story.facts
        for nothing in ({"number": 13}, {"number": 12, "conversation_id": another()}, {}):
            with pytest.raises(Refused) as no:
                await store.find(tx, asked.FindConversation(**nothing))
            assert no.value.code == "conversation_not_found"


async def test_what_is_loaded_is_locked_until_the_end_of_the_transaction(pool, keep):
    story = in_stage(Stage.NEW)
    await keep(story)
    async with pool.acquire() as tx, tx.transaction():
        await store.load(tx, [str(story.id)])
        async with pool.acquire() as other, other.transaction():
            await other.execute("SET LOCAL lock_timeout = '50ms'")
            with pytest.raises(asyncpg.LockNotAvailableError):
                await store.load(other, [str(story.id)])


async def test_two_replicas_cannot_both_open_a_conversation(pool):
    one, other = in_stage(Stage.NEW), in_stage(Stage.NEW)
    async with pool.acquire() as tx:
        await store.save(tx, [one.state])
        with pytest.raises(asyncpg.UniqueViolationError):
            await store.save(tx, [other.state])


async def test_what_was_not_opened_is_not_kept(pool):
    async with pool.acquire() as tx:
        await store.save(tx, [Unopened(another(), 5)])
    assert await pool.fetchval("SELECT count(*) FROM conversations") == 0


async def test_hostile_text_is_kept_as_it_came(pool, keep):
    story = Story()
    name = "'; DROP TABLE messages; --\x00\u202e😀"
    story.customer("\x00 $1 %s {}", sender=Identity(name=name, email="ada@acme.com"), external_id="<\x00@x>")
    await keep(story)
    assert story.open.requester.name == name
    rows = await pool.fetch("SELECT body FROM messages")
    assert json.loads(rows[0]["body"])["text"] == "\x00 $1 %s {}"


@pytest.mark.parametrize("size", [1, 200])
async def test_a_batch_takes_one_statement_to_load_and_one_to_save(pool, size):
    stories = [Story(id=another()) for _ in range(size)]
    asked_of_postgres = []
    async with pool.acquire() as tx:
        tx.add_query_logger(lambda query: asked_of_postgres.append(query.query))
        states = await store.load(tx, [str(story.id) for story in stories])
        for story in stories:
            story.state = states[str(story.id)]
            story.customer()
        await store.save(tx, [story.state for story in stories])
    assert len([sql for sql in asked_of_postgres if "conversations" in sql or "messages" in sql]) == 2
    assert await pool.fetchval("SELECT count(*) FROM messages") == size
