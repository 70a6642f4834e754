"""`deskstream adapter`: messages checked without a server, as ingest would read them; what the suite is told."""

import json
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from deskstream.contracts.checking import check_inbound
from deskstream.contracts.inbound import MESSAGE_LIMIT
from deskstream.ingest import translate
from deskstream.ingest.domain import Breach
from deskstream.messaging import Heard, Raw

MESSAGE = {"external_id": "p-1", "sender": {"external_id": "probe-3"}, "text": "97 %"}
REPORT = {"type": "delivery", "conversation_id": str(uuid4()), "reply_id": str(uuid4()), "state": "delivered"}
FILE = {"name": "a.txt", "size": 2, "content_base64": "aGk="}
SUBJECT = "inbound.pager.oncall"


def body(fields, **more):
    return json.dumps(fields | more).encode()


def as_ingest_reads(content, subject=SUBJECT):
    """What would stand in `message_rejected`; None where it would be taken."""
    now = datetime.now(UTC)
    raw = Raw(subject, content)
    heard = Heard(uuid4(), raw, now, actor=None, lane="inbound", key="", sequence=0, correlation=uuid4())
    found = translate.read(heard).incoming.content
    return (found.field, found.reason) if isinstance(found, Breach) else None


@pytest.mark.parametrize(
    ("content", "subject"),
    [
        pytest.param(body(MESSAGE), SUBJECT, id="a message"),
        pytest.param(body(REPORT), SUBJECT, id="a delivery report"),
        pytest.param(body(MESSAGE, attachments=[FILE]), SUBJECT, id="with a file"),
        pytest.param(body(MESSAGE, later="x"), SUBJECT, id="with a field of next year"),
        pytest.param(body(MESSAGE, channel="pager", inbox="oncall"), SUBJECT, id="that repeats its address"),
        pytest.param(body(MESSAGE, text="a\0b"), SUBJECT, id="with a NUL"),
    ],
)
def test_n1_what_is_fine_ingest_takes(content, subject):
    assert check_inbound(content, subject).problems == ()
    assert as_ingest_reads(content, subject) is None


@pytest.mark.parametrize(
    ("content", "subject"),
    [
        pytest.param(body(MESSAGE, sender={}), SUBJECT, id="nobody"),
        pytest.param(body(MESSAGE, sender={"email": "no address"}), SUBJECT, id="no address"),
        pytest.param(body({"sender": MESSAGE["sender"]}), SUBJECT, id="no external id"),
        pytest.param(body(REPORT, state="read"), SUBJECT, id="an unknown state"),
        pytest.param(body(MESSAGE, attachments=[FILE | {"content_base64": "%"}]), SUBJECT, id="no base64"),
        pytest.param(body(MESSAGE, attachments=[FILE | {"sha256": "0" * 64}]), SUBJECT, id="another file's hash"),
        pytest.param(body(MESSAGE, attachments=[FILE | {"size": 2**40}]), SUBJECT, id="a file over 20 MiB"),
        pytest.param(body(MESSAGE, text="x" * MESSAGE_LIMIT), SUBJECT, id="over 64 KiB"),
        pytest.param(body(MESSAGE, channel="fax"), SUBJECT, id="another channel in the body"),
        pytest.param(body(MESSAGE, inbox="sales"), SUBJECT, id="another inbox in the body"),
        pytest.param(body(MESSAGE), "inbound.pager", id="no inbox in the subject"),
        pytest.param(body(MESSAGE), "inbound.Pager.oncall", id="a channel with capitals"),
        pytest.param(body(MESSAGE), "inbound.pager.on call", id="an inbox with a blank"),
        pytest.param(body(MESSAGE), "events.pager.oncall", id="no inbound subject"),
    ],
)
def test_n1_the_first_problem_is_what_ingest_would_reject_it_for(content, subject):
    first = check_inbound(content, subject).problems[0]
    assert (first.field, first.reason) == as_ingest_reads(content, subject)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"", "not JSON", id="nothing"),
        pytest.param(b"[1, 2]", "Input should be", id="a list"),
        pytest.param(b"Hello?", "not JSON", id="prose"),
        pytest.param(b"\xff\xfe{}", "not UTF-8, from byte 0", id="not UTF-8"),
        pytest.param(b'{"external_id": "\xc3"}', "not UTF-8, from byte 17", id="half a character"),
        pytest.param(b"[" * 10_000, "nested too deeply", id="depth 10,000"),
        pytest.param(b'{"a":' * 10_000, "nested too deeply", id="depth 10,000 of objects"),
        pytest.param(b'{"text": "a", "text": "b"}', "says 'text' twice", id="a key twice"),
        pytest.param(b'{"sender": {"email": "a@b", "email": "c@d"}}', "says 'email' twice", id="a key twice, inside"),
        pytest.param(b'{"size": NaN}', "NaN is no number", id="NaN"),
        pytest.param(b'{"size": -Infinity}', "-Infinity is no number", id="infinity"),
        pytest.param(b"x" * (MESSAGE_LIMIT + 1), "over the limit of 65,536", id="too much of it"),
    ],
)
def test_hostile_bytes_get_a_sentence(content, reason, nowhere, tmp_path):
    (tmp_path / "message.json").write_bytes(content)
    said = nowhere.now("adapter", "check", "message.json", "--json")
    assert said.code == 1
    (verdict,) = said.json["files"]
    assert (verdict["ok"], verdict["problems"][0]["field"]) == (False, "body")
    assert reason in verdict["problems"][0]["reason"]


