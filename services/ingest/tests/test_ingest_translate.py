"""Reading what adapters publish: good messages, broken ones, hostile ones."""

import base64
import json
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskstream.contracts.inbound import INLINE_BODY_LIMIT, MESSAGE_LIMIT, DeliveryReported, InboundMessage
from deskstream.ingest.domain import Breach
from deskstream.ingest.translate import CLEANED, read
from deskstream.messaging import Heard, Raw

ID = UUID(int=1)
SUBJECT = "inbound.email.support"
MESSAGE = {"external_id": "<1@example.org>", "sender": {"email": "ada@example.org"}, "text": "Hello"}
FILE = b"\x89PNG"
FILE_SHA256 = sha256(FILE).hexdigest()


def heard(body, subject=SUBJECT):
    now = datetime(2026, 5, 4, 9, tzinfo=UTC)
    return Heard(id=ID, data=Raw(subject, body), at=now, actor=None, lane="inbound", key="", sequence=0, correlation=ID)


def published(subject=SUBJECT, **fields):
    return read(heard(json.dumps(MESSAGE | fields).encode(), subject))


def breach(body, subject=SUBJECT):
    found = read(heard(body, subject)).incoming.content
    assert isinstance(found, Breach), found
    return found


def attachment(**fields):
    return {"name": "a.png", "size": len(FILE)} | fields


def encoded(body):
    return base64.b64encode(body).decode()


def test_a_message_is_read_and_knows_where_it_was_published():
    incoming = published().incoming
    assert isinstance(incoming.content, InboundMessage)
    assert (incoming.id, incoming.channel, incoming.inbox) == (ID, "email", "support")
    assert incoming.content.text == "Hello"


def test_a_delivery_report_is_read():
    body = {"type": "delivery", "conversation_id": str(ID), "reply_id": str(ID), "state": "sent"}
    assert isinstance(read(heard(json.dumps(body).encode())).incoming.content, DeliveryReported)


@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        pytest.param("inbound.email", "is not inbound", id="N1: two tokens"),
        pytest.param("inbound.email.support.more", "is not inbound", id="N1: four tokens"),
        pytest.param("events.email.support", "is not inbound", id="N1: another lane"),
        pytest.param("inbound.Email.support", "the channel must", id="N1: a channel in capitals"),
        pytest.param("inbound.email.a b", "the inbox must", id="N1: an inbox with a blank"),
        pytest.param(f"inbound.email.{'x' * 65}", "the inbox must", id="N1: an inbox of 65 characters"),
        pytest.param("inbound..support", "the channel must", id="N1: no channel"),
        pytest.param("inbound.email.sup\0port\n", "the inbox must", id="NUL and newline in the inbox"),
        pytest.param("inbound.email\n.support", "the channel must", id="a newline after the channel"),
    ],
)
def test_a_subject_that_names_no_inbox_is_refused(subject, reason):
    found = read(heard(json.dumps(MESSAGE).encode(), subject)).incoming
    assert isinstance(found.content, Breach)
    assert found.content.field == "subject"
    assert reason in found.content.reason
    assert (found.channel, found.inbox) == ("", "")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        pytest.param({"sender": {}}, "sender.email", id="N1: a sender who is nobody"),
        pytest.param({"sender": {"email": "ada"}}, "sender.email", id="N1: no mail address"),
        pytest.param({"external_id": ""}, "external_id", id="N1: an empty id"),
        pytest.param({"external_id": "x" * 999}, "external_id", id="N1: an id of 999 characters"),
        pytest.param({"external_id": "\0"}, "external_id", id="N1: an id of NUL alone"),
        pytest.param({"text": None}, "text", id="N1: null for a text"),
        pytest.param({"type": "call"}, "type", id="N1: a type nobody knows"),
        pytest.param({"channel": "slack"}, "channel", id="N1: another channel than the subject's"),
        pytest.param({"inbox": "sales"}, "inbox", id="N1: another inbox than the subject's"),
        pytest.param({"copied": [{"email": f"a@b{n}"} for n in range(101)]}, "copied", id="101 people copied"),
        pytest.param({"thread": {"references": ["x"] * 51}}, "thread.references", id="51 references"),
        pytest.param({"thread": {"tokens": ["x"] * 51}}, "thread.tokens", id="51 tokens"),
        pytest.param({"sent_at": "yesterday"}, "sent_at", id="a time that is none"),
        pytest.param(
            {"attachments": [attachment(), attachment(size=-1)]}, "attachments.1.size", id="a file of negative size"
        ),
        pytest.param(
            {"attachments": [attachment(size=20 * 1024 * 1024 + 1)]}, "attachments.0.size", id="a file over 20 MiB"
        ),
        pytest.param(
            {"attachments": [attachment(content_base64="%%%")]},
            "attachments.0.content_base64",
            id="a file that is not base64",
        ),
        pytest.param(
            {"attachments": [attachment(content_base64="é")]},
            "attachments.0.content_base64",
            id="a file that is not even ASCII",
        ),
        pytest.param(
            {"attachments": [attachment(content_base64=encoded(b"other"), sha256=FILE_SHA256)]},
            "attachments.0.sha256",
            id="a file that is not what its SHA-256 says",
        ),
    ],
)
def test_a_field_that_breaks_the_contract_is_named(fields, field):
    found = published(**fields).incoming.content
    assert isinstance(found, Breach)
    assert (found.field, bool(found.reason)) == (field, True)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"", "Invalid JSON", id="nothing"),
        pytest.param(b"hello", "Invalid JSON", id="not JSON"),
        pytest.param(b"\xff\xfe{}", "Invalid JSON", id="another encoding"),
        pytest.param(b"[]", "should be an object", id="a list"),
        pytest.param(b"null", "should be an object", id="null"),
        pytest.param(b"[" * 60_000, "Invalid JSON", id="60,000 lists deep"),
        pytest.param(b'{"a":' * 10_000 + b'"\\u0000"', "nested too deeply", id="10,000 objects deep, with NUL inside"),
        pytest.param(b'{"text":"\\u0000', "not JSON", id="NUL, then the end"),
        pytest.param(b'{"text":"\\ud800', "not JSON", id="half a surrogate pair, then the end"),
        pytest.param(b'{"size":' + b"9" * 5000 + b',"text":"\\u0000"}', "not JSON", id="a number of 5,000 digits"),
        pytest.param(
            b" " * (MESSAGE_LIMIT + 1), "65,537 bytes are over the limit of 65,536 bytes", id="a byte over 64 KiB"
        ),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_as_a_whole(body, reason):
    found = breach(body)
    assert found.field == "body"
    assert reason in found.reason


