import json
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4, uuid5

import pytest

from deskstream.cli.tail.choosing import Filters
from deskstream.cli.tail.labels import Labels
from deskstream.cli.tail.lines import document_of, line_of
from deskstream.cli.tail.seen import UNREADABLE, read
from deskstream.cli.tail.stream import Arrived
from deskstream.cli.tail.words import words
from deskstream.contracts import conversation, crm, ingest, outbound, routing, sla
from deskstream.contracts.catalogue import events
from deskstream.contracts.envelope import Stamp, encode
from deskstream.contracts.facts import (
    AccountFacts,
    ContactFacts,
    ConversationFacts,
    Note,
    ReceivedMessage,
    Reply,
    Resolution,
    Stage,
    Wait,
)  # fmt: skip
from deskstream.contracts.inbound import DeliveryState, Identity, InboundMessage
from deskstream.contracts.journal import CommandRefused

AT = datetime(2026, 5, 4, 9, 30, 5, 123_456, tzinfo=UTC)
THREAD, CONVERSATION = uuid4(), uuid4()
ADA = Identity(name="Ada", email="ada@acme.example")


def received(**changed):
    fields = {
        "id": uuid4(), "channel": "email", "inbox": "support", "external_id": "1@acme.example", "sender": ADA,
        "title": "Export stops", "text": "Since today.", "received_at": AT,
    }  # fmt: skip
    return ReceivedMessage(**fields | changed)


def facts(stage=Stage.NEW, **changed):
    fields = {
        "id": CONVERSATION, "thread_id": THREAD, "number": 12, "version": 1, "stage": stage, "channel": "email",
        "inbox": "support", "title": "Export stops", "created_at": AT, "last_public_at": AT,
    }  # fmt: skip
    return ConversationFacts(**fields | changed)


def said(kind, before=None, stage=Stage.NEW, **more):
    return kind(at=AT, conversation_id=CONVERSATION, stage_before=before, after=facts(stage), **more)


def clock(**changed):
    fields = {
        "metric": sla.Metric.FIRST_RESPONSE, "started_at": AT, "target_minutes": 60, "policy": "default",
        "warn_at": AT + timedelta(minutes=45), "due_at": AT + timedelta(hours=1), "calendar": "office",
    }  # fmt: skip
    return sla.ClockFacts(**fields | changed)


def arrived(event, actor=None, sequence=1):
    stamp = Stamp(uuid4(), sequence, correlation=uuid4(), causation=uuid4(), actor=actor, at=AT)
    return Arrived("EVENTS", sequence, AT, event.subject(), encode(event, stamp).encode())


def seen(event, actor=None):
    return read(arrived(event, actor))


REPLY = Reply(id=uuid4(), author="anna", text="Fixed.", written_at=AT, release_at=AT)
DECISION = routing.DecisionRecord(inputs={}, steps=(), candidates=())

TOLD = [
    (ingest.MessageReceived(at=AT, thread_id=THREAD, new_thread=True, via="new", message=received()),
     "Ada <ada@acme.example>: Export stops"),
    (ingest.MessageReceived(at=AT, thread_id=THREAD, new_thread=True, via="new",
                            message=received(title=None, suspicious=("X-Spam-Flag: YES",))),
     "Ada <ada@acme.example>: Since today. · (X-Spam-Flag: YES)"),
    (ingest.MessageRejected(at=AT, archive_id=uuid4(), channel="email", inbox="support", field="sender.email",
                            reason="not an address"),
     "email/support · sender.email: not an address"),
    (CommandRefused(at=AT, service="routing", command_id="1", about="2", command="Claim", code="x",
                    sentence="It is taken."),
     "Claim: It is taken."),
    (crm.SenderIdentified(at=AT, thread_id=THREAD, new_thread=True, contact=ContactFacts(id=uuid4(), name="Ada"),
                          account=AccountFacts(id=uuid4(), name="Acme"), new_contact=True, message=received()),
     "Ada · of Acme · new contact"),
    (crm.AccountSaved(at=AT, account_id=uuid4(), number=3, account=AccountFacts(id=uuid4(), name="Acme"),
                      domains=("acme.example",)),
     "Acme · (acme.example)"),
    (said(conversation.ConversationOpened, message=received()), "Ada <ada@acme.example>: Export stops"),
    (said(conversation.ConversationOpened), "Export stops"),
    (said(conversation.AgentReplied, reply=REPLY), "anna: Fixed."),
    (said(conversation.NoteAdded, note=Note(id=uuid4(), author="anna", text="Ask Bruno.")), "anna: Ask Bruno."),
    (said(conversation.DeliveryChanged, reply_id=uuid4(), state=DeliveryState.FAILED, reason="550 unknown"),
     "failed · 550 unknown"),
    (said(conversation.TagsChanged, added={"moving": "slow", "vip": ""}, removed=("stalled",)),
     "+moving:slow +vip -stalled"),
    (said(conversation.ConversationResolved, category=Resolution.SILENT_NO_ANSWER), "silent no answer"),
    (conversation.PutOnHold(at=AT, conversation_id=CONVERSATION, reason="asked",
                            after=facts(waits=(Wait(kind="ticket", name="TKT-7"),))), "for TKT-7 · asked"),
    (routing.OwnerChosen(at=AT, conversation_id=CONVERSATION, number=12, owner="anna", previous="bruno",
                         cause=routing.Cause.HANDED_OVER, reason="Away.", record=DECISION), "bruno → anna · Away."),
    (routing.OwnerChosen(at=AT, conversation_id=CONVERSATION, number=12, owner=None,
                         cause=routing.Cause.TEAM_QUEUE, record=DECISION), "nobody · team_queue"),
    (sla.ClockStopped(at=AT, conversation_id=CONVERSATION, number=12, clock=clock(), outcome=sla.Outcome.NO_REPLY,
                      stopped_at=AT, business_minutes=1050.4, calendar_minutes=1, calendar_minutes_from_creation=1),
     "first response · no reply · 1,050 of 60 min"),
    (routing.TeamSaved(at=AT, team_id="billing", structure="chaos"), "team_id billing"),
    (InboundMessage(at=AT, channel="email", inbox="support", external_id="1", sender=ADA, text="Help"),
     "Ada <ada@acme.example> · Help"),
    (outbound.OutboundMessage(at=AT, conversation_id=CONVERSATION, number=12, reply_id=uuid4(), channel="email",
                              inbox="support", to=ADA, author="anna", title="Re", text="Fixed."),
     "anna to Ada <ada@acme.example>: Fixed."),
    (outbound.MessageAccepted(at=AT, conversation_id=CONVERSATION, number=12, channel="pager", inbox="oncall",
                              external_id="p-1", message_id=uuid4()),
     "pager/oncall · p-1"),
]  # fmt: skip


