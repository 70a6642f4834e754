"""One mail is one message: by two routes, handed over twice, with an id that another mail has too; bounces."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskstream.channel_email.domain import AcceptMail, Bounce, History, Mail, decide, evolve, fingerprint, refusal
from deskstream.contracts.ids import ConversationId, ReplyId
from deskstream.contracts.inbound import DeliveryReported, DeliveryState, Identity, InboundMessage

NOW = datetime(2026, 5, 4, 9, 20, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
CONVERSATION = ConversationId(UUID("018f3f6e-2f4b-7c11-9a55-4d2f0c9b1e01"))
REPLY = ReplyId(UUID("018f3f6e-9c00-7d22-8b44-77aa00bb11cc"))


def message(text="Hello", *, raw="1", inbox="support", **changes):
    return InboundMessage(
        channel="email",
        inbox=inbox,
        external_id="<1@acme.example>",
        sender=Identity(email="anna@acme.example"),
        text=text,
        raw_blob=raw * 64,
        **changes,
    )


def bounced(action, status):
    return AcceptMail(message("It came back"), Bounce(CONVERSATION, REPLY, action, status, "550 unknown"))


def messages(said):
    return [one for one in said if isinstance(one, InboundMessage)]


def reports(said):
    return [one for one in said if isinstance(one, DeliveryReported)]


def after(*asked):
    mail = Mail("key")
    for one in asked:
        for said in decide(mail, one, NOW):
            mail = evolve(mail, said)
    return mail


FIRST = AcceptMail(message())


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param(Mail("key"), FIRST, [("<1@acme.example>", ())], id="P1: a new mail is a message"),
        pytest.param(after(FIRST), FIRST, [], id="P2: the same mail once more is nothing"),
        pytest.param(
            after(FIRST),
            AcceptMail(message(raw="2", inbox="feedback")),
            [],
            id="P2: the same mail by another route is nothing",
        ),
        pytest.param(
            after(FIRST), AcceptMail(message("Other words")), [], id="P2: the same bytes are the same, however read"
        ),
        pytest.param(
            after(FIRST),
            AcceptMail(message("Other words", raw="2", flags=("reply_to_differs",))),
            [
                (
                    f"<1@acme.example>#{fingerprint(message('Other words')).hex()[:8]}",
                    ("reply_to_differs", "message_id_repeated"),
                )
            ],
            id="the same id with another content is a new message, flagged",
        ),
        pytest.param(
            after(FIRST, AcceptMail(message("Other words", raw="2"))),
            AcceptMail(message("Other words", raw="3")),
            [],
            id="P2: and that one is known again, too",
        ),
    ],
)
def test_one_mail_is_one_message(given, when, then):
    said = decide(given, when, LATER)

    assert [(one.external_id, one.flags) for one in messages(said)] == then
    assert reports(said) == []
    assert all(one.at == LATER for one in said)


@pytest.mark.parametrize(
    ("when", "then"),
    [
        pytest.param(
            bounced("failed", "5.1.1"),
            [(DeliveryState.FAILED, True, "5.1.1 550 unknown")],
            id="C17: what came back has failed, with the reason",
        ),
        pytest.param(
            bounced("failed", "4.4.7"),
            [(DeliveryState.FAILED, True, "4.4.7 550 unknown")],
            id="C17: so has what a server gave up on",
        ),
        pytest.param(bounced("delayed", "4.4.1"), [], id="C17: what is delayed has not failed yet"),
        pytest.param(
            bounced("delivered", "2.0.0"), [(DeliveryState.DELIVERED, False, None)], id="C17: a success is told"
        ),
        pytest.param(FIRST, [], id="a mail reports nothing"),
    ],
)
def test_bounces(when, then):
    said = decide(Mail("key"), when, NOW)

    assert len(messages(said)) == 1
    assert [(one.state, one.permanent, one.reason) for one in reports(said)] == then
    assert all((one.conversation_id, one.reply_id) == (CONVERSATION, REPLY) for one in reports(said))


@pytest.mark.parametrize(
    ("asked", "counted"),
    [
        pytest.param(bounced("failed", "5.1.1"), REPLY, id="an unknown address counts"),
        pytest.param(bounced("failed", "4.4.7"), None, id="a server that was away does not"),
        pytest.param(FIRST, None, id="a mail does not"),
    ],
)
def test_hard_bounces_are_remembered(asked, counted):
    assert after(asked).accepted[-1].hard_bounce_of == counted


@pytest.mark.parametrize(
    ("history", "automatic", "refused"),
    [
        pytest.param(
            History(auto_replies_within_day=1), "reply", "loop", id="P17: a second automatic reply within 24 h stays"
        ),
        pytest.param(History(), "reply", None, id="P17: the first automatic reply leaves"),
        pytest.param(
            History(auto_replies_within_day=1), True, None, id="P17: other automatic mail is no automatic reply"
        ),
        pytest.param(History(auto_replies_within_day=1), False, None, id="P17: a person always answers"),
        pytest.param(History(), True, None, id="the first automatic message leaves"),
        pytest.param(History(automatic_within_hour=9), True, None, id="P17: the 10th within the hour leaves"),
        pytest.param(History(automatic_within_hour=10), True, "loop", id="P17: the 11th does not"),
        pytest.param(History(automatic_within_hour=10), False, None, id="P17: a person's message always leaves"),
        pytest.param(History(hard_bounces=2), False, None, id="after 2 hard bounces mail still leaves"),
        pytest.param(History(hard_bounces=3), False, "nobody", id="after 3 none does"),
        pytest.param(History(hard_bounces=3), True, "nobody", id="after 3 no reminder does, which is no loop"),
    ],
)
def test_what_must_not_leave(history, automatic, refused):
    found = refusal(history, automatic=bool(automatic), auto_reply=automatic == "reply")
    assert (found and ("loop" if found.may_be_a_loop else "nobody")) == refused


@given(st.lists(st.integers(0, 4), max_size=20))
def test_p2_each_of_several_mails_is_said_once_in_any_order_with_any_repeats(order):
    mail, said = Mail("key"), []
    for number in order:
        for event in decide(mail, AcceptMail(message(f"Text {number}", raw=str(number))), NOW):
            mail = evolve(mail, event)
            said.append(event)

    assert reports(said) == []
    assert sorted(one.text for one in messages(said)) == sorted(f"Text {number}" for number in set(order))
    assert len({one.external_id for one in messages(said)}) == len(said)
