"""The archive and the threads on a real PostgreSQL, a batch at a time."""

import base64
import json
from uuid import uuid4

import pytest

from deskstream import blobs
from deskstream.contracts.ingest import DeliveryNoted, MessageDuplicate, MessageReceived, MessageRejected
from deskstream.ingest import store
from deskstream.ingest.domain import Thread
from services.ingest.tests.mails import OURS, TOKEN, archive, mail, raw, report


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


async def test_a_thread_that_nobody_knows_is_unopened(pool):
    key = str(uuid4())
    loaded = await store.load(pool, [key, key])
    assert loaded == {key: Thread.unopened(key)}
