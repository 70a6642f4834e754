"""The service as it runs: on a real broker and database, hearing, answering, waking, following up."""

from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import uuid4

import nats
import pytest
import pytest_asyncio

from deskstream.contracts import conversation as asked
from deskstream.contracts.conversation_tickets import DismissTicketSuggestion
from deskstream.contracts.crm import SenderIdentified
from deskstream.contracts.envelope import HEADER_ID, HEADER_SEQUENCE, HEADER_TYPE, Stamp, encode, event_type
from deskstream.contracts.facts import Stage
from deskstream.contracts.inbound import DeliveryState
from deskstream.contracts.ingest import DeliveryNoted
from deskstream.contracts.outbound import OutboundMessage
from deskstream.contracts.routing import Cause, DecisionRecord, OwnerChosen
from deskstream.conversation.app import SERVICE
from deskstream.conversation.config import Settings
from deskstream.messaging import Declaration, Service
from deskstream.runtime.settings import SettingsError, read_settings
from deskstream.testkit.desk import desk
from deskstream.testkit.eventually import eventually
from deskstream.testkit.sample.services import MIGRATIONS, NoSettings
from services.conversation.tests.given import ADA, letter, person

# The writers of what conversation hears; the test itself plays their publishers.
OTHERS = Declaration(
    name="others",
    settings=NoSettings,
    build=lambda settings: Service(hears=()),
    migrations=MIGRATIONS,
    says=("events.crm", "events.routing", "events.delivery", "events.way_back", "events.confidential"),
)


class Around:
    """What surrounds a running conversation service."""

    def __init__(self, service, broker):
        self.service = service
        self.pool = service.pool
        self.broker = broker
        self.sequences = {}

    async def says(self, event):
        """Publishes an event as its service would."""
        position = event.lane(), event.key()
        sequence = self.sequences[position] = self.sequences.get(position, 0) + 1
        stamp = Stamp(uuid4(), sequence, correlation=uuid4(), causation=uuid4(), actor=None, at=event.at)
        headers = {HEADER_ID: str(stamp.id), HEADER_TYPE: event_type(event), HEADER_SEQUENCE: str(sequence)}
        await self.broker.jetstream().publish(event.subject(), encode(event, stamp).encode(), headers=headers)

    async def customer(self, thread, text="It does not work.", **more):
        now = datetime.now(UTC)
        message = letter(text, at=now, **more)
        await self.says(SenderIdentified(at=now, thread_id=thread, new_thread=True, contact=ADA, message=message))

    async def report(self, sent, state, **more):
        now = datetime.now(UTC)
        said = {"at": now, "conversation_id": sent.conversation_id, "reply_id": sent.reply_id, "channel": "email"}
        await self.says(DeliveryNoted(**said, state=state, **more))

    async def ask(self, command, *, actor="anna"):
        return await self.service.call(command, actor=actor)

    async def stage(self, thread, stage):
        """Waits until the conversation is in a stage; returns its public state."""

        async def reached():
            found = await self.ask(asked.FindConversation(conversation_id=thread))
            assert found.ok
            assert found.result["conversation"]["stage"] == stage
            return found.result["conversation"]

        return await eventually(reached)

    async def left(self, count):
        """Waits until so many messages were handed to the mail adapter."""

        async def handed():
            bodies = [row["body"] for row in await self.pool.fetch(OUTBOX)]
            assert len(bodies) == count
            return bodies

        bodies: list[str] = await eventually(handed)
        return [OutboundMessage.model_validate_json(data(body)) for body in bodies]


OUTBOX = "SELECT body FROM journal WHERE lane = 'outbound.email' ORDER BY id"


def data(body):
    return body[body.index('"data":') + len('"data":') : -1]


@asynccontextmanager
async def surroundings(database, nats_url):
    broker = await nats.connect(nats_url)
    async with desk([SERVICE, OTHERS], database, nats_url) as services:
        yield Around(services["conversation"], broker)
    await broker.close()


@pytest_asyncio.fixture
async def suggesting_at_once(database, nats_url, monkeypatch):
    monkeypatch.setenv("DESKSTREAM_CONVERSATION_SUGGEST_TICKET_SECONDS", "0")
    async with surroundings(database, nats_url) as found:
        yield found


@pytest_asyncio.fixture
async def around(database, nats_url, monkeypatch):
    monkeypatch.setenv("DESKSTREAM_CONVERSATION_UNDO_SECONDS", "0.2")
    async with surroundings(database, nats_url) as found:
        yield found


@pytest_asyncio.fixture
async def in_no_hurry(database, nats_url, monkeypatch):
    """However slow the machine is, what is sent can still be undone."""
    monkeypatch.setenv("DESKSTREAM_CONVERSATION_UNDO_SECONDS", "600")
    async with surroundings(database, nats_url) as found:
        yield found


