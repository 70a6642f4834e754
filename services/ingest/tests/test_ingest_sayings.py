"""What ingest says of a message, of its double, and of one that it refuses."""

from uuid import UUID

import pytest

from deskstream.contracts.ids import ConversationId, ReplyId
from deskstream.contracts.inbound import Attachment, DeliveryReported, DeliveryState
from deskstream.contracts.ingest import DeliveryNoted, MessageDuplicate, MessageRejected
from deskstream.ingest.domain import Breach, Broken, Doubled, Repeated, Reported, decide
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
    arrived,
    receive,
)

LINKS = "\n".join(f"https://example.org/{number}" for number in range(10))


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
        "answers": ReplyId(UUID(int=7)),
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
        kept_back=True,
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
            kept_back=True,
            external_id="<sent>",
        )
    ]


def test_what_was_delivered_once_more_is_not_said_again():
    assert decide(ADAS_THREAD, Repeated(ARCHIVED), NOW) == []
