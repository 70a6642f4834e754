"""Who is known in a thread: tables of given, when, then."""

import pytest

from deskstream.contracts.inbound import Identity
from deskstream.ingest.domain import Breach, Broken, Doubled, decide, evolve
from services.ingest.tests.threads import (
    ADA,
    ADAS_THREAD,
    ARCHIVED,
    BOB,
    EVE,
    NOBODY,
    NOW,
    OOO,
    THREAD,
    after,
    arrived,
    receive,
)


@pytest.mark.parametrize(
    ("thread", "found", "verified"),
    [
        pytest.param(NOBODY, arrived("new", EVE), True, id="who opens a thread is nobody's impostor"),
        pytest.param(ADAS_THREAD, arrived("token", ADA), True, id="a participant answers by token"),
        pytest.param(ADAS_THREAD, arrived("reference", BOB), True, id="a participant answers by reference"),
        pytest.param(
            ADAS_THREAD, arrived("token", Identity(email="Ada@Example.ORG")), True, id="capitals make no stranger"
        ),
        pytest.param(ADAS_THREAD, arrived("token", EVE), False, id="N3: a stranger answers by token"),
        pytest.param(ADAS_THREAD, arrived("reference", EVE), False, id="N3: a stranger answers by reference"),
        pytest.param(ADAS_THREAD, arrived("thread", EVE), True, id="the channel vouches for its own thread"),
        pytest.param(
            ADAS_THREAD,
            arrived("token", Identity(external_id="ada@example.org")),
            False,
            id="P15: a channel's id that looks like a participant's address",
        ),
        pytest.param(
            NOBODY, arrived("token", ADA), False, id="an answer to what an agent began: conversation knows whom"
        ),
        pytest.param(
            after(ADAS_THREAD, arrived("token", EVE)),
            arrived("token", EVE),
            False,
            id="N3: a stranger stays a stranger",
        ),
        pytest.param(
            after(ADAS_THREAD, arrived("token", ADA, copied=(EVE,))),
            arrived("token", EVE),
            False,
            id="P15: copied in by a message whose sender may be forged",
        ),
        pytest.param(
            after(NOBODY, arrived("new", ADA, copied=(BOB,))),
            arrived("reference", BOB),
            True,
            id="copied in from the start",
        ),
        pytest.param(
            after(NOBODY, arrived("new", ADA)), arrived("reference", ADA), True, id="the opener, within one batch"
        ),
        pytest.param(
            after(ADAS_THREAD, arrived("thread", EVE)), arrived("token", EVE), True, id="whom the channel vouched for"
        ),
    ],
)
def test_whether_the_sender_is_vouched_for(thread, found, verified):
    assert receive(thread, found).message.verified is verified


@pytest.mark.parametrize(
    ("via", "new_thread"),
    [
        pytest.param("new", True, id="nobody knows this thread yet"),
        pytest.param("token", False, id="an agent began it"),
        pytest.param("reference", False, id="a customer began it"),
        pytest.param("thread", False, id="the channel knows it"),
    ],
)
def test_whether_a_thread_is_new(via, new_thread):
    event = receive(NOBODY, arrived(via))
    assert (event.new_thread, event.via, event.thread_id) == (new_thread, via, THREAD)


@pytest.mark.parametrize(
    ("thread", "found", "joined"),
    [
        pytest.param(
            NOBODY,
            arrived("new", ADA, copied=(BOB, ADA)),
            {"mailto:ada@example.org": False, "mailto:bob@example.org": False},
            id="the first message's people",
        ),
        pytest.param(ADAS_THREAD, arrived("token", ADA, copied=(BOB,)), {}, id="nobody new"),
        pytest.param(
            ADAS_THREAD, arrived("token", EVE), {"mailto:eve@example.org": True}, id="N3: a stranger joins unverified"
        ),
        pytest.param(
            ADAS_THREAD,
            arrived("token", ADA, copied=(EVE,)),
            {"mailto:eve@example.org": True},
            id="so does who is copied",
        ),
        pytest.param(ADAS_THREAD, arrived("token", EVE, automatic=OOO), {}, id="an out-of-office note brings nobody"),
        pytest.param(
            NOBODY,
            arrived("new", EVE, automatic=OOO),
            {"mailto:eve@example.org": False},
            id="unless it opens the thread",
        ),
        pytest.param(
            NOBODY,
            arrived("new", Identity(phone="+49 30 1", email=None), channel="whatsapp"),
            {"tel:+49 30 1": False},
            id="known by a phone number",
        ),
        pytest.param(
            NOBODY,
            arrived("new", Identity(external_id="U1", email="ada@example.org"), channel="slack"),
            {"slack/U1": False},
            id="the channel's own id before an address",
        ),
    ],
)
def test_who_joins(thread, found, joined):
    changed = after(thread, found)
    assert {one.identity: one.stranger for one in changed.joined} == joined
    assert changed.members | changed.strangers == thread.members | thread.strangers | set(joined)


def test_a_thread_is_opened_once():
    first = after(NOBODY, arrived("new"))
    assert first.opened is not None
    assert (first.opened.channel, first.opened.inbox, first.opened.via, first.opened.at) == (
        "email",
        "support",
        "new",
        NOW,
    )
    assert after(first, arrived("reference")).opened is first.opened
    assert after(ADAS_THREAD, arrived("token")) == ADAS_THREAD


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(
            Doubled(ARCHIVED, "email", "support", external_id="1", original_id=ARCHIVED, thread_id=THREAD),
            id="a double",
        ),
        pytest.param(Broken(ARCHIVED, "email", "support", Breach("body", "it is not JSON")), id="a rejection"),
    ],
)
def test_only_a_received_message_changes_a_thread(found):
    [event] = decide(ADAS_THREAD, found, NOW)
    assert evolve(ADAS_THREAD, event) is ADAS_THREAD
