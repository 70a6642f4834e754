"""Mails made to break a reader: each with the answer it gets (reliability §3)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deskstream.channel_email.parse.html_text import text_of
from deskstream.channel_email.parse.parsed import Unreadable
from deskstream.channel_email.parse.read import read_mail
from deskstream.channel_email.parse.sanitise import sanitise
from deskstream.channel_email.rules import Rules
from deskstream.channel_email.translate import Arrived, translate
from deskstream.contracts.inbound import read_inbound

RULES = Rules(inboxes={"support@example.org": "support"}, secret="a secret for tests only", names=("acme",))
HEAD = b"From: a@b.example\r\nMessage-ID: <1@b.example>\r\n"


def mail(body=b"hi", *, head=HEAD, fields=b""):
    return head + fields + b"\r\n" + body


def html(body):
    return mail(body, fields=b"Content-Type: text/html\r\n")


def nested(kind, depth):
    start = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (n, n)
        if kind == "multipart"
        else b"Content-Type: message/rfc822\r\n\r\n"
        for n in range(depth)
    )
    return HEAD + start + b"\r\nhi"


def parts(count):
    return mail(b"--b\r\n\r\nx\r\n" * count + b"--b--\r\n", fields=b"Content-Type: multipart/mixed; boundary=b\r\n")


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        pytest.param(nested("multipart", 1000), "mime_depth", id="parts nested 1,000 deep"),
        pytest.param(nested("message", 1000), "mime_depth", id="mails within mails 1,000 deep"),
        pytest.param(nested("multipart", 20), "mime_depth", id="one deeper than 20"),
        pytest.param(parts(100_000), "mime_parts", id="100,000 parts"),
        pytest.param(parts(200), "mime_parts", id="one more than 200 parts, the whole counted"),
        pytest.param(mail(fields=b"X: y\r\n" * 299), "too_many_headers", id="one more than 300 headers"),
        pytest.param(b"X: y\r\n" * 10 + b" " * 5_000_000, "headers_too_long", id="headers of 5 MB"),
        pytest.param(b"x" * (25 * 1024 * 1024 + 1), "too_big", id="one byte over 25 MiB"),
        pytest.param(
            mail(
                b"--b\r\nContent-Type: application/zip\r\n\r\n" + b"\0" * (20 * 1024 * 1024 + 1) + b"\r\n--b--\r\n",
                fields=b"Content-Type: multipart/mixed; boundary=b\r\n",
            ),
            "file_too_big",
            id="a file of one byte over 20 MiB",
        ),
    ],
)
def test_p16_over_a_limit_is_refused(raw, code):
    with pytest.raises(Unreadable) as refused:
        read_mail(raw)

    assert refused.value.code == code


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(nested("multipart", 19), id="parts nested 20 deep"),
        pytest.param(parts(199), id="200 parts"),
        pytest.param(mail(fields=b"X: y\r\n" * 298), id="300 headers"),
    ],
)
def test_what_is_just_within_the_limits_is_read(raw):
    assert read_mail(raw).mail.message_id == "<1@b.example>"


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    ("raw", "text"),
    [
        pytest.param(mail(fields=b"Subject: " + b"x" * 1_000_000 + b"\r\n"), "hi", id="a subject of 1 MB"),
        pytest.param(mail(fields=b"Subject: x\r\n" + b" xxxxxxxxx\r\n" * 100_000), "hi", id="one in 100,000 lines"),
        pytest.param(mail(fields=b"Subject: " + b"=?utf-8?q?a?= " * 50_000 + b"\r\n"), "hi", id="50,000 encoded words"),
        pytest.param(mail(fields=b"To: " + b"a@b.example, " * 100_000 + b"\r\n"), "hi", id="100,000 recipients"),
        pytest.param(mail(head=b"From: " + b"(" * 100_000 + b"\r\n"), "hi", id="comments nested 100,000 deep"),
        pytest.param(mail(head=b"From: " + b"<" * 4_000 + b"\r\n"), "hi", id="4,000 angle brackets"),
        pytest.param(mail(head=b"From: " + b"a:" * 2_000 + b"\r\n"), "hi", id="2,000 groups"),
        pytest.param(mail(fields=b"Content-Type: text/plain" + b"; a=b" * 100_000 + b"\r\n"), "hi", id="parameters"),
        pytest.param(
            mail(fields=b"Content-Type: text/plain" + b"".join(b"; a*%d*=x" % n for n in range(400)) + b"\r\n"),
            "hi",
            id="parameters in 400 pieces",
        ),
        pytest.param(mail(fields=b"Date: " + b"1 " * 2_000 + b"\r\n"), "hi", id="a date of 2,000 numbers"),
        pytest.param(mail(fields=b"References: " + b"<a@b> " * 100_000 + b"\r\n"), "hi", id="100,000 references"),
        pytest.param(html(b"<div>" * 50_000 + b"deep" + b"</div>" * 50_000), "deep", id="50,000 nested div"),
        pytest.param(html(b"<!--" * 200_000 + b"-->after"), "after", id="200,000 comments begun"),
        pytest.param(html(b"<script>" * 100_000 + b"after"), "after", id="100,000 scripts begun"),
        pytest.param(html(b"<a " * 100_000), ("<a " * 100_000).strip(), id="100,000 tags begun"),
        pytest.param(mail(b"\r\n" * 500_000 + b"x"), "x", id="500,000 blank lines"),
        pytest.param(mail(b" " * 1_000_000 + b"x"), "x", id="a million spaces"),
        pytest.param(mail(b"a\0b\xed\xa0\x80c\x1b[31m"), "ab���c[31m", id="NUL, a lone surrogate, an escape"),
        pytest.param(HEAD, "(empty)", id="headers only"),
        pytest.param(b"", "(empty)", id="nothing at all"),
        pytest.param(mail(fields=b"Content-Type: text/plain; charset=zlib\r\n"), "hi", id="a codec that is no charset"),
        pytest.param(mail(fields=b"Content-Type: text/plain; charset=../../x\r\n"), "hi", id="a charset that climbs"),
    ],
)
def test_p16_hostile_mails_are_read_within_seconds(raw, text):
    assert read_mail(raw).mail.text == text


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"On x " * 200_000, id="one long line of On"),
        pytest.param(b"On a b c d e f g h On a b c d e\r\n" * 30_000, id="30,000 lines that begin with On"),
        pytest.param(b"From: a\r\nTo: b\r\n" * 30_000, id="30,000 header blocks"),
        pytest.param(b">>>>> > > On x\r\n" * 60_000, id="60,000 quoted lines"),
        pytest.param((b"Am " + b"schrieb " * 20 + b"\r\n") * 2_000, id="2,000 lines of schrieb"),
    ],
)
def test_folding_gives_up_before_it_costs_much(body):
    assert read_mail(mail(body)).mail.text


def test_50_000_nested_div_are_text_only():
    read = read_mail(html(b"<div>" * 50_000 + b"deep"))

    assert (read.mail.html, read.mail.flags) == (None, ("html_too_deep",))


def test_a_body_over_1_mib_is_text_only_and_says_so():
    read = read_mail(html(b"<p>word</p>" * 200_000))

    assert (read.mail.html, read.mail.flags) == (None, ("body_cut",))
    assert len(read.mail.text) < 1024 * 1024


@pytest.mark.parametrize(
    ("given_html", "shown"),
    [
        pytest.param('<a href="JaVaScRiPt:alert(1)">x</a>', ">x<", id="javascript in mixed case"),
        pytest.param('<a href=" javascript:alert(1)">x</a>', ">x<", id="javascript after a space"),
        pytest.param('<a href="data:text/html,x">x</a>', ">x<", id="a page in a link"),
        pytest.param('<img src="//evil.example/x">', "<img>", id="a picture without a scheme"),
        pytest.param('<img src="file:///etc/passwd">', "<img>", id="a picture from the disk"),
        pytest.param('<img alt="><script>" src="http://e.example/x">', "data-remote-src", id="a tag in a value"),
        pytest.param('<p style="background:url(http://e.example/x)">x</p>', "<p", id="a picture in a style"),
        pytest.param('<table background="http://e.example/x">', "<table>", id="a picture behind a table"),
        pytest.param('<img srcset="http://e.example/x 2x">', "<img>", id="a choice of pictures"),
        pytest.param("<noscript><p title='</noscript><img src=x onerror=alert(1)>'>", "", id="mutated noscript"),
        pytest.param("<math><mtext><table><mglyph><style><img src onerror=alert(1)>", "", id="mutated math"),
    ],
)
def test_p16_nothing_runs_and_nothing_loads(given_html, shown):
    kept = sanitise(given_html) or ""

    assert shown in kept
    for bad in ("javascript", " src=", "onerror", "<script", "url(", "data:text", "background=", "srcset"):
        assert bad not in kept.lower()


def test_pictures_within_the_mail_are_shown_at_once():
    kept = sanitise('<img src="cid:a"><img src="data:image/png;base64,AAAA">')

    assert kept == '<img src="cid:a"><img src="data:image/png;base64,AAAA">'


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=2_000))
def test_whatever_the_bytes_they_are_read_or_refused(raw):
    try:
        read = read_mail(raw)
    except Unreadable:
        return
    assert not [letter for letter in read.mail.text if letter < " " and letter not in "\n\t"]


FRAGMENTS = st.lists(
    st.sampled_from(
        [
            b"From: ", b"To: ", b"Subject: ", b"Message-ID: ", b"Date: ", b"Content-Type: ", b"multipart/mixed; ",
            b"boundary=b", b"text/html; charset=", b"utf-8", b"message/rfc822", b"\r\n", b"\n", b" ", b"--b", b"--",
            b"=?utf-8?q?", b"?=", b"=?", b"<a@b.example>", b'"', b"(", b")", b";", b"*0*=", b"name", b"=", b"%00",
            b"Content-Transfer-Encoding: base64", b"quoted-printable", b"<p>", b"<script>", b"<!--", b"&#0;", b"\xff",
        ]
    ),
    max_size=60,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(FRAGMENTS)
def test_whatever_the_grammar_it_is_read_or_refused(pieces):
    try:
        read = read_mail(b"".join(pieces))
    except Unreadable:
        return
    for text in (read.mail.text, read.mail.subject, *(file.name for file in read.mail.files)):
        assert "\0" not in text
    assert "\n" not in read.mail.subject
    arrived = Arrived(read.mail, "a@b.example", ("support@example.org",), "0" * 64, read.contents)
    message = translate(arrived, RULES).asked.message
    assert read_inbound(message.model_dump_json(exclude_defaults=True)) == message


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="<>/!-abpdiv script&;=\"' \n", max_size=400))
def test_text_of_html_never_fails(markup):
    assert isinstance(text_of(markup), str)
    assert "<script" not in (sanitise(markup) or "")
