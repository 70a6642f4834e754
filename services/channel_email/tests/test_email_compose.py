"""From a reply to the bytes of a mail."""

import re
from dataclasses import replace
from email import message_from_bytes, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskstream.blobs import Blob
from deskstream.channel_email.compose import NotAnAddress, compose
from deskstream.channel_email.parse.read import read_mail
from deskstream.channel_email.translate import Arrived, translate
from deskstream.contracts import thread_token
from deskstream.contracts.inbound import Identity
from deskstream.contracts.thread_token import Purpose
from services.channel_email.tests.given import CONVERSATION, OUR_ID, RULES, SECRET, TOKEN, reply


def words(part):
    return part.get_content().replace("\r\n", "\n")


def written(message, files=()):
    return message_from_bytes(compose(message, files, RULES, company="Acme, Inc.").content, policy=policy.default)


def fields(mail, *names):
    return {name: mail[name] for name in names if mail[name] is not None}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param(
            {},
            {
                "Message-ID": OUR_ID,
                "From": '"bruno (Acme, Inc.)" <support@example.org>',
                "To": "Anna Berger <anna@acme.example>",
                "Reply-To": f'"Acme, Inc." <support+{TOKEN}@example.org>',
                "Subject": "Re: Export stops",
                "In-Reply-To": "<1@acme.example>",
                "References": "<1@acme.example>",
                "Date": "Mon, 04 May 2026 09:20:00 +0000",
            },
            id="P9: an answer carries ids that follow from it, and leads back by its token",
        ),
        pytest.param({"inbox": "feedback"}, {"From": '"bruno (Acme, Inc.)" <feedback@example.org>'}, id="its inbox"),
        pytest.param({"title": "RE: x"}, {"Subject": "RE: x"}, id="one Re: is enough"),
        pytest.param({"title": "AW: x"}, {"Subject": "AW: x"}, id="in German, too"),
        pytest.param(
            {"in_reply_to": None, "title": "Planned work"},
            {"Subject": "Planned work"},
            id="C2: what an agent starts is no answer",
        ),
        pytest.param(
            {"references": ("<0@acme.example>", "<1@acme.example>"), "in_reply_to": "<2@acme.example>#12345678"},
            {"References": "<0@acme.example> <1@acme.example> <2@acme.example>", "In-Reply-To": "<2@acme.example>"},
            id="ids go back as the customer's program knows them",
        ),
        pytest.param(
            {"references": ("slack/123",), "in_reply_to": f"<{'a' * 64}@made.invalid>"},
            {},
            id="ids that the customer's program cannot know stay here",
        ),
        pytest.param(
            {"automatic": True},
            {"Auto-Submitted": "auto-replied", "X-Auto-Response-Suppress": "All"},
            id="N4: our automatic mail says that it is",
        ),
        pytest.param(
            {"automatic": True, "reminds": True},
            {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"},
            id="N4: a reminder answers nothing",
        ),
        pytest.param(
            {"automatic": True, "in_reply_to": None},
            {"Auto-Submitted": "auto-generated"},
            id="N4: and whether it answers anything",
        ),
        pytest.param(
            {"to": Identity(name='Ann "A" <x>,\r\nBcc: y@z.example', email="anna@acme.example")},
            {"To": '"Ann \\"A\\" <x>, Bcc: y@z.example" <anna@acme.example>', "Bcc": None},
            id="a name cannot add headers",
        ),
        pytest.param(
            {"title": "x\r\nBcc: y@z.example\r\n\r\nbody"},
            {"Subject": "Re: x Bcc: y@z.example body", "Bcc": None},
            id="a title cannot add headers",
        ),
        pytest.param({"title": "Grüße " * 60}, {"Subject": ("Re: " + "Grüße " * 60).strip()}, id="a long title"),
        pytest.param(
            {"to": Identity(email="j@müller.example")}, {"To": "j@xn--mller-kva.example"}, id="an umlaut in a domain"
        ),
        pytest.param(
            {
                "copied": (
                    Identity(email="b@c.example"),
                    Identity(email="no,address@c.example"),
                    Identity(email=f"a@{'x' * 70}ü.example"),
                )
            },
            {"Cc": "b@c.example"},
            id="a copied one that cannot get mail is left out",
        ),
    ],
)
def test_the_header(changes, expected):
    mail = written(reply(**changes))

    names = expected or {"In-Reply-To", "References"}
    assert fields(mail, *names) == {name: value for name, value in expected.items() if value is not None}


