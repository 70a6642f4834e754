"""N8: each law of the conformance suite lets through what is right, and names what is planted."""

import json
from base64 import b64encode
from hashlib import sha256

import pytest

from deskstream.testkit.conformance.laws import Answer, Published, Step, breaches
from deskstream.testkit.conformance.processes import signed
from deskstream.testkit.conformance.recorded import Case, Payload, Topic

TAKEN, REFUSED, SILENT = Answer(taken=True, told="200"), Answer(taken=False, told="400 no"), Answer()
SUBJECT = "inbound.pager.oncall"
DATA = b"host,used\n"
DIGEST = sha256(DATA).hexdigest()


def message(id_="p-1", **more):
    said = {"external_id": id_, "sender": {"external_id": "probe"}, "title": "Disk full", "text": "97 %"} | more
    return Published(SUBJECT, json.dumps(said).encode())


def step(*published, answer=TAKEN, name="page.json", files=None):
    return Step(Payload(name, b""), answer, published, files)


def file(**more):
    whole = {"name": "a.csv", "size": len(DATA), "content_base64": b64encode(DATA).decode()} | more
    return message(attachments=[{name: value for name, value in whole.items() if value is not None}])


FIRST = step(message(thread={"external_id": "i-9"}))
OTHER = step(message("p-3"))
ANSWER = step(message("p-2", thread={"references": ["p-1"]}))

RIGHT = [
    (Topic.PLAIN, [step(message())]),
    (Topic.SIGNATURE, [step(answer=REFUSED, name="missing"), step(answer=REFUSED, name="wrong")]),
    (Topic.REDELIVERY, [step(message()), step(message()), step(), step(answer=SILENT)]),
    (Topic.THREADING, [FIRST, ANSWER, OTHER]),
    (Topic.THREADING, [FIRST, step(message("p-2", thread={"external_id": "i-9"})), OTHER]),
    (Topic.THREADING, [FIRST, step(message("p-2", thread={"tokens": ["x"]})), OTHER]),
    (Topic.OWN_ECHO, [step()]),
    (Topic.EDIT, [step(message()), step()]),
    (Topic.EDIT, [step(message()), step(message("p-1/2", thread={"references": ["p-1"]}, flags=["edited"]))]),
    (Topic.DELETE, [step(message()), step(message("p-1/x", thread={"references": ["p-1"]}, flags=["deleted"]))]),
    (Topic.ATTACHMENT, [step(file())]),
    (Topic.ATTACHMENT, [step(file(content_base64=None, sha256=DIGEST), files={DIGEST: DATA})]),
    (Topic.OVERSIZED, [step(answer=REFUSED)]),
    (Topic.OVERSIZED, [step(message())]),
    (Topic.UNKNOWN_TYPE, [step()]),
]

WRONG = [
    (Topic.PLAIN, [step()], "made 0 messages"),
    (Topic.PLAIN, [step(message(), message("p-2"))], "made 2 messages"),
    (Topic.PLAIN, [step(answer=REFUSED)], "refused page.json: 400 no"),
    (Topic.PLAIN, [step(message(text=""))], "without content"),
    (Topic.PLAIN, [step(message(sender={}))], "broke the contract: sender.email: missing"),
    (Topic.PLAIN, [step(Published(SUBJECT, b"{"))], "broke the contract: body"),
    (Topic.PLAIN, [step(message(text="x" * 70_000))], "a message has 65,536 at most"),
    (Topic.PLAIN, [step(Published("inbound.fax.oncall", message().body))], "another channel's"),
    (Topic.PLAIN, [step(message(inbox="sales"))], "in the body and publishes on"),
    (Topic.SIGNATURE, [step(message(), name="stale", answer=REFUSED)], "took a message whose signature is stale"),
    (Topic.SIGNATURE, [step(name="wrong")], "to a signature that is wrong"),
    (Topic.REDELIVERY, [step(message()), step(message("p-2"))], "came again and is another message"),
    (Topic.REDELIVERY, [step(message()), step(message(text="98 %"))], "came again and is another message"),
    (Topic.REDELIVERY, [step(message()), step(answer=REFUSED)], "the provider would go on for days"),
    (Topic.THREADING, [FIRST, step(message("p-2")), OTHER], "does not name the message that it answers"),
    (Topic.THREADING, [FIRST, ANSWER, step(message("p-3", thread={"references": ["p-1"]}))], "only has the same title"),
    (Topic.THREADING, [FIRST, ANSWER, step(message("p-3", title="Else"))], "record one that has the same"),
    (Topic.OWN_ECHO, [step(message())], "took a message that we sent ourselves"),
    (Topic.OWN_ECHO, [step(answer=REFUSED)], "refused our own message"),
    (Topic.EDIT, [step(message()), step(message(flags=["edited"]))], "the id of the first version"),
    (
        Topic.EDIT,
        [step(message()), step(message("p-2", flags=["edited"]))],
        "does not name the message that was edited",
    ),
    (Topic.EDIT, [step(message()), step(message("p-2", thread={"references": ["p-1"]}))], "flags = ['edited']"),
    (Topic.DELETE, [step(message()), step(message("p-2", thread={"references": ["p-1"]}))], "flags = ['deleted']"),
    (Topic.ATTACHMENT, [step(message())], "lost the file"),
    (Topic.ATTACHMENT, [step(file(content_base64=b64encode(b"else").decode()))], "not what was sent"),
    (Topic.ATTACHMENT, [step(file(name="b.csv"))], "not what was sent"),
    (Topic.ATTACHMENT, [step(file(size=3))], "not what was sent"),
    (Topic.ATTACHMENT, [step(file(content_base64=None, sha256=DIGEST), files={})], "or not stored"),
    (Topic.ATTACHMENT, [step(file(content_base64=None, sha256="0" * 64))], "not what was sent"),
    (Topic.OVERSIZED, [step()], "said that it took page.json, and published nothing"),
    (Topic.UNKNOWN_TYPE, [step(message())], "took page.json for a message"),
]


def found(topic, steps):
    case = Case((), DATA, "a.csv") if topic is Topic.ATTACHMENT else Case(())
    return breaches(topic, "pager", case, steps)


@pytest.mark.parametrize(("topic", "steps"), RIGHT, ids=lambda value: str(value)[:20])
def test_n8_what_is_right_is_let_through(topic, steps):
    assert found(topic, steps) == []


@pytest.mark.parametrize(
    ("topic", "steps", "sentence"), [pytest.param(*row, id=f"{row[0]}: {row[2]}") for row in WRONG]
)
def test_n8_what_is_wrong_is_named(topic, steps, sentence):
    sentences = found(topic, steps)
    assert any(sentence in one for one in sentences), sentences


def test_n8_every_topic_has_a_right_and_a_wrong_row():
    assert {row[0] for row in RIGHT} == {row[0] for row in WRONG} == set(Topic)


def test_n7_signatures_are_those_of_standard_webhooks():
    right = signed(b"{}", "whsec_c2VjcmV0")
    assert set(right) == {"webhook-id", "webhook-timestamp", "webhook-signature"}
    assert right["webhook-signature"].startswith("v1,")
    assert signed(b"{}", "whsec_c2VjcmV0", "missing") == {}
    assert signed(b"{}", "whsec_c2VjcmV0", "wrong")["webhook-signature"] != right["webhook-signature"]
    assert int(right["webhook-timestamp"]) - int(signed(b"{}", "whsec_c2VjcmV0", "stale")["webhook-timestamp"]) > 300
