import asyncio
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg
import pytest

from deskstream.contracts.ids import ConversationId, ReplyId
from deskstream.contracts.inbound import DeliveryReported, DeliveryState
from deskstream.messaging import Declaration, Deliver, SendFailed, SendUnknown, Service
from deskstream.testkit.desk import desk
from deskstream.testkit.eventually import eventually
from deskstream.testkit.sample.services import COUNTING, MIGRATIONS, Count, Counted, NoSettings

NOBODY = UUID(int=0)


@dataclass
class Post:
    """An outside service: what it took, and what it does with the next messages of a note."""

    taken: list[tuple[str, int]] = field(default_factory=list)
    troubles: dict[str, list[Exception]] = field(default_factory=dict)
    looked_up: list[int] = field(default_factory=list)
    arrived_all_the_same: bool = False
    stall: float = 0.0

    async def send(self, message):
        if self.stall:
            await asyncio.sleep(self.stall)
        if self.troubles.get(message.note):
            raise self.troubles[message.note].pop(0)
        self.taken.append((message.counter, message.number))
        return f"post-{message.counter}-{message.number}"

    async def look_up(self, message):
        self.looked_up.append(message.number)
        return f"post-{message.counter}-{message.number}" if self.arrived_all_the_same else None

    def report(self, message, outcome):
        return DeliveryReported(
            channel="post",
            inbox="main",
            at=outcome.at,
            conversation_id=ConversationId(NOBODY),
            reply_id=ReplyId(NOBODY),
            state=DeliveryState(outcome.state),
            reason=outcome.reason,
            permanent=outcome.permanent,
            kept_back=outcome.kept_back,
            external_id=outcome.external_id,
        )


def posting(post):
    return Declaration(
        name="posting",
        settings=NoSettings,
        build=lambda settings: Service(hears=[Deliver(Counted, lane="events.counting")], provider=post),
        migrations=MIGRATIONS,
        hears=("events.counting",),
        says=("inbound.post",),
        calls=(Count,),
    )


async def reports(pool):
    rows = await pool.fetch("SELECT subject, body::json ->> 'state' AS state FROM journal ORDER BY id")
    return [(row["subject"], row["state"]) for row in rows]


async def test_p9_messages_leave_in_order_per_key_and_are_reported(database, nats_url):
    post = Post()
    async with desk([COUNTING, posting(post)], database, nats_url) as services:
        for counter in ("a", "b"):
            await services["posting"].call(Count(counter=counter, times=10))
        await eventually(lambda: len(post.taken) == 20, within=10)
        for counter in ("a", "b"):
            assert [n for c, n in post.taken if c == counter] == list(range(1, 11))
        pool = services["posting"].pool
        await eventually(lambda: all_settled(pool))
        assert await reports(pool) == [("inbound.post.main", "sent")] * 20


async def all_settled(pool):
    return await pool.fetchval("SELECT bool_and(state IN ('sent', 'failed')) FROM sends")


async def test_a_permanent_failure_is_reported_and_holds_nobody_up(database, nats_url):
    post = Post(troubles={"bad": [SendFailed("no such mailbox", permanent=True)]})
    async with desk([COUNTING, posting(post)], database, nats_url) as services:
        await services["posting"].call(Count(counter="a", note="bad"))
        await services["posting"].call(Count(counter="a"))
        await eventually(lambda: post.taken == [("a", 2)])
        pool = services["posting"].pool
        await eventually(lambda: all_settled(pool))
        assert [state for _, state in await reports(pool)] == ["failed", "sent"]


async def test_p17_what_is_kept_back_is_reported_as_that(database, nats_url):
    post = Post(troubles={"loop": [SendFailed("this may be a loop", permanent=True, kept_back=True)]})
    async with desk([COUNTING, posting(post)], database, nats_url) as services:
        await services["posting"].call(Count(counter="a", note="loop"))
        await services["posting"].call(Count(counter="a"))
        pool = services["posting"].pool
        await eventually(lambda: all_settled(pool))
        kept = await pool.fetch("SELECT body::json ->> 'kept_back' AS kept FROM journal ORDER BY id")
        assert [row["kept"] == "true" for row in kept] == [True, False]


async def test_a_passing_failure_is_tried_again_before_what_follows(database, nats_url):
    post = Post(troubles={"slow": [SendFailed("try later", permanent=False)]})
    async with desk([COUNTING, posting(post)], database, nats_url) as services:
        await services["posting"].call(Count(counter="a", note="slow"))
        await services["posting"].call(Count(counter="a"))
        pool = services["posting"].pool
        await eventually(lambda: pool.fetchval("SELECT tries = 1 AND state = 'queued' FROM sends WHERE seq = 1"))
        assert post.taken == []
        await pool.execute("UPDATE sends SET next_at = now()")
        await eventually(lambda: post.taken == [("a", 1), ("a", 2)])