def test_no_line_is_longer_than_smtp_allows():
    message = reply(
        title="Grüße " * 80,
        text="w" * 5_000 + "\n.\n" + "ä" * 5_000,
        references=tuple(f"<{'r' * 200}{n}@acme.example>" for n in range(30)),
        copied=tuple(Identity(name="N" * 80, email=f"p{n}@acme.example") for n in range(50)),
    )
    content = compose(message, (), RULES, company="Acme").content

    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert b"\n" not in content.replace(b"\r\n", b"")
    assert not re.search(rb"=\?utf-8\?[bq]\?[^?]{70}", content)
    assert len(message_from_bytes(content, policy=policy.default)["References"].split()) == 20


def test_the_text_arrives_as_it_was_written():
    text = "Grüße 日本\n.\n\nFrom here = on\ttabs \nlast"

    assert words(written(reply(text=text))) == text + "\n"


def test_p9_the_same_reply_is_the_same_bytes():
    files = [("a.pdf", Blob.of(b"PDF", "application/pdf"))]
    message = reply(asks_solved=True)

    assert compose(message, files, RULES, company="A").content == compose(message, files, RULES, company="A").content


def test_attachments_go_with_it():
    files = [
        ("naïve plan.pdf", Blob.of(b"%PDF", "application/pdf")),
        ("mail.eml", Blob.of(b"From: x\r\n\r\nhi", "message/rfc822")),
        ("notes.txt", Blob.of("Ä".encode(), "text/plain; charset=utf-8")),
    ]
    mail = written(reply(), files)
    found = [(part.get_filename(), part.get_content_type(), part.get_content()) for part in mail.iter_attachments()]

    assert words(mail.get_body()) == "Hello Anna,\n\nit is fixed.\n"
    assert [(name, kind) for name, kind, _ in found] == [
        ("naïve plan.pdf", "application/pdf"),
        ("mail.eml", "application/rfc822"),
        ("notes.txt", "text/plain"),
    ]
    assert found[0][2] == b"%PDF"


def test_c21_asks_whether_it_is_solved():
    mail = written(reply(asks_solved=True, text="Done <b>."))
    plain = mail.get_body(("plain",)).get_content()
    rich = mail.get_body(("html",)).get_content()

    for purpose in (Purpose.SOLVED, Purpose.NOT_SOLVED):
        link = f"mailto:support+{thread_token.sign(CONVERSATION, SECRET, purpose)}@example.org?subject="
        assert link in plain
        assert link in rich
    assert "Done &lt;b&gt;." in rich


@pytest.mark.parametrize(
    "to",
    [
        Identity(phone="+49 30 1"),
        Identity(email="a,b@c.example"),
        Identity(email="a;b@c.example"),
        Identity(email="<a@c.example"),
        Identity(email="ä@c.example"),
        Identity(email=f"a@{'x' * 70}ü.example"),
    ],
    ids=lambda to: to.email or to.phone,
)
def test_what_is_no_address_gets_no_mail(to):
    with pytest.raises(NotAnAddress):
        compose(reply(to=to), (), RULES, company="Acme")


@given(title=st.text(max_size=60), name=st.text(max_size=40), text=st.text(min_size=1, max_size=200))
def test_whatever_is_written_the_answer_finds_back(title, name, text):
    message = reply(title=title, to=Identity(name=name, email="anna@acme.example"), text=text)
    sent = compose(message, (), RULES, company="Acme")
    read = read_mail(sent.content).mail

    assert read.message_id == OUR_ID
    assert [one.email for one in read.to] == ["anna@acme.example"]
    answer = replace(read, message_id="<a@b.example>", in_reply_to=(OUR_ID,))
    hints = translate(Arrived(answer, "x@y.example", (sent.mail_from,), "0" * 64), RULES).asked.message.thread
    assert thread_token.read(hints.tokens[0], SECRET) == (CONVERSATION, Purpose.REPLY)
