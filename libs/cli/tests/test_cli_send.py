import socket

import pytest

from deskstream.cli.send.letters import NOBODY, SIZE_LIMIT, Envelope, Unusable, find_files, read_letter

PLAIN = b"From: Ada <ada@acme.example>\r\nTo: help@desk.example\r\nSubject: Hello\r\n\r\nIt is broken.\r\n"


@pytest.fixture
def mail(tmp_path):
    def write(content, name="mail.eml"):
        (tmp_path / name).write_bytes(content)
        return str(tmp_path / name)

    return write


@pytest.mark.parametrize(
    ("raw", "sender"),
    [
        pytest.param(PLAIN, "ada@acme.example", id="the From header's address"),
        pytest.param(b"From: ada@acme.example\n\nx", "ada@acme.example", id="without a name"),
        pytest.param(b"from:\tada@acme.example\n\nx", "ada@acme.example", id="however the field is written"),
        pytest.param(b"From: Ada\n <ada@acme.example>\n\nx", "ada@acme.example", id="on a folded line"),
        pytest.param(b"Return-Path: <b@x.example>\n" + PLAIN, "b@x.example", id="the return path comes first"),
        pytest.param(b"Return-Path: <>\n" + PLAIN, "", id="a bounce has the null return path"),
        pytest.param(b"Subject: x\n\nx", NOBODY, id="none at all"),
        pytest.param(b"From: " + b"(" * 100_000 + b"\n\nx", NOBODY, id="hostile nesting"),
        pytest.param(b"From: \xff\xfe<\xe9@x.example>\n\nx", "\ufffd@x.example", id="bytes of no charset"),
        pytest.param(b"From nobody Mon May  4\n" + PLAIN, "ada@acme.example", id="from a mailbox file"),
        pytest.param(PLAIN.replace(b"\r\n\r\n", b"\r\nX: y\r\n\r\nFrom: <evil@x.example>"), "ada@acme.example",
                     id="a From in the body is none"),
    ],
)  # fmt: skip
def test_the_sender_is_the_mail_s_own(mail, raw, sender):
    assert read_letter(mail(raw), Envelope(inbox="support@desk.example")).sender == sender


@pytest.mark.parametrize(
    ("envelope", "recipients"),
    [
        pytest.param(Envelope(), ("help@desk.example",), id="To, where no desk runs here"),
        pytest.param(
            Envelope(inbox="support@desk.example"), ("support@desk.example",), id="the desk's inbox before To"
        ),
        pytest.param(Envelope(None, ("a@b.example",), "s@desk.example"), ("a@b.example",), id="--to before everything"),
    ],
)
def test_whom_it_is_delivered_to(mail, envelope, recipients):
    assert read_letter(mail(PLAIN), envelope).recipients == recipients


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        pytest.param(b"", "It is empty", id="an empty file"),
        pytest.param(b" \n\n ", "It is empty", id="nothing but space"),
        pytest.param(bytes(range(256)) * 100, "It is no mail", id="binary garbage"),
        pytest.param(b"%PDF-1.7\n", "It is no mail", id="another kind of file"),
        pytest.param(b"Hello, no header here\n", "It is no mail", id="text"),
        pytest.param(b"Subject: x\n\nx", "names nobody in To", id="no recipient"),
        pytest.param(b"A: b\n" + b"x" * SIZE_LIMIT, "over 25 MiB", id="more than any desk takes"),
    ],
)
def test_what_is_not_sent(mail, raw, reason):
    with pytest.raises(Unusable, match=reason):
        read_letter(mail(raw), Envelope())


def test_files_and_folders(mail, tmp_path):
    inside = [mail(PLAIN, "b.eml"), mail(PLAIN, "a.eml")]
    mail(b"x", "notes.txt")
    assert find_files(["x.eml", str(tmp_path), "-"]) == ["x.eml", *sorted(inside), "-"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(Unusable, match="is a folder without"):
        find_files([str(tmp_path / "empty")])


async def test_mails_arrive_byte_for_byte(nowhere, smtp_sink, mail):
    body = b"Subject: dots\n\n.first\n..second\n\xe4\xf6\xfc\nlast without line break"
    said = await nowhere(
        "send", mail(body), "--smtp", f"127.0.0.1:{smtp_sink.port}", "--to", "s@desk.example", "--json"
    )
    assert said.code == 0
    assert said.json["accepted"] == 1
    (received,) = smtp_sink.mails
    assert received.recipients == ("s@desk.example",)
    assert received.raw.rstrip(b"\r\n") == body.replace(b"\n", b"\r\n")


async def test_many_are_sent_and_counted(nowhere, smtp_sink, mail):
    files = [mail(PLAIN, f"{n}.eml") for n in range(7)]
    said = await nowhere("send", *files, "--times", "10", "--smtp", f"127.0.0.1:{smtp_sink.port}")
    assert said.out.startswith("70 mails accepted")
    assert "a second" in said.out
    assert len(smtp_sink.mails) == 70


async def test_a_mail_from_stdin(nowhere, smtp_sink):
    said = await nowhere("send", "-", "--smtp", f"127.0.0.1:{smtp_sink.port}", stdin=PLAIN)
    assert said.code == 0
    assert smtp_sink.mails[0].sender == "ada@acme.example"


async def test_rejections_are_listed_and_the_rest_is_sent(nowhere, smtp_sink, mail, tmp_path):
    smtp_sink.refuse("554 5.6.0 It is nested too deep (mime_depth)")
    files = [
        mail(PLAIN, "first.eml"),
        mail(PLAIN, "second.eml"),
        mail(b"\0", "garbage.eml"),
        str(tmp_path / "none.eml"),
    ]
    said = await nowhere("send", *files, "--at-once", "1", "--smtp", f"127.0.0.1:{smtp_sink.port}", "--json")
    assert said.code == 1
    assert said.json["accepted"] == 1
    reasons = {r["file"].rpartition("/")[2]: (r["code"], r["reason"]) for r in said.json["rejections"]}
    assert reasons["first.eml"] == (554, "5.6.0 It is nested too deep (mime_depth)")
    assert reasons["garbage.eml"][0] is None
    assert "No such file" in reasons["none.eml"][1]


async def test_any_bytes_are_sent_when_asked_for(nowhere, smtp_sink, mail):
    garbage = mail(b"\xff\xfe\x00 garbage")
    said = await nowhere("send", garbage, "--any-bytes", "--to", "a@b.example", "--smtp", f"127.0.0.1:{smtp_sink.port}")
    assert said.code == 0
    assert smtp_sink.mails[0].raw.startswith(b"\xff\xfe\x00 garbage")


async def test_where_no_server_listens_a_sentence_says_so(nowhere, mail):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        said = await nowhere("send", mail(PLAIN), "--smtp", f"127.0.0.1:{taken.getsockname()[1]}")
    assert said.code == 1
    assert "No mail server answers" in said.err


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["mail.eml", "--smtp", "nonsense"], id="an address that is none"),
        pytest.param(["-", "--times", "2", "--smtp", "127.0.0.1:1"], id="stdin twice"),
        pytest.param(["mail.eml", "--times", "0"], id="no times"),
        pytest.param([], id="no file"),
    ],
)
def test_misuse(nowhere, arguments):
    assert nowhere.now("send", *arguments).code == 2