def test_a_message_of_64_kibibytes_is_taken():
    body = json.dumps(MESSAGE).encode()
    assert isinstance(read(heard(body.ljust(MESSAGE_LIMIT))).incoming.content, InboundMessage)


@pytest.mark.parametrize(
    ("body", "external_id"),
    [
        pytest.param({"external_id": "7"}, "7", id="N1: its sender can find it by its own id"),
        pytest.param({"external_id": "7\0"}, "7", id="without NUL"),
        pytest.param({"external_id": "x" * 2000}, "x" * 998, id="as much as a channel's id may have"),
        pytest.param({"external_id": 7}, None, id="a number is no id"),
        pytest.param(["external_id"], None, id="a list has none"),
    ],
)
def test_a_refused_message_keeps_the_id_of_its_channel(body, external_id):
    assert breach(json.dumps(body).encode()).external_id == external_id


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        pytest.param(rb'"a\u0000b"', "ab", id="NUL"),
        pytest.param(rb'"a\ud800b"', "ab", id="a lone high surrogate"),
        pytest.param(rb'"a\uDC00b"', "ab", id="a lone low surrogate"),
        pytest.param(b'"a\xed\xa0\x80b"', "ab", id="a surrogate encoded as UTF-8"),
        pytest.param(rb'"\ud83d\ude00\u0000"', "\N{GRINNING FACE}", id="NUL beside a pair that is whole"),
    ],
)
def test_what_no_database_can_hold_is_removed_and_flagged(written, kept):
    body = json.dumps(MESSAGE).encode().replace(b'"Hello"', written)
    found = read(heard(body)).incoming.content
    assert isinstance(found, InboundMessage)
    assert (found.text, found.flags) == (kept, (CLEANED,))


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(rb'"\ud83d\ude00"', id="a whole surrogate pair"),
        pytest.param(rb'"\\u0000"', id="a backslash and the letters u0000"),
    ],
)
def test_what_only_looks_unstorable_is_left_alone(written):
    body = json.dumps(MESSAGE).encode().replace(b'"Hello"', written)
    found = read(heard(body)).incoming.content
    assert isinstance(found, InboundMessage)
    assert (found.text, found.flags) == (json.loads(written), ())


