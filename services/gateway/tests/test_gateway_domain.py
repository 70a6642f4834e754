"""What the inbox shows, as tables."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from deskstream.contracts.facts import ContactFacts, Priority, Stage
from deskstream.contracts.sla import ClockFacts, Metric, Outcome
from deskstream.gateway.domain import (
    Delivery,
    Recorded,
    button,
    clock_state,
    deliveries,
    entries,
    entry_kind,
    participants,
    urgency,
)

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
REPLY = UUID("7d3f3f0e-55d5-4a57-9c3b-2a86f6d5a001")
UNDO = NOW + timedelta(seconds=10)


def recorded(event, service="conversation", place=1, at=NOW, **body):
    return Recorded(place, at, service, event, place, None, {}, body)


def reply(event, **more):
    said = {"id": str(REPLY), "author": "anna", "text": "Hi", "written_at": str(NOW), "release_at": str(UNDO)}
    return recorded(event, reply=said, **more)


def changed(state, **more):
    return recorded("delivery_changed", reply_id=str(REPLY), state=state, **more)


@pytest.mark.parametrize(
    ("stage", "shown"),
    [
        pytest.param(Stage.NEEDS_RESPONSE, "Reply", id="C11: Reply where the customer waits for us"),
        pytest.param(Stage.NEW, "First reply", id="C11: First reply on new"),
        pytest.param(Stage.SUSPENDED, None, id="C11: none on suspended"),
        pytest.param(Stage.WAITING_ON_USER, None, id="C11: none while the customer is next"),
        pytest.param(Stage.HOLD, None, id="C11: none on hold"),
        pytest.param(Stage.RESOLVED, None, id="C11: none on resolved"),
        pytest.param(Stage.ARCHIVED, None, id="C11: none on archived"),
    ],
)
def test_button(stage, shown):
    assert button(stage) == shown


@pytest.mark.parametrize(
    ("due", "unanswered", "priority", "expected"),
    [
        pytest.param(NOW, None, Priority.NORMAL, NOW, id="R2: a normal one stands where it is due"),
        pytest.param(NOW, None, Priority.URGENT, NOW - timedelta(hours=4), id="R2: an urgent one four hours earlier"),
        pytest.param(NOW, None, Priority.HIGH, NOW - timedelta(hours=1), id="R2: a high one an hour earlier"),
        pytest.param(NOW, None, Priority.LOW, NOW + timedelta(hours=1), id="R2: a low one an hour later"),
        pytest.param(None, NOW, Priority.NORMAL, NOW, id="before its clock is known, it stands where it was written"),
        pytest.param(None, None, Priority.URGENT, None, id="who is not kept waiting has no urgency"),
    ],
)
def test_urgency(due, unanswered, priority, expected):
    assert urgency(due, unanswered, priority) == expected


@pytest.mark.parametrize(
    ("outcome", "now", "state"),
    [
        pytest.param(None, NOW, "running", id="S8: long before"),
        pytest.param(None, NOW + timedelta(minutes=45), "warned", id="S7: from the warning on"),
        pytest.param(None, NOW + timedelta(minutes=60), "breached", id="S7: from the due time on, whoever said so"),
        pytest.param(Outcome.MET, NOW + timedelta(days=1), "met", id="a stopped clock keeps its outcome"),
        pytest.param(Outcome.NO_REPLY, NOW, "no_reply", id="S1: closed without a reply is neither"),
    ],
)
def test_clock_state(outcome, now, state):
    clock = ClockFacts(
        metric=Metric.FIRST_RESPONSE,
        started_at=NOW,
        target_minutes=60,
        warn_at=NOW + timedelta(minutes=45),
        due_at=NOW + timedelta(minutes=60),
        policy="default",
        calendar="default",
    )
    assert clock_state(clock, outcome, now) == state


QUEUED = Delivery("queued", NOW, undo_until=UNDO)
RELEASED = Delivery("queued", NOW)


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        pytest.param([reply("reply_queued")], QUEUED, id="C17: queued, and can be undone for a while"),
        pytest.param([reply("reply_queued"), reply("agent_replied")], RELEASED, id="C17: released, no way back"),
        pytest.param([reply("agent_replied")], RELEASED, id="C17: released at once where nothing can be undone"),
        pytest.param(
            [reply("reply_queued"), recorded("reply_withdrawn", reply_id=str(REPLY))],
            Delivery("withdrawn", NOW),
            id="C17: undone in time",
        ),
        pytest.param(
            [reply("reply_queued"), reply("agent_replied"), changed("sent"), changed("delivered")],
            Delivery("delivered", NOW),
            id="C17: the last report counts",
        ),
        pytest.param(
            [reply("agent_replied"), changed("failed", reason="no such mailbox", permanent=True)],
            Delivery("failed", NOW, reason="no such mailbox", permanent=True),
            id="C17: failed says why",
        ),
        pytest.param([reply("agent_replied"), changed("unknown")], Delivery("unknown", NOW), id="C17: nobody knows"),
        pytest.param(
            [reply("agent_replied"), changed("failed"), reply("agent_replied", delivery_id=str(uuid4()))],
            RELEASED,
            id="C17: sent once more, it is queued again",
        ),
    ],
)
def test_delivery(history, expected):
    assert deliveries(history) == {REPLY: expected}


@pytest.mark.parametrize("state", ["queued", "sent", "delivered", "unknown", "withdrawn"])
def test_only_a_failed_reply_can_be_sent_again(state):
    assert not Delivery(state, NOW).can_retry
    assert Delivery("failed", NOW).can_retry


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        pytest.param(recorded("conversation_opened", message={"text": "Hi"}), "message", id="opened by a customer"),
        pytest.param(recorded("conversation_opened"), "change", id="opened by an agent"),
        pytest.param(recorded("automatic_message_filed", message={"text": "Away"}), "message", id="C9: automatic mail"),
        pytest.param(recorded("note_added", note={"text": "Hm"}), "note", id="C14: a note"),
        pytest.param(recorded("tags_changed", added={}), "change", id="a change of tags"),
        pytest.param(recorded("owner_chosen", service="routing"), "decision", id="R7: an owner"),
        pytest.param(recorded("clock_breached", service="sla"), "clock", id="S7: a breach"),
    ],
)
def test_entry_kind(event, kind):
    assert entry_kind(event) == kind


def test_a_reply_stands_once_in_the_timeline_however_often_it_was_heard_of():
    opened = recorded("conversation_opened", place=1, message={"text": "Hi"})
    queued, released, sent = reply("reply_queued", place=2), reply("agent_replied", place=3), changed("sent", place=4)
    assert entries([opened, queued, released, sent]) == [opened, queued]


def test_the_timeline_goes_by_time_where_services_are_heard_out_of_turn():
    early = recorded("owner_chosen", service="routing", place=1, at=NOW + timedelta(milliseconds=5))
    late = recorded("conversation_opened", place=2, message={"text": "Hi"})
    assert entries([early, late]) == [late, early]


CARLA = ContactFacts(id=uuid4(), name="Carla", email="carla@customer.example")


def wrote(by=None, sender="carla@customer.example", copied=()):
    people = [{"email": email} for email in copied]
    return recorded("customer_replied", by=by, message={"sender": {"email": sender}, "copied": people})


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        pytest.param([], {"carla@customer.example": True}, id="the contact is always in it"),
        pytest.param([wrote(sender="c@home.example")], {"carla@customer.example": True}, id="also by another address"),
        pytest.param(
            [wrote(copied=["dora@customer.example"])],
            {"carla@customer.example": True, "dora@customer.example": True},
            id="whom the requester copies in",
        ),
        pytest.param(
            [wrote("stranger", "eve@evil.example", copied=["mallory@evil.example"])],
            {"carla@customer.example": True, "eve@evil.example": False},
            id="N3: a stranger is unverified and brings nobody along",
        ),
        pytest.param(
            [wrote("stranger", "Dora@customer.example"), wrote("participant", "dora@customer.example")],
            {"carla@customer.example": True, "dora@customer.example": True},
            id="N3: an approved stranger is no stranger any more",
        ),
    ],
)
def test_participants(history, expected):
    found = participants(CARLA, history)
    assert {person.identity.email: person.verified for person in found} == expected


def test_without_a_contact_the_requester_is_whoever_opened():
    opened = recorded("conversation_opened", by=None, requester=None, message={"sender": {"phone": "+491"}})
    assert [person.identity.phone for person in participants(None, [opened])] == ["+491"]