def test_field_and_reason_and_what_nobody_reads(nowhere, tmp_path):
    (tmp_path / "a.json").write_bytes(body(MESSAGE, sender={"emial": "a@b"}, txt="x"))
    (tmp_path / "b.json").write_bytes(body(REPORT))
    said = nowhere.now("adapter", "check", "a.json", "b.json")
    assert said.code == 1
    assert said.lines[1].split() == [
        "a.json", "wrong", "sender.email", "missing:", "name", "one", "of", "email,", "phone,", "external_id",
    ]  # fmt: skip
    assert [line.split()[2] for line in said.lines[2:4]] == ["sender.emial", "txt"]
    assert said.lines[-1] == "1 of 2 files would be taken."


def test_a_folder_stdin_and_what_is_not_there(nowhere, tmp_path):
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "a.json").write_bytes(body(MESSAGE))
    assert nowhere.now("adapter", "check", "inside").code == 0
    assert nowhere.now("adapter", "check", "-", stdin=body(MESSAGE)).code == 0
    gone = nowhere.now("adapter", "check", "gone.json")
    assert (gone.code, "gone.json cannot be read" in gone.err) == (2, True)
    (tmp_path / "empty").mkdir()
    assert nowhere.now("adapter", "check", "empty").code == 2


def test_a_file_without_end_is_read_no_further_than_a_message(nowhere):
    said = nowhere.now("adapter", "check", "/dev/zero", "--json")
    assert "it goes on beyond the limit" in said.json["files"][0]["problems"][0]["reason"]


CASES = """
channel = "parrot"
[plain]
payload = "plain.json"
id = "p-1"
[redelivery]
payloads = ["plain.json", "plain.json"]
"""
NONE = "".join(
    f'[{topic}]\nabsent = "a parrot has none"\n'
    for topic in ("signature", "threading", "own_echo", "edit", "delete", "attachment", "oversized", "unknown_type")
)


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        pytest.param(None, "cannot be read", id="no file"),
        pytest.param("channel = ", "cannot be read", id="no TOML"),
        pytest.param(CASES, "[threading] is missing", id="a topic without payload and reason"),
        pytest.param(CASES.replace('id = "p-1"', 'id = "p-2"') + NONE, "does not stand in plain.json", id="another id"),
        pytest.param(CASES.replace("plain.json", "gone.json") + NONE, "gone.json cannot be read", id="no payload"),
        pytest.param(CASES + NONE, "does not say how the adapter is started", id="no command"),
        pytest.param(CASES + NONE + '[run]\ncommand = "x"\nby = "lines"', "must say command", id="a command as text"),
        pytest.param(CASES + NONE + '[run]\ncommand = ["x"]\nby = "ftp://x"', "must say by", id="a way nobody knows"),
    ],
)
def test_recorded_cases_that_cannot_be_used_are_explained(nowhere, tmp_path, told, sentence):
    (tmp_path / "plain.json").write_bytes(body(MESSAGE))
    if told is not None:
        (tmp_path / "cases.toml").write_text(told)
    said = nowhere.now("adapter", "conform", "cases.toml")
    assert (said.code, sentence in said.err) == (2, True)


@pytest.mark.slow
def test_an_adapter_that_cannot_be_started_is_named(nowhere, tmp_path):
    (tmp_path / "plain.json").write_bytes(body(MESSAGE))
    (tmp_path / "cases.toml").write_text(CASES + NONE + '[run]\ncommand = ["./nobody"]\nby = "lines"')
    said = nowhere.now("adapter", "conform", "cases.toml")
    assert (said.code, "./nobody cannot be started" in said.err) == (1, True)
