"""Bad mail, case by case as it is promised (reliability §3): what the door refuses, and what becomes of the rest.

What each rule does in detail is tried where the rule is.
"""

import hashlib
import sys

import pytest

from deskstream.blobs import Blobs
from deskstream.channel_email.parse.parsed import Unreadable
from deskstream.channel_email.parse.pool import Readers
from deskstream.channel_email.parse.read import read_mail
from deskstream.channel_email.translate import Arrived, translate
from deskstream.contracts.inbound import read_inbound
from services.channel_email.tests.given import RULES, TOKEN, sample
from services.channel_email.tests.given_smtp import bring, connected, rejections

KEPT, REFUSED = 250, 554
FROM = b"From: Mallory <m@b.example>\r\n"
HEAD = FROM + b"Message-ID: <1@b.example>\r\n"
BODY = b"\r\nhi\r\n"
PARTS = b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'


def digest(raw):
    return hashlib.sha256(raw).hexdigest()


def nested(depth):
    return HEAD + b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (n, n) for n in range(depth)
    )


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        pytest.param(nested(1_000) + BODY, "mime_depth", id="P16: nested 1,000 deep"),
        pytest.param(HEAD + PARTS + b"--b\r\n\r\nx\r\n" * 100_000, "mime_parts", id="P16: 100,000 parts"),
        pytest.param(HEAD + b"X: y\r\n" * 400 + BODY, "too_many_headers", id="P16: 400 headers"),
        pytest.param(b"Subject: nobody\r\n" + BODY, "no_sender", id="P15: no sender at all"),
    ],
)
async def test_what_is_refused_is_kept_with_its_reason_size_and_digest(server, running, raw, reason):
    async with connected(server.port) as client:
        code, text = await bring(client, raw, mail_from="")
        assert (code, f"({reason})" in text) == (REFUSED, True)
        assert (await bring(client, sample("plain")))[0] == KEPT
    [row] = await rejections(running)
    # A mail server ends the last line, if nobody else did.
    assert row["reason"] == reason
    kept = await Blobs(running.pool).get(row["sha256"])
    assert kept is not None
    assert (digest(kept.body), len(kept.body)) == (row["sha256"], row["size"])
    assert kept.body.startswith(raw)