@pytest.mark.parametrize(("event", "told"), [pytest.param(*row, id=f"{row[0].NAME}: {row[1]}") for row in TOLD])
def test_what_an_event_says_in_a_few_words(event, told):
    assert words(seen(event)) == told


def test_a_line_has_time_service_event_number_stage_words_and_actor():
    line = line_of(
        seen(said(conversation.AgentReplied, Stage.NEW, Stage.WAITING_ON_USER, reply=REPLY), "anna"), "CONV-12"
    )
    time = AT.astimezone().strftime("%H:%M:%S") + ".123"
    assert line.plain == (
        f"{time}  conversation/agent_replied         CONV-12   new → waiting_on_user  anna: Fixed.  (anna)"
    )


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        pytest.param(None, Stage.NEW, "→ new", id="opened"),
        pytest.param(Stage.NEW, Stage.HOLD, "new → hold", id="moved"),
        pytest.param(Stage.HOLD, Stage.HOLD, None, id="C9: what changes no stage shows none"),
    ],
)
def test_the_change_of_stage(before, after, shown):
    line = line_of(seen(said(conversation.TitleChanged, before, after)), "CONV-12").plain
    assert shown in line if shown else "→" not in line


def test_hostile_text_does_not_reach_the_terminal():
    title = "\x1b]0;owned\x07\u202eevil\nsecond line"
    line = line_of(seen(said(conversation.ConversationOpened, message=received(title=title))), "\x1b[2JX").plain
    assert "\x1b" not in line
    assert "\n" not in line
    assert "\u202e" not in line


def test_everything_of_one_conversation_gets_its_number_once_it_is_known():
    labels = Labels()
    message = ingest.MessageReceived(at=AT, thread_id=THREAD, new_thread=True, via="new", message=received())
    assert labels.of(seen(message)) == str(THREAD)[:8]
    assert labels.of(seen(said(conversation.ConversationOpened, message=received()))) == "CONV-12"
    assert labels.of(seen(message)) == "CONV-12"
    started = sla.ClockStarted(at=AT, conversation_id=CONVERSATION, number=12, clock=clock())
    assert labels.of(seen(started)) == "CONV-12"
    account = crm.AccountSaved(at=AT, account_id=uuid4(), number=3, account=AccountFacts(id=uuid4(), name="Acme"))
    assert labels.of(seen(account)) == "ACC-3"


def test_every_event_of_the_language_has_a_line():
    for kind in events().values():
        subject = f"events.someone.{kind.NAME}.1"
        body = {"specversion": "1.0", "type": f"deskstream.someone.{kind.NAME}", "subject": "1", "data": {}}
        line = line_of(read(Arrived("EVENTS", 1, AT, subject, json.dumps(body).encode())), "1")
        assert kind.NAME in line.plain


