"""Mails taken, refused and sent, in PostgreSQL."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from deskstream.channel_email import store
from deskstream.channel_email.domain import Accepted, History, Mail
from deskstream.contracts.inbound import Identity
from deskstream.contracts.outbound import OutboundMessage

NOW = datetime(2026, 5, 4, 9, 20, tzinfo=UTC)
CONVERSATION = UUID("018f3f6e-2f4b-7c11-9a55-4d2f0c9b1e01")


@pytest.fixture
async def tx(pool_for):
    pool = await pool_for("channel_email")
    async with pool.acquire() as connection:
        yield connection


def accepted(number, bounced=None):
    return Accepted(f"<{number}@acme.example>", bytes([number]), f"{number:064x}", NOW, bounced)


def reply(*, to="anna@acme.example", automatic=False, minutes=0, conversation=CONVERSATION):
    return OutboundMessage(
        at=NOW + timedelta(minutes=minutes),
        conversation_id=conversation,
        number=1,
        reply_id=uuid4(),
        channel="email",
        inbox="support",
        to=Identity(email=to),
        author="bruno",
        title="Hello",
        text="Hello",
        automatic=automatic,
    )


async def test_every_key_asked_gets_a_state(tx):
    assert await store.load(tx, ["a", "b"]) == {"a": Mail("a"), "b": Mail("b")}


async def test_what_was_saved_is_loaded_in_order(tx):
    await store.save(tx, [Mail("a", (accepted(1), accepted(2, uuid4()))), Mail("b", (accepted(3),))])
    first = (await store.load(tx, ["a"]))["a"]
    await store.save(tx, [Mail("a", (*first.accepted, accepted(4)), kept=first.kept)])

    loaded = await store.load(tx, ["a", "b", "c"])

    assert [one.external_id for one in loaded["a"].accepted] == [f"<{n}@acme.example>" for n in (1, 2, 4)]
    assert loaded["a"].kept == 3
    assert loaded["b"] == Mail("b", (accepted(3),), kept=1)
    assert loaded["c"] == Mail("c")


async def test_p2_two_replicas_cannot_take_one_mail_twice(tx):
    await store.save(tx, [Mail("a", (accepted(1),))])

    with pytest.raises(asyncpg.UniqueViolationError):
        await store.save(tx, [Mail("a", (accepted(1),))])


async def test_a_refused_mail_is_noted(tx):
    await store.reject(tx, store.Rejected("mime_depth", "Too deep.", "0" * 64, 7, "a@b.example", ("x@y.example",)))

    row = await tx.fetchrow("SELECT reason, sentence, sha256, size, mail_from, recipients FROM rejected_mails")
    assert tuple(row) == ("mime_depth", "Too deep.", "0" * 64, 7, "a@b.example", ["x@y.example"])


async def test_p17_automatic_messages_of_the_last_hour_are_counted_per_conversation(tx):
    for minutes in (-61, -59, -30, -1):
        await store.note_sent(tx, reply(automatic=True, minutes=minutes), "<x>")
    await store.note_sent(tx, reply(minutes=-1), "<x>")
    await store.note_sent(tx, reply(automatic=True, minutes=-1, conversation=uuid4()), "<x>")
    itself = reply(automatic=True)
    await store.note_sent(tx, itself, "<x>")

    assert await store.history(tx, itself) == History(automatic_within_hour=3)


@pytest.mark.parametrize(
    ("minutes", "to", "inbox", "counted"),
    [
        pytest.param(-1, "anna@acme.example", "support", 1, id="P17: a minute ago"),
        pytest.param(-1, "ANNA@Acme.example", "support", 1, id="P17: in capitals"),
        pytest.param(-60 * 24 + 1, "anna@acme.example", "support", 1, id="P17: a day ago, not quite"),
        pytest.param(-60 * 24 - 1, "anna@acme.example", "support", 0, id="P17: more than a day ago"),
        pytest.param(-1, "ben@acme.example", "support", 0, id="P17: to somebody else"),
        pytest.param(-1, "anna@acme.example", "feedback", 0, id="P17: from another inbox"),
    ],
)
async def test_p17_automatic_replies_of_the_last_day_are_counted_per_sender_and_inbox(tx, minutes, to, inbox, counted):
    earlier = reply(to=to, automatic=True, minutes=minutes, conversation=uuid4()).model_copy(update={"inbox": inbox})
    itself = reply(automatic=True)
    for one in (earlier, earlier, itself):
        await store.note_auto_reply(tx, one)

    assert (await store.history(tx, itself)).auto_replies_within_day == counted


async def test_hard_bounces_count_for_the_address_that_the_reply_went_to(tx):
    replies = [reply(minutes=-n) for n in range(3)]
    for one in replies:
        await store.note_sent(tx, one, "<x>")
    bounces = [accepted(n, one.reply_id) for n, one in enumerate(replies)]
    forged = accepted(7, uuid4())
    await store.save(tx, [Mail(f"k{n}", (one,)) for n, one in enumerate((*bounces, bounces[0], forged))])

    assert await store.history(tx, reply()) == History(hard_bounces=3)
    assert await store.history(tx, reply(to="other@acme.example")) == History()
    assert await store.history(tx, reply(minutes=60 * 24 * 91)) == History()


async def test_p9_what_was_sent_can_be_looked_up(tx):
    sent = reply()
    await store.note_sent(tx, sent, "<first@example.org>")
    await store.note_sent(tx, sent, "<second@example.org>")

    assert await store.look_up(tx, sent.reply_id) == "<first@example.org>"
    assert await store.look_up(tx, uuid4()) is None