@pytest.mark.parametrize(
    ("raw", "mail_from", "expected"),
    [
        pytest.param(
            HEAD + b"Content-Type: text/plain; charset=x-klingon\r\n\r\ncaf\xc3\xa9 \xff\r\n", "m@b.example",
            {"text": "café \N{REPLACEMENT CHARACTER}"}, id="an unknown charset is UTF-8 with replacement",
        ),
        pytest.param(
            HEAD + b"Content-Type: text/plain; charset=utf-7\r\n\r\n+ADw-script+AD4-\r\n", "m@b.example",
            {"text": "+ADw-script+AD4-"}, id="P16: UTF-7 is never decoded",
        ),
        pytest.param(
            FROM + b"Message-ID: <1@b.example>\r\nMessage-ID: <2@b.example>\r\n" + BODY, "m@b.example",
            {"flags": ("message_id_made",)}, id="a repeated Message-ID is made anew from the content",
        ),
        pytest.param(
            FROM + b"Message-ID: <[]@>\r\n" + BODY, "m@b.example", {"flags": ("message_id_made",)},
            id="so is a malformed one",
        ),
        pytest.param(FROM + BODY, "m@b.example", {"flags": ("message_id_made",)}, id="and a missing one"),
        pytest.param(
            HEAD + b"Content-Type: text/plain; charset=utf-8\r\n\r\na\0b\xed\xa0\x80c\r\n", "m@b.example",
            {"text": "ab" + "\N{REPLACEMENT CHARACTER}" * 3 + "c"}, id="NUL goes, half a surrogate is replaced",
        ),
        pytest.param(
            HEAD + b"Subject: =?utf-8?q?a=0D=0ABcc:_x@y.example?=\r\n" + BODY, "m@b.example",
            {"title": "a Bcc: x@y.example"}, id="CR and LF go from a subject",
        ),
        pytest.param(
            b"From: =?utf-8?q?A=0D=0ABcc?= <a@b.example>\r\nMessage-ID: <1@b.example>\r\n" + BODY, "m@b.example",
            {"sender": "A Bcc"}, id="and from a name",
        ),
        pytest.param(HEAD + BODY, "", {"automatic": "generated"}, id="N4: a null return path"),
        pytest.param(
            HEAD + b"Auto-Submitted: auto-replied\r\n" + BODY, "m@b.example", {"automatic": "auto_reply"},
            id="N4: Auto-Submitted",
        ),
        pytest.param(HEAD + b"Precedence: junk\r\n" + BODY, "m@b.example", {"automatic": "generated"}, id="N4: junk"),
        pytest.param(HEAD + b"List-Id: <x.y>\r\n" + BODY, "m@b.example", {"automatic": "list"}, id="N4: a list"),
        pytest.param(
            HEAD + b"X-Auto-Response-Suppress: All\r\n" + BODY, "m@b.example",
            {"automatic": None, "no_auto_answer": True}, id="N4: no automatic answer, but a customer",
        ),
        pytest.param(
            HEAD + b"To: support+id123@example.org\r\nSubject: Re: [#123] [CONV-1]\r\n" + BODY, "m@b.example",
            {"tokens": (), "references": ()}, id="N3: a guessed number finds no thread",
        ),
        pytest.param(
            HEAD + b"Subject: Re: hello\r\nTo: support+%s@example.org\r\n" % (b"a" * 40) + BODY, "m@b.example",
            {"tokens": ("a" * 40,)}, id="P15: a guessed token is handed on for ingest to find unsigned",
        ),
        pytest.param(
            HEAD + b"To: support+%s@example.org\r\n" % TOKEN.encode() + BODY, "m@b.example", {"tokens": (TOKEN,)},
            id="N3: a signed one is handed on",
        ),
        pytest.param(
            HEAD + b"Date: Thu, 31 Dec 2099 23:59:59 +0000\r\n" + BODY, "m@b.example", {"sent_year": 2099},
            id="the sender's clock is shown and orders nothing",
        ),
        pytest.param(HEAD + b"\r\n", "m@b.example", {"text": "(empty)"}, id="an empty mail says so"),
        pytest.param(
            HEAD + b"Content-Type: text/html\r\n\r\n" + b"<div>" * 50_000 + b"deep\r\n", "m@b.example",
            {"html": None, "text": "deep", "flags": ("html_too_deep",)}, id="P16: 50,000 nested div are text only",
        ),
        pytest.param(
            HEAD + PARTS + b'--b\r\nContent-Type: application/zip; name="../../x.zip"\r\n\r\nPK\r\n--b--\r\n',
            "m@b.example", {"files": [("x.zip", "application/zip", 2)]}, id="P16: an archive stays a file",
        ),
    ],
)  # fmt: skip
def test_what_is_taken_is_harmless(raw, mail_from, expected):
    read = read_mail(raw)
    arrived = Arrived(read.mail, mail_from, ("support@example.org",), digest(raw), read.contents)
    message = translate(arrived, RULES).asked.message
    assert read_inbound(message.model_dump_json(exclude_defaults=True)) == message
    seen = message.model_dump() | {
        "sender": message.sender.name,
        "automatic": message.automatic.kind if message.automatic else None,
        "tokens": message.thread.tokens,
        "references": message.thread.references,
        "sent_year": message.sent_at.year if message.sent_at else None,
        "files": [(file.name, file.media_type, file.size) for file in message.attachments],
    }
    assert {name: seen[name] for name in expected} == expected


async def test_p16_a_mail_that_needs_too_much_memory_is_refused_and_the_next_one_read():
    # The limits are the reader's own, but for less memory: no mail is known that needs more than it has.
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_DATA, (40 << 20, 40 << 20)); "
        "from deskstream.channel_email.parse.__main__ import main; main()"
    )
    big = HEAD + PARTS + b"--b\r\nContent-Type: application/zip\r\n\r\n" + b"\0" * (19 << 20) + b"\r\n--b\r\n\r\nx\r\n"
    async with Readers(1, command=(sys.executable, "-c", program)).running() as readers:
        with pytest.raises(Unreadable) as refused:
            await readers.read(big)
        mail, _ = await readers.read(HEAD + BODY)
    assert refused.value.code in ("too_much_memory", "unreadable")
    assert mail.text == "hi"
