"""The archive and the threads on a real PostgreSQL, a batch at a time."""

import asyncio
import base64
import json
from datetime import UTC, datetime
from uuid import UUID, uuid4, uuid5

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deskstream import blobs
from deskstream.contracts import thread_token
from deskstream.contracts.ids import ConversationId
from deskstream.contracts.ingest import (
    ChannelCounts,
    DeliveryNoted,
    MessageDuplicate,
    MessageReceived,
    MessageRejected,
)
from deskstream.ingest import handlers, store
from deskstream.ingest.domain import Thread
from deskstream.messaging import Heard, Raw
from deskstream.testkit.eventually import eventually

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)
STREAM = UUID(int=7)
SECRET = "a secret of the desk, long enough"
OURS = ConversationId(UUID(int=99))
TOKEN = thread_token.sign(OURS, SECRET)


def raw(body, *, position=None, subject="inbound.email.support", at=NOW):
    id_ = uuid4() if position is None else uuid5(STREAM, str(position))
    return Heard(
        id=id_, data=Raw(subject, body), at=at, actor=None, lane="inbound", key="", sequence=0, correlation=id_
    )


def mail(external_id="1", *, sender="ada@example.org", channel="email", position=None, **fields):
    body = {"external_id": external_id, "sender": {"email": sender}, "text": "Hello", **fields}
    return raw(json.dumps(body).encode(), position=position, subject=f"inbound.{channel}.support")


def report(position=None, **fields):
    body = {"type": "delivery", "conversation_id": str(OURS), "reply_id": str(OURS), "state": "sent", **fields}
    return raw(json.dumps(body).encode(), position=position)


async def somebody_waits(pool):
    return await pool.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )


async def archive(pool):
    return await pool.fetch("SELECT * FROM archive ORDER BY position")


async def test_what_arrives_is_archived_as_it_came_and_in_order(hear, pool):
    batch = [mail(str(number)) for number in range(20)]
    await hear(*batch[:3])
    await hear(*batch[3:])
    rows = await archive(pool)
    assert [row["id"] for row in rows] == [one.id for one in batch]
    assert [row["body"] for row in rows] == [one.data.body for one in batch]
    assert {(row["fate"], row["kind"], row["channel"], row["inbox"]) for row in rows} == {
        ("applied", "message", "email", "support")
    }
    assert [row["size"] for row in rows] == [len(one.data.body) for one in batch]


async def test_a_redelivered_message_has_no_effect_at_all(hear, pool):
    first = mail(position=1)
    [received] = await hear(first)
    before = await archive(pool), await pool.fetch("SELECT * FROM counts")
    assert await hear(mail(position=1), mail(position=1)) == []
    assert (await archive(pool), await pool.fetch("SELECT * FROM counts")) == before
    assert isinstance(received, MessageReceived)


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one by one"])
async def test_a_story_of_a_thread(hear, together):
    batch = [
        mail("1", copied=[{"email": "bob@example.org"}]),
        mail("2", sender="bob@example.org", thread={"references": ["1"]}),
        mail("3", sender="eve@example.org", thread={"references": ["2", "1"]}),
        mail("1", copied=[{"email": "bob@example.org"}], at="2026-05-04T09:05:00Z"),
        mail("1", text="Something else"),
        mail("4", thread={"tokens": [TOKEN]}),
        report(external_id="sent"),
        mail("5", thread={"references": ["sent"]}),
        raw(b"hello"),
    ]
    batches = [batch] if together else [[one] for one in batch]
    said = [event for one in batches for event in await hear(*one)]
    opened, by_bob, by_eve, double, other, by_token, noted, answer, unreadable = said
    assert (opened.new_thread, by_bob.new_thread) == (True, False)
    assert opened.thread_id == by_bob.thread_id == by_eve.thread_id == double.thread_id
    assert [one.message.verified for one in (opened, by_bob, by_eve)] == [True, True, False]
    assert (double.original_id, double.archive_id) == (batch[0].id, batch[3].id)
    assert (other.field, other.external_id) == ("external_id", "1")
    assert by_token.thread_id == answer.thread_id == noted.conversation_id == OURS
    assert (by_token.via, by_token.message.verified, answer.via) == ("token", False, "reference")
    assert unreadable.field == "body"
    assert [type(one) for one in said] == [
        *[MessageReceived] * 3,
        MessageDuplicate,
        MessageRejected,
        MessageReceived,
        DeliveryNoted,
        MessageReceived,
        MessageRejected,
    ]


