"""The contract for adapters: what is read, and what is refused with which field and reason (N1)."""

import json

import pytest
from pydantic import ValidationError

from deskstream.contracts.inbound import NEVER, DeliveryReported, InboundMessage, read_inbound

ADA = {"email": "ada@example.org"}
MESSAGE = {"external_id": "<1@example.org>", "sender": ADA}
ID = "00000000-0000-0000-0000-000000000007"
REPORT = {"type": "delivery", "conversation_id": ID, "reply_id": ID, "state": "sent"}
FILE = {"name": "a.png", "size": 5}
GONE = object()


def read(contract, **fields):
    return read_inbound(json.dumps({k: v for k, v in {**contract, **fields}.items() if v is not GONE}))


def breach(contract, fields):
    with pytest.raises(ValidationError) as refused:
        read(contract, **fields)
    first = refused.value.errors(include_url=False, include_input=False)[0]
    # The first step only says which of the two contracts it was taken for.
    return ".".join(str(step) for step in first["loc"][1:]), first["msg"]


def test_the_smallest_message():
    message = read(MESSAGE)
    assert isinstance(message, InboundMessage)
    assert (message.external_id, message.sender.email, message.text, message.at) == (
        "<1@example.org>", "ada@example.org", "", NEVER
    )  # fmt: skip


def test_the_smallest_report():
    report = read(REPORT)
    assert isinstance(report, DeliveryReported)
    assert (report.state, report.permanent, report.reason) == ("sent", False, None)


def test_a_body_that_says_no_type_is_a_message():
    assert isinstance(read(MESSAGE, type="message"), InboundMessage)
    assert breach(REPORT, {"type": GONE}) == ("external_id", "Field required")