@pytest.mark.parametrize(
    ("body", "event"),
    [
        pytest.param(b"\xff\xfe\x00", UNREADABLE, id="bytes"),
        pytest.param(b"{", UNREADABLE, id="half an object"),
        pytest.param(b"[1]", UNREADABLE, id="no object"),
        pytest.param(b"[" * 100_000, UNREADABLE, id="nested without end"),
        pytest.param(b'{"specversion": 1, "data": 7, "time": "noon", "subject": null}', UNREADABLE, id="wrong kinds"),
        pytest.param(b'{"specversion": "1.0", "type": "a.b", "data": {"after": [], "message": "x"}}', "b",
                     id="wrong shapes inside"),
    ],
)  # fmt: skip
def test_whatever_is_published_is_shown(body, event):
    shown = read(Arrived("EVENTS", 1, AT, "events.someone.thing.key", body))
    assert shown.event == event
    assert line_of(shown, Labels().of(shown)).plain
    assert json.loads(document_of(shown)) is not None


def test_programs_get_the_cloudevent_as_it_travelled():
    event = arrived(said(conversation.TitleChanged), "anna")
    assert document_of(read(event)) == event.body.decode()


def test_programs_learn_where_an_adapter_published():
    message = InboundMessage(at=AT, channel="email", inbox="support", external_id="1", sender=ADA, text="Help")
    document = json.loads(document_of(seen(message)))
    assert (document["lane"], document["inbox"], document["data"]["text"]) == ("inbound.email", "support", "Help")


EVENT = seen(said(conversation.ConversationOpened, message=received(title="Export STOPS at 40 %")))


@pytest.mark.parametrize(
    ("filters", "shown"),
    [
        pytest.param(Filters(), True, id="without any, everything"),
        pytest.param(Filters(services=("conversation",)), True, id="by service"),
        pytest.param(Filters(services=("sla", "conversation")), True, id="by any of two"),
        pytest.param(Filters(services=("sla",)), False, id="another service"),
        pytest.param(Filters(events=("conversation_opened",)), True, id="by event"),
        pytest.param(Filters(events=("conv*",)), True, id="by a pattern"),
        pytest.param(Filters(events=("opened",)), False, id="not by a part of its name"),
        pytest.param(Filters(keys=("conv-12",)), True, id="by number, however written"),
        pytest.param(Filters(keys=("CONV-1",)), False, id="not by the beginning of a number"),
        pytest.param(Filters(keys=(str(CONVERSATION),)), True, id="by id"),
        pytest.param(Filters(keys=(str(CONVERSATION)[:4].upper(),)), True, id="by the beginning of an id"),
        pytest.param(Filters(keys=(str(CONVERSATION)[:3],)), False, id="not by three characters of it"),
        pytest.param(
            Filters(keys=("CONV-99",), same=frozenset({str(CONVERSATION)})), True, id="by what means the same"
        ),
        pytest.param(Filters(text="export stops"), True, id="by text, in any case"),
        pytest.param(Filters(text="refund"), False, id="another text"),
        pytest.param(Filters(services=("conversation",), text="refund"), False, id="all kinds must hold"),
    ],
)
def test_filters(filters, shown):
    assert filters.match(EVENT, "CONV-12") is shown


@pytest.mark.parametrize(
    ("filters", "stream", "taken"),
    [
        pytest.param(Filters(), "EVENTS_SLA", True, id="events"),
        pytest.param(Filters(), "OUTBOUND_EMAIL", False, id="not what leaves"),
        pytest.param(Filters(wire=True), "OUTBOUND_EMAIL", True, id="what leaves, if asked for"),
        pytest.param(Filters(wire=True), "INBOUND", True, id="what arrives, if asked for"),
        pytest.param(Filters(wire=True), "SOMEBODY_ELSES", False, id="never another's stream"),
        pytest.param(Filters(services=("crm",)), "EVENTS_SLA", False, id="only the service's"),
        pytest.param(Filters(services=("ingest",)), "EVENTS_DELIVERY", True, id="all lanes of a service"),
        pytest.param(Filters(services=("delivery",)), "EVENTS_DELIVERY", True, id="a lane by its own name"),
    ],
)
def test_which_streams_are_read(filters, stream, taken):
    assert filters.takes_stream(stream) is taken


IDENTITY = str(uuid5(UUID(int=0), "key"))


@pytest.mark.parametrize(
    ("filters", "subject"),
    [
        pytest.param(Filters(), None, id="everything"),
        pytest.param(Filters(events=("clock_started",)), "events.sla.clock_started.*", id="one event"),
        pytest.param(Filters(keys=(IDENTITY,)), f"events.sla.*.{IDENTITY}", id="one object"),
        pytest.param(Filters(events=("clock_*",)), None, id="a pattern is ours to match"),
        pytest.param(Filters(events=("a", "b"), keys=("CONV-1",)), None, id="several, or a number"),
        pytest.param(Filters(keys=(IDENTITY,), same=frozenset({"x"})), None, id="an object with another name"),
    ],
)
def test_what_the_broker_is_asked_for(filters, subject):
    assert filters.subject_of("EVENTS_SLA") == subject
    assert filters.subject_of("INBOUND") is None