async def test_p9_an_unknown_result_is_shown_and_looked_up_before_any_retry(database, nats_url):
    post = Post(troubles={"lost": [SendUnknown("connection lost after the data")]}, arrived_all_the_same=True)
    async with desk([COUNTING, posting(post)], database, nats_url) as services:
        await services["posting"].call(Count(counter="a", note="lost"))
        pool = services["posting"].pool
        await eventually(lambda: pool.fetchval("SELECT state = 'unknown' FROM sends"))
        await pool.execute("UPDATE sends SET next_at = now()")
        await eventually(lambda: pool.fetchval("SELECT state = 'sent' FROM sends"))
        assert (post.looked_up, post.taken) == ([1], [])
        assert [state for _, state in await reports(pool)] == ["unknown", "sent"]


async def test_p9_a_send_whose_process_died_is_looked_up_and_then_sent(database, nats_url):
    post = Post()
    async with desk([COUNTING, posting(post)], database, nats_url) as services:
        await services["posting"].call(Count(counter="a"))
        pool = services["posting"].pool
        await eventually(lambda: all_settled(pool))
        # What a process that was killed after the claim leaves behind, two minutes later.
        post.taken.clear()
        await pool.execute("UPDATE sends SET state = 'sending', next_at = now()")
        await eventually(lambda: post.taken == [("a", 1)])
        assert post.looked_up == [1]


async def test_an_error_that_the_provider_never_foresaw_fails_its_own_message_only(database, nats_url):
    post = Post(troubles={"bug": [KeyError("no such template")]})
    async with desk([COUNTING, posting(post)], database, nats_url) as services:
        await services["posting"].call(Count(counter="a", note="bug"))
        await services["posting"].call(Count(counter="a"))
        pool = services["posting"].pool
        await eventually(lambda: post.taken == [("a", 2)])
        await eventually(lambda: all_settled(pool))
        assert [state for _, state in await reports(pool)] == ["failed", "sent"]
        assert "no such template" in await pool.fetchval("SELECT reason FROM sends WHERE seq = 1")


async def test_p9_a_line_that_broke_in_the_middle_leaves_the_result_unknown(database, nats_url):
    post = Post(troubles={"cut": [ConnectionResetError("by peer")]})
    async with desk([COUNTING, posting(post)], database, nats_url) as services:
        await services["posting"].call(Count(counter="a", note="cut"))
        pool = services["posting"].pool
        await eventually(lambda: pool.fetchval("SELECT state = 'unknown' FROM sends"))
        await pool.execute("UPDATE sends SET next_at = now()")
        await eventually(lambda: all_settled(pool))
        assert (post.looked_up, post.taken) == ([1], [("a", 1)])


async def test_p11_a_service_that_stops_ends_what_it_is_sending_and_begins_nothing(database, nats_url):
    post = Post(stall=0.5)
    async with desk([COUNTING, posting(post)], database, nats_url) as services:
        await services["posting"].call(Count(counter="a", times=2))
        pool = services["posting"].pool
        await eventually(lambda: pool.fetchval("SELECT state = 'sending' FROM sends WHERE seq = 1"))
    connection = await asyncpg.connect(database)
    rows = await connection.fetch("SELECT seq, state FROM posting.sends ORDER BY seq")
    await connection.close()
    assert [tuple(row) for row in rows] == [(1, "sent"), (2, "queued")]
    assert post.taken == [("a", 1)]


@pytest.mark.slow
async def test_p9_what_stays_unknown_is_tried_eight_times_and_then_left_to_a_person(database, nats_url):
    post = Post(troubles={"lost": [SendUnknown("no answer") for _ in range(20)]})
    async with desk([COUNTING, posting(post)], database, nats_url) as services:
        await services["posting"].call(Count(counter="a", note="lost"))
        await services["posting"].call(Count(counter="a"))
        pool = services["posting"].pool

        async def given_up():
            await pool.execute("UPDATE sends SET next_at = now() WHERE state = 'unknown'")
            return post.taken == [("a", 2)]

        await eventually(given_up, within=20)
        await eventually(lambda: all_settled(pool))
        assert await pool.fetchval("SELECT tries FROM sends WHERE seq = 1") == 8
        assert len(post.looked_up) == 7
        assert [state for _, state in await reports(pool)] == ["unknown"] * 8 + ["sent"]
