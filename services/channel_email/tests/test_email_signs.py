"""What else a sample mail tells: that no person wrote it, its thread, what came back, its files, its HTML."""

from dataclasses import replace

import pytest

from deskstream.channel_email.domain import Bounce
from deskstream.channel_email.parse.read import read_mail
from deskstream.channel_email.translate import Arrived, translate
from deskstream.contracts.inbound import AutomaticKind
from services.channel_email.tests.given import CONVERSATION, OUR_ID, REPLY, RULES, SOLVED, TOKEN, arrive, sample


def files(message):
    return [(file.name, file.media_type, file.size) for file in message.attachments]


@pytest.mark.parametrize(
    ("name", "mail_from", "kind", "reason"),
    [
        pytest.param(
            "out_of_office_exchange",
            "",
            AutomaticKind.GENERATED,
            "Auto-Submitted: auto-generated",
            id="C9: Exchange's out-of-office",
        ),
        pytest.param("vacation", "", AutomaticKind.AUTO_REPLY, "Auto-Submitted: auto-replied", id="C9: vacation"),
        pytest.param(
            "bounce", "", AutomaticKind.BOUNCE, "delivery status notification: failed", id="C9: a bounce (RFC 3464)"
        ),
        pytest.param("bounce_exim", "", AutomaticKind.BOUNCE, "X-Failed-Recipients", id="C9: a bounce of Exim's"),
        pytest.param("read_receipt", "", AutomaticKind.AUTO_REPLY, "read receipt", id="C9: a read receipt"),
        pytest.param("newsletter", "n@weekly.example", AutomaticKind.GENERATED, "Precedence: bulk", id="a newsletter"),
        pytest.param("plain", "", AutomaticKind.GENERATED, "null return path", id="a null return path"),
        pytest.param("teammate_answers", "", AutomaticKind.AUTO_REPLY, "null return path", id="and one that answers"),
    ],
)
def test_n4_what_no_person_wrote(name, mail_from, kind, reason):
    automatic = arrive(name, mail_from=mail_from).asked.message.automatic

    assert automatic is not None
    assert (automatic.kind, automatic.reason) == (kind, reason)


@pytest.mark.parametrize(
    ("name", "to", "tokens", "references"),
    [
        pytest.param(
            "gmail_reply",
            f"support+{TOKEN}@example.org",
            (TOKEN,),
            (OUR_ID, "<20260430163000.7f3a@acme.example>"),
            id="the token stands in the recipient, and in our Message-ID",
        ),
        pytest.param(
            "vacation", "support@example.org", (TOKEN,), (OUR_ID,), id="the token in our Message-ID is enough"
        ),
        pytest.param(
            "outlook_reply_german",
            "support@example.org",
            (),
            ("<wartung-2@maschinenbau.example>", "<wartung-1@maschinenbau.example>"),
            id="references, the nearest first",
        ),
        pytest.param(
            "solved_yes",
            f"support+{SOLVED}@example.org",
            (SOLVED,),
            (),
            id="C21: yes, it is solved, says the token",
        ),
        pytest.param("far_future", "support@example.org", (), (), id="N3: a number in the subject finds no thread"),
        pytest.param(
            "guessed_token",
            "support+id123@example.org",
            ("a" * 40,),
            (f"<{REPLY}.{'a' * 40}@example.org>",),
            id="P15: a guessed one is handed on for ingest to find unsigned",
        ),
        pytest.param("plain", "support+id123@example.org", (), (), id="P15: what cannot be a token is none"),
        pytest.param("plain", f"other+{TOKEN}@elsewhere.example", (), (), id="another's address holds no token"),
    ],
)
def test_n3_the_thread(name, to, tokens, references):
    recipients = (to, "support@example.org")
    read = read_mail(sample(name))
    thread = translate(Arrived(read.mail, "x@example.net", recipients, "0" * 64, read.contents), RULES)
    hints = thread.asked.message.thread

    assert (hints.tokens, hints.references) == (tokens, references)


@pytest.mark.parametrize(
    ("name", "answers"),
    [
        pytest.param("gmail_reply", REPLY, id="W3: our Message-ID names the reply"),
        pytest.param("outlook_reply_german", None, id="W3: ids of others name none"),
        pytest.param("guessed_token", None, id="P15: nor does one that we did not sign"),
        pytest.param("plain", None, id="W3: nor does a mail that answers nothing"),
    ],
)
def test_which_of_our_replies_it_answers(name, answers):
    assert arrive(name).asked.message.answers == answers