async def test_a_message_is_answered_bounces_and_is_sent_again(around):
    thread = uuid4()
    await around.customer(thread, title="Help")
    opened = await around.stage(thread, Stage.NEW)
    reply = asked.SendReply(conversation_id=thread, text="Try again.", last_seen=opened["version"])
    answer = await around.ask(reply)
    assert (answer.ok, answer.result["reply"]["author"]) == (True, "anna")
    assert answer.result["conversation"]["stage"] == "new"
    await around.stage(thread, Stage.WAITING_ON_USER)
    [sent] = await around.left(1)
    assert (sent.to, sent.text, sent.number) == (person(), "Try again.", opened["number"])
    await around.report(sent, DeliveryState.FAILED, permanent=True, reason="550")
    await around.stage(thread, Stage.NEEDS_RESPONSE)
    again = await around.ask(asked.RetryReply(conversation_id=thread, reply_id=answer.result["reply"]["id"]))
    assert again.result["conversation"]["stage"] == "waiting_on_user"
    first, second = await around.left(2)
    assert (second.text, second.reply_id != first.reply_id) == ("Try again.", True)


async def test_c17_a_reply_is_undone_and_never_leaves(in_no_hurry):
    thread = uuid4()
    await in_no_hurry.customer(thread)
    await in_no_hurry.stage(thread, Stage.NEW)
    answer = await in_no_hurry.ask(asked.SendReply(conversation_id=thread, text="Oops", last_seen=1))
    undone = await in_no_hurry.ask(asked.UndoReply(conversation_id=thread, reply_id=answer.result["reply"]["id"]))
    assert undone.ok
    assert await in_no_hurry.pool.fetchval("SELECT count(*) FROM timers") == 0
    assert await in_no_hurry.pool.fetch(OUTBOX) == []


async def test_c10_what_is_written_to_an_archived_conversation_opens_its_follow_up_once(around):
    thread = uuid4()
    await around.customer(thread)
    await around.stage(thread, Stage.NEW)
    record = DecisionRecord(inputs={}, steps=(), candidates=())
    chosen = {"conversation_id": thread, "number": 1, "owner": "bruno", "cause": Cause.CLAIMED, "record": record}
    await around.says(OwnerChosen(at=datetime.now(UTC), **chosen))
    assert (await around.ask(asked.AddNote(conversation_id=thread, text="@carla?"))).result["note"]["mentions"] == [
        "carla"
    ]
    await around.ask(asked.Archive(conversation_id=thread))
    await around.customer(thread, "It is back")
    await around.customer(thread, "Hello?")

    async def followed():
        rows = await around.pool.fetch("SELECT id, number FROM conversations WHERE id <> $1", thread)
        assert len(rows) == 1
        found = await around.ask(asked.FindConversation(number=rows[0]["number"]))
        assert found.result["conversation"]["version"] == 2
        return found.result["conversation"]

    later: dict[str, Any] = await eventually(followed)
    assert (later["stage"], later["follow_up_of"], later["earlier_owner"]) == ("new", str(thread), "bruno")
    assert await around.pool.fetchval("SELECT count(*) FROM waiting") == 0


@pytest.mark.parametrize(
    ("gone", "stays"),
    [
        pytest.param(DismissTicketSuggestion, False, id="C7: dismissed once, it never comes back"),
        pytest.param(asked.Archive, False, id="C7: what is closed suggests nothing"),
        pytest.param(partial(asked.AddNote, text="I look into it."), True, id="C7: a note leaves it as it is"),
    ],
)
async def test_a_ticket_is_suggested(suggesting_at_once, gone, stays):
    thread = uuid4()
    await suggesting_at_once.customer(thread)
    opened = await suggesting_at_once.stage(thread, Stage.NEW)
    assert opened["suggests_ticket_at"] == opened["valid_at"]
    answer = await suggesting_at_once.ask(gone(conversation_id=thread))
    assert (answer.result["conversation"].get("suggests_ticket_at") is not None) is stays
    found = await suggesting_at_once.ask(asked.FindConversation(conversation_id=thread))
    assert found.result["suggests_ticket"] is stays


async def test_an_agent_starts_a_conversation(around):
    started = await around.ask(asked.StartConversation(contact=person(), title="Certificate", text="It expires."))
    await around.stage(started.result["conversation"]["id"], Stage.WAITING_ON_USER)
    assert len(await around.left(1)) == 1


async def test_c16_a_refusal_carries_what_is_new_and_changes_nothing(around):
    thread = uuid4()
    await around.customer(thread)
    await around.customer(thread, "And another thing")
    await around.stage(thread, Stage.NEW)

    async def both_heard():
        assert await around.pool.fetchval("SELECT count(*) FROM messages") == 2
        return True

    await eventually(both_heard)
    answer = await around.ask(asked.SendReply(conversation_id=thread, text="Hi", last_seen=1))
    assert (answer.ok, answer.error.code) == (False, "newer_messages")
    [new] = answer.error.details["newer"]
    assert (new["kind"], new["text"]) == ("customer", "And another thing")


@pytest.mark.parametrize("wrong", ["-1", "601", "nan", "soon"])
def test_an_undo_time_that_makes_no_sense_is_named(monkeypatch, wrong):
    monkeypatch.setenv("DESKSTREAM_CONVERSATION_UNDO_SECONDS", wrong)
    with pytest.raises(SettingsError, match="DESKSTREAM_CONVERSATION_UNDO_SECONDS"):
        read_settings(Settings)


def test_ten_seconds_are_the_default():
    assert Settings().conversation_undo_seconds == 10