async def test_threads_and_participants_are_kept_once(hear, pool):
    await hear(mail("1"))
    for number in range(2, 5):
        await hear(mail(str(number), sender="eve@example.org", thread={"references": ["1"]}))
    assert await pool.fetchval("SELECT count(*) FROM threads") == 1
    rows = await pool.fetch("SELECT identity, stranger FROM participants ORDER BY identity")
    assert [tuple(row) for row in rows] == [("mailto:ada@example.org", False), ("mailto:eve@example.org", True)]


async def test_what_is_refused_is_kept_with_its_reason(hear, pool):
    await hear(raw(b"\x00\xff hostile"), raw(b"{}", subject="inbound.Nobody"))
    first, second = await archive(pool)
    assert (first["body"], first["field"], first["size"]) == (b"\x00\xff hostile", "body", 10)
    assert (second["subject"], second["channel"], second["field"]) == ("inbound.Nobody", "", "subject")
    assert {first["fate"], second["fate"]} == {"rejected"}
    assert {first["kind"], second["kind"]} == {"unreadable"}


async def test_the_quarantine_is_found_in_its_order(hear, pool):
    batch = [mail("1"), raw(b"a"), mail("1", text="other"), mail("2"), raw(b"b")]
    await hear(*batch)
    rows = await pool.fetch("SELECT id FROM archive WHERE fate = 'rejected' ORDER BY position")
    assert [row["id"] for row in rows] == [batch[1].id, batch[2].id, batch[4].id]


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"external_id": "\N{GRINNING FACE}" * 998}, id="the longest id, of four bytes a character"),
        pytest.param({"thread": {"references": ["\N{GRINNING FACE}" * 300] * 50}}, id="many long references"),
        pytest.param({"thread": {"external_id": "\N{GRINNING FACE}" * 998}}, id="the longest thread's id"),
        pytest.param({"sender": {"external_id": "\N{GRINNING FACE}" * 128}}, id="the longest sender's id"),
        pytest.param({"sender": {"email": "x" * 160 + "@" + "é" * 159}}, id="the longest address"),
        pytest.param({"copied": [{"email": f"{n}@b.example"} for n in range(100)]}, id="100 people copied"),
        pytest.param({"copied": [{"email": "a@b.example"}] * 100}, id="one person copied 100 times"),
        pytest.param({"title": "a\0b\ud800", "text": "\0" * 1000}, id="NUL and lone surrogates"),
        pytest.param({"external_id": "'; DROP TABLE archive; --"}, id="SQL"),
        pytest.param(
            {"sender": {"name": "x\r\nBcc: eve@example.org", "email": "a@b.example"}}, id="a header in a name"
        ),
        pytest.param({"sent_at": "9999-12-31T23:59:59-14:00"}, id="after the last year"),
    ],
)
async def test_hostile_messages_are_taken_like_any_other(hear, fields):
    body = {"external_id": "1", "sender": {"email": "ada@example.org"}} | fields
    encoded = json.dumps(body, ensure_ascii=False).encode(errors="surrogatepass")
    first, again = await hear(raw(encoded), raw(encoded))
    assert isinstance(first, MessageReceived)
    assert isinstance(again, MessageDuplicate)
    [later] = await hear(raw(encoded))
    assert isinstance(later, MessageDuplicate)


async def test_a_hostile_message_does_no_harm_to_its_batch(hear):
    batch = [mail("1"), raw(b"\xff" * 70_000), raw(b"[" * 60_000), raw(b'{"a":' * 9_000 + b'"\\u0000'), mail("2")]
    said = await hear(*batch)
    assert [type(one) for one in said] == [MessageReceived, *[MessageRejected] * 3, MessageReceived]


async def test_files_and_long_texts_are_blobs_before_the_message_names_them(hear, pool):
    content = base64.b64encode(b"\x89PNG").decode()
    [received] = await hear(
        mail(text="x" * 40_000, attachments=[{"name": "a.png", "size": 4, "content_base64": content}])
    )
    stored = blobs.Blobs(pool)
    [attachment] = received.message.attachments
    file, text = await stored.get(attachment.sha256), await stored.get(received.message.body_blob)
    assert file
    assert text
    assert (file.body, len(text.body)) == (b"\x89PNG", 40_000)


async def test_files_of_a_refused_message_are_no_blobs(hear, pool):
    content = base64.b64encode(b"\x89PNG").decode()
    await hear(mail())
    await hear(mail(text="other", attachments=[{"name": "a.png", "size": 4, "content_base64": content}]))
    assert await pool.fetchval("SELECT count(*) FROM blobs.blobs") == 0


async def test_counts_add_up_per_channel(hear, pool):
    await hear(mail("1"), mail("1"), mail("2"), mail("1", text="other"), report(), mail("1", channel="slack"))
    await hear(raw(b""), raw(b"", subject="inbound.x"), mail("1"))
    counts = (await store.counts(pool)).channels
    assert counts == {
        "": ChannelCounts(received=1, rejected=1),
        "email": ChannelCounts(received=7, applied=3, duplicate=2, rejected=2),
        "slack": ChannelCounts(received=1, applied=1),
    }
    assert sum(one.received for one in counts.values()) == len(await archive(pool))