def test_w3_of_several_replies_it_answers_the_nearest():
    earlier = OUR_ID.replace(str(REPLY), str(CONVERSATION))
    mail = replace(read_mail(sample("plain")).mail, in_reply_to=(), references=(earlier, OUR_ID, "<1@acme.example>"))
    arrived = Arrived(mail, "x@example.net", ("support@example.org",), "0" * 64)
    assert translate(arrived, RULES).asked.message.answers == REPLY
    answering = replace(arrived, mail=replace(mail, in_reply_to=(earlier,)))
    assert translate(answering, RULES).asked.message.answers == CONVERSATION


@pytest.mark.parametrize(
    ("name", "bounce"),
    [
        pytest.param(
            "bounce",
            Bounce(
                CONVERSATION,
                REPLY,
                "failed",
                "5.1.1",
                "550 5.1.1 <anna.berger@acme.example>: Recipient address rejected",
            ),
            id="C17: a bounce names the reply that came back",
        ),
        pytest.param(
            "bounce_delayed",
            Bounce(CONVERSATION, REPLY, "delayed", "4.4.1", "connect to mx2.acme.example: Connection timed out"),
            id="a delayed one too",
        ),
        pytest.param("bounce_forged", None, id="P15: a forged bounce names nothing"),
        pytest.param("bounce_exim", None, id="one without a report is only filed"),
        pytest.param("plain", None, id="a mail is no bounce"),
    ],
)
def test_bounces(name, bounce):
    assert arrive(name, mail_from="").asked.bounce == bounce


@pytest.mark.parametrize(
    ("name", "expected", "flags"),
    [
        pytest.param(
            "attachment",
            [("Facture n° 4711.pdf", "application/pdf", 69), ("capture.png", "image/png", 70)],
            (),
            id="N3: attachments are kept, names in pieces (RFC 2231) put together",
        ),
        pytest.param(
            "nested",
            [("attachment-1.png", "image/png", 70), ("Inner mail.eml", "message/rfc822", 180)],
            (),
            id="a mail inside is a file named by its subject, a picture without name gets one",
        ),
        pytest.param("bounce", [("Re_ Export stops at 10,000 rows.eml", "message/rfc822", 237)], (), id="no reports"),
        pytest.param(
            "file_names",
            [
                ("passwd", "application/octet-stream", 4),
                ("invoicefdp.exe", "application/octet-stream", 1),
                ("n" * 116 + ".txt", "application/octet-stream", 1),
                ("pic.svg", "image/svg+xml", 24),
                ("attachment-5.html", "text/html", 25),
            ],
            ("winmail_ignored",),
            id="P16: names do not climb, turn around or grow; winmail.dat is left out",
        ),
    ],
)
def test_files(name, expected, flags):
    message = arrive(name).asked.message

    assert files(message) == expected
    assert message.flags == flags


def test_files_are_kept_under_their_digest():
    translated = arrive("inline_image")

    assert [file.content_id for file in translated.asked.message.attachments] == ["error123"]
    assert [(len(body), kind) for body, kind in translated.blobs] == [(70, "image/png")]
    assert translated.asked.message.html == '<p>See here: <img src="cid:error123" alt="error.png"></p>'


@pytest.mark.parametrize(
    ("name", "html"),
    [
        pytest.param(
            "hostile_html",
            '<p>Hello <b>there</b></p>\n<a rel="noopener noreferrer nofollow">click</a> '
            '<a href="https://shop.example/a?b=1&amp;c=2" rel="noopener noreferrer nofollow">shop</a>\nLog in\n'
            '<img data-remote-src="https://evil.example/pixel.png"><img>\n\n<div style="color:red">red</div>',
            id="P16: scripts, events, imports, base, forms, frames go; pictures wait for a click",
        ),
        pytest.param(
            "outlook_html",
            '<div><p>Hej,</p>\n<p style="color:#1F497D">fakturan <b>4711</b> visar fel momssats.\n'
            "Kan ni rätta den?</p><p>Med vänlig hälsning<br>Per</p>\n"
            '<img data-remote-src="http://tracker.example/open.gif?id=88" width="1" height="1"></div>',
            id="P16: Outlook's HTML stays readable without its tracker",
        ),
    ],
)
def test_html(name, html):
    assert arrive(name).asked.message.html == html