@pytest.mark.parametrize(
    "content", [pytest.param(encoded(FILE), id="in one line"), pytest.param("iVBO\r\nRw==", id="in lines, as mail has")]
)
def test_a_file_that_comes_inline_becomes_a_blob(content):
    found = published(attachments=[attachment(content_base64=content, size=1, media_type="image/png")])
    assert isinstance(found.incoming.content, InboundMessage)
    [kept] = found.incoming.content.attachments
    assert (kept.content_base64, kept.sha256, kept.size) == (None, FILE_SHA256, len(FILE))
    assert [(blob.body, blob.media_type) for blob in found.blobs] == [(FILE, "image/png")]


def test_files_elsewhere_stay_as_they_are():
    found = published(attachments=[attachment(sha256=FILE_SHA256), attachment(name="gone.png")])
    assert isinstance(found.incoming.content, InboundMessage)
    assert [one.sha256 for one in found.incoming.content.attachments] == [FILE_SHA256, None]
    assert found.blobs == ()


@pytest.mark.parametrize("letter", ["x", "é", "€", "\N{GRINNING FACE}"])
def test_a_long_text_is_cut_between_characters_and_lies_whole_in_a_blob(letter):
    whole = "a" + letter * (INLINE_BODY_LIMIT // len(letter.encode()) + 1)
    found = read(heard(json.dumps(MESSAGE | {"text": whole}, ensure_ascii=False).encode()))
    message = found.incoming.content
    assert isinstance(message, InboundMessage)
    assert INLINE_BODY_LIMIT - 4 < len(message.text.encode()) <= INLINE_BODY_LIMIT
    assert whole.startswith(message.text)
    assert [(blob.sha256, blob.body.decode()) for blob in found.blobs] == [(message.body_blob, whole)]


def test_a_text_of_exactly_the_limit_is_not_cut():
    found = published(text="x" * INLINE_BODY_LIMIT)
    assert isinstance(found.incoming.content, InboundMessage)
    assert (found.incoming.content.body_blob, found.blobs) == (None, ())


def test_a_long_text_whose_adapter_kept_the_whole_keeps_that_blob():
    found = published(text="x" * (INLINE_BODY_LIMIT + 1), body_blob=FILE_SHA256)
    assert isinstance(found.incoming.content, InboundMessage)
    assert (found.incoming.content.body_blob, found.blobs) == (FILE_SHA256, ())
    assert len(found.incoming.content.text) == INLINE_BODY_LIMIT


@pytest.mark.parametrize(
    ("sent_at", "read_as"),
    [
        pytest.param("2026-05-04T09:00:00+02:00", datetime(2026, 5, 4, 7, tzinfo=UTC), id="with a time zone"),
        pytest.param("2026-05-04T09:00:00", datetime(2026, 5, 4, 9, tzinfo=UTC), id="without one"),
        pytest.param("0001-01-01T00:00:00+14:00", None, id="before the year 1"),
    ],
)
def test_the_senders_clock_is_read_in_utc(sent_at, read_as):
    found = published(sent_at=sent_at).incoming.content
    assert isinstance(found, InboundMessage)
    assert found.sent_at == read_as


@pytest.mark.parametrize(
    ("fields", "same"),
    [
        pytest.param({"at": "2026-05-04T09:00:00Z"}, True, id="taken later"),
        pytest.param({"raw_blob": FILE_SHA256}, True, id="another route, so other Received headers"),
        pytest.param({"thread": {"tokens": ["x"]}}, True, id="another recipient's token"),
        pytest.param({"spam_marks": ["X-Spam-Flag"]}, True, id="another filter's opinion"),
        pytest.param({"text": "Hello!"}, False, id="another text"),
        pytest.param({"title": "Hello"}, False, id="another title"),
        pytest.param({"html": "<p>Hello"}, False, id="other HTML"),
        pytest.param({"sender": {"email": "eve@example.org"}}, False, id="another sender"),
        pytest.param({"attachments": [attachment()]}, False, id="another file"),
    ],
)
def test_the_fingerprint_is_of_what_a_message_says(fields, same):
    assert (published(**fields).incoming.fingerprint == published().incoming.fingerprint) is same


def test_the_fingerprint_does_not_see_how_a_file_travelled():
    inline = published(attachments=[attachment(content_base64=encoded(FILE))])
    kept = published(attachments=[attachment(sha256=FILE_SHA256)])
    assert inline.incoming.fingerprint == kept.incoming.fingerprint


@given(st.binary(max_size=300) | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps))
def test_nothing_that_is_published_can_make_reading_fail(body):
    found = read(heard(body.encode() if isinstance(body, str) else body)).incoming
    assert isinstance(found.content, Breach)