@pytest.mark.parametrize(
    ("contract", "fields", "field", "reason"),
    [
        pytest.param(MESSAGE, {"external_id": GONE}, "external_id", "Field required", id="no external id"),
        pytest.param(MESSAGE, {"external_id": ""}, "external_id", "at least 1", id="an empty external id"),
        pytest.param(MESSAGE, {"external_id": "x" * 999}, "external_id", "at most 998", id="a huge external id"),
        pytest.param(MESSAGE, {"external_id": 7}, "external_id", "valid string", id="a number for an id"),
        pytest.param(MESSAGE, {"sender": GONE}, "sender", "Field required", id="no sender"),
        pytest.param(MESSAGE, {"sender": None}, "sender", "Input should be", id="null for a sender"),
        pytest.param(MESSAGE, {"sender": {}}, "sender.email", "missing: name", id="a sender nobody can be told from"),
        pytest.param(
            MESSAGE, {"sender": {"name": "Ada"}}, "sender.email", "missing: name", id="a sender with a name only"
        ),
        pytest.param(MESSAGE, {"sender": {"email": "ada"}}, "sender.email", "pattern", id="an address without @"),
        pytest.param(MESSAGE, {"sender": {"email": "a b@c"}}, "sender.email", "pattern", id="an address with a blank"),
        pytest.param(MESSAGE, {"sender": {"email": "a@b\r\nBcc: c@d"}}, "sender.email", "pattern", id="two headers"),
        pytest.param(
            MESSAGE, {"sender": {"email": "a@" + "b" * 320}}, "sender.email", "at most 320", id="huge address"
        ),
        pytest.param(MESSAGE, {"sender": {"phone": "1" * 33}}, "sender.phone", "at most 32", id="a huge phone number"),
        pytest.param(
            MESSAGE, {"sender": {"external_id": ""}}, "sender.external_id", "at least 1", id="an empty user id"
        ),
        pytest.param(MESSAGE, {"copied": [ADA] * 101}, "copied", "at most 100", id="too many addressees"),
        pytest.param(
            MESSAGE, {"copied": [ADA, {}]}, "copied.1.email", "missing: name", id="an addressee who is nobody"
        ),
        pytest.param(MESSAGE, {"title": "x" * 999}, "title", "at most 998", id="a huge title"),
        pytest.param(MESSAGE, {"text": None}, "text", "valid string", id="null for a text"),
        pytest.param(MESSAGE, {"text": ["a"]}, "text", "valid string", id="a list for a text"),
        pytest.param(MESSAGE, {"body_blob": "ABC"}, "body_blob", "pattern", id="a blob that is no SHA-256"),
        pytest.param(MESSAGE, {"body_blob": "../../etc/passwd"}, "body_blob", "pattern", id="a path for a blob"),
        pytest.param(MESSAGE, {"attachments": [FILE] * 201}, "attachments", "at most 200", id="too many files"),
        pytest.param(
            MESSAGE, {"attachments": [{"size": 5}]}, "attachments.0.name", "Field required", id="a nameless file"
        ),
        pytest.param(
            MESSAGE, {"attachments": [FILE | {"size": -1}]}, "attachments.0.size", "greater", id="size below 0"
        ),
        pytest.param(
            MESSAGE, {"attachments": [FILE | {"size": 2**60}]}, "attachments.0.size", "less", id="a huge file"
        ),
        pytest.param(
            MESSAGE, {"thread": {"references": ["<1>"] * 51}}, "thread.references", "at most 50", id="long thread"
        ),
        pytest.param(MESSAGE, {"thread": {"tokens": ["x" * 129]}}, "thread.tokens.0", "at most 128", id="a huge token"),
        pytest.param(
            MESSAGE, {"automatic": {"kind": "robot", "reason": ""}}, "automatic.kind", "Input", id="kind unknown"
        ),
        pytest.param(MESSAGE, {"channel": "E-Mail"}, "channel", "pattern", id="a channel in capitals"),
        pytest.param(MESSAGE, {"channel": "email\n"}, "channel", "pattern", id="a channel with a newline"),
        pytest.param(MESSAGE, {"channel": "em\x00ail"}, "channel", "pattern", id="a channel with NUL"),
        pytest.param(MESSAGE, {"channel": "*"}, "channel", "pattern", id="all channels"),
        pytest.param(MESSAGE, {"inbox": "a.b"}, "inbox", "pattern", id="an inbox of two tokens"),
        pytest.param(MESSAGE, {"inbox": ">"}, "inbox", "pattern", id="all inboxes"),
        pytest.param(MESSAGE, {"sent_at": "yesterday"}, "sent_at", "datetime", id="a time that is none"),
        pytest.param(MESSAGE, {"language": "x" * 17}, "language", "at most 16", id="a huge language"),
        pytest.param(MESSAGE, {"type": "letter"}, "type", "Input should be 'message'", id="a type nobody knows"),
        pytest.param(MESSAGE, {"type": ["delivery"]}, "type", "Input should be 'message'", id="a list for a type"),
        pytest.param(REPORT, {"reply_id": GONE}, "reply_id", "Field required", id="a report on nothing"),
        pytest.param(REPORT, {"conversation_id": "7"}, "conversation_id", "UUID", id="a conversation id that is none"),
        pytest.param(REPORT, {"state": "read"}, "state", "Input should be", id="a state nobody knows"),
        pytest.param(REPORT, {"reason": "x" * 999}, "reason", "at most 998", id="a huge reason"),
    ],
)
def test_what_breaks_the_contract_is_told_by_field_and_reason(contract, fields, field, reason):
    told = breach(contract, fields)
    assert told[0] == field
    assert reason in told[1]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"hello", id="not JSON"),
        pytest.param(b'{"external_id": "1", "sender"', id="cut off"),
        pytest.param(b"\xff\xfe\xfa", id="not UTF-8"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"null", id="null"),
        pytest.param(b'"message"', id="a text"),
        pytest.param(b"[" * 50_000, id="nested without end"),
        pytest.param(b'{"sender":' * 10_000 + b"1" + b"}" * 10_000, id="objects nested without end"),
        pytest.param(b'{"external_id": "a\x00b"}', id="a bare NUL"),
        pytest.param(b'{"external_id": "\\ud800"}', id="half a character"),
    ],
)
def test_what_is_no_such_json_is_refused(body):
    with pytest.raises(ValidationError):
        read_inbound(body)


def test_p18_unknown_fields_are_ignored_everywhere():
    message = read(
        MESSAGE, colour="red", sender={**ADA, "mood": "good"}, thread={"knots": 3}, attachments=[FILE | {"x": 1}]
    )
    assert message == read(MESSAGE, attachments=[FILE])


def test_numbers_that_are_too_large_for_a_computer_are_refused():
    assert breach(MESSAGE, {"attachments": [FILE | {"size": 10**400}]})[0] == "attachments.0.size"


def test_a_nul_within_a_text_is_read_and_left_to_ingest():
    assert read(MESSAGE, text="a\x00b").text == "a\x00b"


def test_a_huge_text_is_read_in_time_and_left_to_ingest():
    assert len(read(MESSAGE, text="x" * 5_000_000).text) == 5_000_000


def test_the_last_of_two_same_keys_counts():
    body = b'{"external_id": "1", "external_id": "2", "sender": {"email": "ada@example.org"}}'
    assert read_inbound(body).external_id == "2"