WAITS = """
INSERT INTO waiting (lane, key, seq, message_id, subject, type, body, state, next_at, since)
VALUES ('inbound.email', 'k', 0, gen_random_uuid(), 'inbound.email.support', 'raw', '', $1, now(), now())
"""
DROPPED = """
INSERT INTO dropped (lane, key, seq, message_id, body, author, reason, at)
VALUES ('inbound.sms', 'k', 0, gen_random_uuid(), '', 'anna', 'unreadable', now())
"""


async def test_p7_what_waits_is_dead_or_was_dropped_was_received_too(hear, pool):
    await hear(mail("1"), mail("1"))
    for state in ("dead", "failed", "trying"):
        await pool.execute(WAITS, state)
    await pool.execute(DROPPED)
    assert (await store.counts(pool)).channels == {
        "email": ChannelCounts(received=5, applied=1, duplicate=1, dead=1, waiting=2),
        "sms": ChannelCounts(received=1, dropped=1),
    }


async def test_o5_monitoring_sees_the_channels_and_not_a_series_for_each_that_a_stranger_names(hear, pool):
    await hear(mail("1"), mail("2"), mail("1"), *(mail("1", channel=f"made{n}") for n in range(60)))
    seen = {(one.labels["channel"], one.labels["fate"]): one.value for one in await handlers.figures(pool)}
    assert (seen["email", "applied"], seen["email", "duplicate"]) == (2, 1)
    assert seen["other", "applied"] == 11
    assert len({channel for channel, _ in seen}) == 51


async def test_nothing_was_counted_yet(pool):
    assert (await store.counts(pool)).channels == {}


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param(mail("1", position=1), mail("1", position=1), [], id="the same stored message"),
        pytest.param(mail("1"), mail("1"), [MessageDuplicate], id="the same message, published twice"),
        pytest.param(
            mail("1", thread={"external_id": "t"}),
            mail("2", thread={"external_id": "t"}),
            [MessageReceived],
            id="the same thread of a channel",
        ),
    ],
)
async def test_the_slower_of_two_ingests_fails_and_finds_the_others_work_when_it_tries_again(
    pool, handle, hear, first, second, expected
):
    async with pool.acquire() as tx, tx.transaction():
        await handle(tx, [first])
        slower = asyncio.create_task(hear(second))
        await eventually(lambda: somebody_waits(pool))
    with pytest.raises(asyncpg.UniqueViolationError):
        await slower
    said = await hear(second)
    assert await pool.fetchval("SELECT count(*) FROM threads") == 1
    assert [type(one) for one in said] == expected


async def test_two_ingests_open_the_thread_that_an_agent_began_once(pool, handle, hear):
    async with pool.acquire() as tx, tx.transaction():
        await handle(tx, [mail("1", thread={"tokens": [TOKEN]})])
        slower = asyncio.create_task(hear(mail("2", sender="eve@example.org", thread={"tokens": [TOKEN]})))
        await eventually(lambda: somebody_waits(pool))
    await slower
    assert await pool.fetchval("SELECT count(*) FROM threads") == 1
    assert await pool.fetchval("SELECT count(*) FROM participants") == 2


async def test_a_thread_that_nobody_knows_is_unopened(pool):
    key = str(uuid4())
    loaded = await store.load(pool, [key, key])
    assert loaded == {key: Thread.unopened(key)}


PUBLISHES = st.tuples(st.sampled_from("abc"), st.sampled_from(["hello", "other"]), st.sampled_from(["", "a", "b"]))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_any_order_any_repeats_and_any_batches_apply_the_same_external_ids(hear, pool, data):
    publishes = data.draw(st.lists(PUBLISHES, min_size=1, max_size=6))
    repeats = data.draw(st.lists(st.sampled_from(range(len(publishes))), max_size=6))
    order = data.draw(st.permutations([*range(len(publishes)), *repeats]))
    await pool.execute("TRUNCATE archive, links, threads, participants, counts")
    said = []
    while order:
        size = data.draw(st.integers(1, len(order)))
        said += await hear(*(_published(publishes, number) for number in order[:size]))
        order = order[size:]
    applied = [one.message.external_id for one in said if isinstance(one, MessageReceived)]
    assert sorted(applied) == sorted({name for name, _, _ in publishes})
    assert len(said) == len(publishes)


def _published(publishes, number):
    name, text, answers = publishes[number]
    return mail(name, text=text, position=number, thread={"references": [answers]} if answers else {})
