"""Who is known in a thread, and what ingest says of a message: tables of given, when, then."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from deskstream.contracts.ids import ConversationId, ReplyId, ThreadId
from deskstream.contracts.inbound import (
    Attachment,
    Automatic,
    AutomaticKind,
    DeliveryReported,
    DeliveryState,
    Identity,
    InboundMessage,
)
from deskstream.contracts.ingest import DeliveryNoted, MessageDuplicate, MessageReceived, MessageRejected
from deskstream.ingest.domain import (
    Arrived,
    Breach,
    Broken,
    Doubled,
    Repeated,
    Reported,
    Thread,
    decide,
    evolve,
)

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)
ARCHIVED = UUID(int=1)
THREAD = ThreadId(UUID(int=2))
NOBODY = Thread.unopened(str(THREAD))
ADA, BOB, EVE = (Identity(email=f"{name}@example.org") for name in ("ada", "bob", "eve"))
ADAS_THREAD = Thread(str(THREAD), stored=True, members=frozenset({"mailto:ada@example.org", "mailto:bob@example.org"}))
OOO = Automatic(kind=AutomaticKind.AUTO_REPLY, reason="Auto-Submitted: auto-replied")
LINKS = "\n".join(f"https://example.org/{number}" for number in range(10))


def arrived(via="token", sender=ADA, channel="email", **fields):
    message = InboundMessage(at=NOW, external_id="1", sender=sender, **{"text": "Hello", **fields})
    return Arrived(ARCHIVED, channel, "support", message, THREAD, via)


def receive(thread, found, **settings):
    [event] = decide(thread, found, NOW, **settings)
    assert isinstance(event, MessageReceived)
    return event


def after(thread, *batch):
    for found in batch:
        thread = evolve(thread, receive(thread, found))
    return thread


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
    ("thread", "found", "reasons"),
    [
        pytest.param(NOBODY, arrived("new"), (), id="a plain message"),
        pytest.param(
            NOBODY,
            arrived("new", spam_marks=("X-Spam-Flag: YES",) * 2),
            ("X-Spam-Flag: YES",),
            id="the channel says so",
        ),
        pytest.param(
            ADAS_THREAD,
            arrived("token", spam_marks=("X-Spam-Flag: YES",)),
            ("X-Spam-Flag: YES",),
            id="of a participant, too",
        ),
        pytest.param(
            NOBODY,
            arrived("new", text=" \n", attachments=(Attachment(name="invoice.pdf.exe ", size=1),)),
            ("no text, only programs attached",),
            id="a program and nothing else",
        ),
        pytest.param(
            NOBODY, arrived("new", attachments=(Attachment(name="setup.exe", size=1),)), (), id="a program, explained"
        ),
        pytest.param(
            NOBODY,
            arrived("new", text="", attachments=(Attachment(name="a.exe", size=1), Attachment(name="log.txt", size=1))),
            (),
            id="a program beside something else",
        ),
        pytest.param(NOBODY, arrived("new", text="", attachments=()), (), id="an empty mail"),
        pytest.param(NOBODY, arrived("new", text=LINKS), ("10 links and little else",), id="links and little else"),
        pytest.param(NOBODY, arrived("new", text=LINKS + "explained " * 40), (), id="links in a long text"),
        pytest.param(NOBODY, arrived("new", text=LINKS[:-30]), (), id="nine links"),
        pytest.param(NOBODY, arrived("new", text="://" * 1000), (), id="what only looks like links"),
        pytest.param(ADAS_THREAD, arrived("token", ADA, text=LINKS), (), id="a participant's links"),
        pytest.param(
            ADAS_THREAD, arrived("token", EVE, text=LINKS), ("10 links and little else",), id="a stranger's links"
        ),
        pytest.param(NOBODY, arrived("new", text=LINKS, automatic=OOO), (), id="automatic mail is judged by its kind"),
    ],
)
def test_what_is_suspicious_and_why(thread, found, reasons):
    assert receive(thread, found).message.suspicious == reasons


@pytest.mark.parametrize(
    ("words", "reasons"),
    [
        pytest.param((), (), id="off by default"),
        pytest.param(("casino", "Straße"), ('says "casino"', 'says "Straße"'), id="in title or text, in any case"),
        pytest.param(("lottery", ""), (), id="not said"),
    ],
)
def test_unwanted_words_are_the_desks_own(words, reasons):
    found = arrived("new", title="Best CASINO", text="in der strasse 7")
    assert receive(NOBODY, found, words=words).message.suspicious == reasons


def test_everything_that_the_adapter_said_is_passed_on():
    said = {
        "copied": (BOB,),
        "title": "Printer",
        "text": "It burns",
        "quoted": "> does it?",
        "html": "<p>It burns",
        "body_blob": "a" * 64,
        "raw_blob": "b" * 64,
        "attachments": (Attachment(name="a.png", size=1, sha256="c" * 64),),
        "automatic": OOO,
        "no_auto_answer": True,
        "flags": ("message_id_made",),
        "language": "en",
        "sent_at": NOW,
    }
    message = receive(NOBODY, arrived("new", **said)).message
    assert {name: getattr(message, name) for name in said} == said
    assert (message.id, message.channel, message.inbox) == (ARCHIVED, "email", "support")
    assert (message.external_id, message.sender, message.received_at) == ("1", ADA, NOW)


def test_a_double_is_said_to_be_one():
    found = Doubled(ARCHIVED, "email", "support", external_id="1", original_id=UUID(int=9), thread_id=THREAD)
    assert decide(ADAS_THREAD, found, NOW) == [
        MessageDuplicate(
            at=NOW,
            thread_id=THREAD,
            archive_id=ARCHIVED,
            original_id=UUID(int=9),
            channel="email",
            inbox="support",
            external_id="1",
        )
    ]


def test_what_breaks_the_contract_is_said_with_field_and_reason():
    found = Broken(ARCHIVED, "email", "support", Breach("sender", "Field required", "1"))
    assert decide(NOBODY, found, NOW) == [
        MessageRejected(
            at=NOW,
            archive_id=ARCHIVED,
            channel="email",
            inbox="support",
            external_id="1",
            field="sender",
            reason="Field required",
        )
    ]


def test_a_delivery_report_is_passed_on():
    conversation = ConversationId(THREAD)
    report = DeliveryReported(
        at=NOW,
        conversation_id=conversation,
        reply_id=ReplyId(ARCHIVED),
        state=DeliveryState.FAILED,
        reason="550 no such user",
        permanent=True,
        external_id="<sent>",
    )
    assert decide(ADAS_THREAD, Reported(ARCHIVED, "email", report), NOW) == [
        DeliveryNoted(
            at=NOW,
            conversation_id=conversation,
            reply_id=ReplyId(ARCHIVED),
            channel="email",
            state=DeliveryState.FAILED,
            reason="550 no such user",
            permanent=True,
            external_id="<sent>",
        )
    ]


def test_what_was_delivered_once_more_is_not_said_again():
    assert decide(ADAS_THREAD, Repeated(ARCHIVED), NOW) == []


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
