"""Every kind of mail that people and programs send, and the message that it becomes."""

from pathlib import Path
from uuid import UUID

import pytest

from deskstream.channel_email.domain import Bounce
from deskstream.channel_email.parse.parsed import Unreadable
from deskstream.channel_email.parse.read import read_mail
from deskstream.channel_email.rules import Rules
from deskstream.channel_email.translate import Arrived, translate
from deskstream.contracts import thread_token
from deskstream.contracts.ids import ConversationId, ReplyId
from deskstream.contracts.inbound import AutomaticKind, read_inbound

MAILS = Path(__file__).parent / "mails"

SECRET = "a secret for tests only"
CONVERSATION = ConversationId(UUID("018f3f6e-2f4b-7c11-9a55-4d2f0c9b1e01"))
REPLY = ReplyId(UUID("018f3f6e-9c00-7d22-8b44-77aa00bb11cc"))
TOKEN = thread_token.sign(CONVERSATION, SECRET)
SOLVED = thread_token.sign(CONVERSATION, SECRET, thread_token.Purpose.SOLVED)
OUR_ID = f"<{REPLY}.{TOKEN}@example.org>"

RULES = Rules(
    inboxes={"support@example.org": "support", "help@example.org": "help"},
    secret=SECRET,
    agents=frozenset({"@ourcompany.example"}),
    lists=frozenset({"help.groups.example.org"}),
    authserv="mx.example.org",
    names=("acme support",),
)


def arrive(name, *, mail_from="bounces@example.net", to="support@example.org"):
    read = read_mail((MAILS / f"{name}.eml").read_bytes())
    return translate(Arrived(read.mail, mail_from, (to,), "0" * 64, read.contents), RULES)


def emails(identities):
    return [identity.email for identity in identities]


def files(message):
    return [(file.name, file.media_type, file.size) for file in message.attachments]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param(
            "plain",
            {
                "external_id": "<20260430163000.7f3a@acme.example>",
                "title": "Export stops at 10,000 rows",
                "language": "en-GB",
                "automatic": None,
                "flags": (),
            },
            id="a plain mail keeps its id, subject and language",
        ),
        pytest.param(
            "outlook_reply_german",
            {
                "text": "Vielen Dank, wir nehmen das Angebot an. Bitte schicken Sie die Unterlagen.\n\n"
                "Mit freundlichen Grüßen\nKlaus Weber"
            },
            id="N3: what Outlook quotes in German is folded, the signature stays",
        ),
        pytest.param(
            "gmail_reply",
            {"text": "That did it, thank you! One more thing: can the limit be raised for good?"},
            id="N3: what Gmail quotes is folded, a header on two lines too",
        ),
        pytest.param(
            "bottom_posting",
            {
                "text": "ld: undefined reference to `frobnicate'",
                "quoted": "On 5 May 2026, bruno wrote:\n> Please send us the last lines\n> of the build log.",
            },
            id="N3: an answer below the quote is the message",
        ),
        pytest.param(
            "interleaved",
            {
                "text": "On 5 May 2026, at 18:00, bruno (Support) <support@example.org> wrote:\n\n"
                "> Which version do you run?\n\n4.2.1, on Linux.\n\n"
                "> And does it happen every time?\n\nOnly when two people edit at once.",
                "quoted": None,
            },
            id="N3: answers between quotes keep the questions that they answer",
        ),
        pytest.param(
            "html_only",
            {
                "text": "Login button does nothing\nHello team,\nthe Log in button — on Safari — does nothing.\n\n"
                "- cleared the cache\n- tried a private window\nBrowser  Safari 19\nOS  macOS 16"
            },
            id="HTML alone becomes readable text",
        ),
        pytest.param(
            "japanese",
            {
                "title": "ログインできません",
                "text": "お世話になっております。\nパスワードを変更してからログインできません。",
            },
            id="ISO-2022-JP is read",
        ),
        pytest.param(
            "russian",
            {"title": "Ошибка при печати", "text": "Здравствуйте! Принтер печатает пустые страницы."},
            id="KOI8-R is read, in eight bits too",
        ),
        pytest.param(
            "windows1252",
            {"title": "It’s € 500 too much", "text": "You charged me € 500 – that’s twice the price."},
            id="Windows-1252 is read, also where the mail calls it ISO-8859-1",
        ),
        pytest.param(
            "chinese",
            {"title": "无法下载", "text": "您好，我无法下载朱镕基的报告。"},
            id="GB2312 is read with the letters of GB18030",
        ),
        pytest.param(
            "lying_charset",
            {"title": "8-bit café in the header", "text": "café � ok"},
            id="an unknown charset is read as UTF-8 with replacement",
        ),
        pytest.param(
            "utf7",
            {"text": "hi\n\n+ADw-script+AD4-alert(1)+ADw-/script+AD4-"},
            id="UTF-7 is never decoded",
        ),
        pytest.param("spam", {"spam_marks": ("X-Spam-Flag: YES",)}, id="the spam filter's mark is handed on"),
        pytest.param(
            "dmarc_fail",
            {"spam_marks": ("Authentication-Results: dmarc=fail",)},
            id="P15: what our own server found out about the sender is handed on",
        ),
        pytest.param(
            "spoofed_us",
            {"spam_marks": ("the sender's address is one of ours",)},
            id="P15: nobody outside writes from our own address",
        ),
        pytest.param(
            "suppress",
            {"automatic": None, "no_auto_answer": True},
            id="N4: who wants no automatic answer is a person all the same",
        ),
        pytest.param(
            "google_group",
            {"automatic": None},
            id="a mailing list that only leads to us makes nobody a machine",
        ),
        pytest.param("empty", {"text": "(empty)", "title": None}, id="an empty mail says so"),
        pytest.param(
            "no_message_id",
            {
                "external_id": "<4cb4ce127c106d520d509bea934421495f99908e028aa220e5d38e76e9cc26b3@made.invalid>",
                "flags": ("message_id_made",),
            },
            id="a missing Message-ID is made from the content",
        ),
        pytest.param(
            "broken_headers",
            {"text": "Still a mail.", "sent_at": None, "flags": ("message_id_made",)},
            id="headers that crash Python's parser cost their own value, not the mail",
        ),
        pytest.param(
            "imitation",
            {
                "title": "Your account Bcc: victim@x.example",
                "flags": (
                    "name_mixes_scripts",
                    "name_imitates_us",
                    "name_shows_other_address",
                    "reply_to_differs",
                ),
            },
            id="P15: a name that imitates ours gets badges, and a line break in the subject goes",
        ),
        pytest.param(
            "far_future",
            {"title": "From the future [CONV-12] [#123]"},
            id="a number in the subject is only words",
        ),
        pytest.param(
            "nested",
            {"text": "The outer words.\n\n-- \nA footer that a list has added"},
            id="of parts within parts the shown ones are the message",
        ),
        pytest.param("signed_pgp", {"text": "Signed words."}, id="a signed mail is read"),
        pytest.param(
            "long_header",
            {"text": "The subject is long.", "flags": ("header_cut",)},
            id="a header over 4 KiB is cut, and the cut is shown",
        ),
    ],
)
def test_a_mail_becomes_a_message(name, expected):
    message = arrive(name).asked.message

    assert {field: getattr(message, field) for field in expected} == expected


@pytest.mark.parametrize("name", sorted(path.stem for path in MAILS.glob("*.eml") if path.stem != "own_echo"))
def test_every_message_keeps_the_contract(name):
    message = arrive(name).asked.message

    assert read_inbound(message.model_dump_json(exclude_defaults=True)) == message


@pytest.mark.parametrize(
    ("name", "sender", "copied"),
    [
        pytest.param("plain", ("Anna Berger", "anna.berger@acme.example"), [], id="our inbox is nobody copied"),
        pytest.param(
            "outlook_html",
            ("Lindqvist, Per", "per.lindqvist@northwind.example"),
            ["sara.holm@northwind.example"],
            id="who was copied is named",
        ),
        pytest.param("attachment", ("René Dubois", "rene.dubois@atelier.example"), [], id="an encoded name is read"),
        pytest.param("broken_headers", (None, "bob@broken.example"), [], id="an address is found in rubble"),
        pytest.param(
            "web_form",
            ("Contact form", "noreply@forms.example"),
            [],
            id="P15: Reply-To makes nobody the sender and adds no reader",
        ),
        pytest.param(
            "forwarded_by_teammate",
            ("Paul Customer", "paul@client.example"),
            ["anna@ourcompany.example"],
            id="N3: what a teammate forwards is the customer's, the teammate is copied",
        ),
        pytest.param(
            "forwarded_as_file",
            ("Paul Customer", "paul@client.example"),
            ["anna@ourcompany.example"],
            id="N3: so is what a teammate forwards as a file",
        ),
        pytest.param(
            "teammate_answers",
            ("Anna Agent", "anna@ourcompany.example"),
            [],
            id="N3: an answer of a teammate's is no forwarded mail, whatever it quotes",
        ),
        pytest.param(
            "forwarded_by_customer",
            ("Anna Berger", "anna.berger@acme.example"),
            [],
            id="P15: who is no teammate speaks only for themselves",
        ),
    ],
)
def test_who_wrote_it(name, sender, copied):
    message = arrive(name).asked.message

    assert (message.sender.name, message.sender.email) == sender
    assert emails(message.copied) == copied


def test_n3_a_forwarded_mail_says_what_the_customer_said():
    message = arrive("forwarded_by_teammate").asked.message

    assert message.text == "Dear Anna,\n\nthe printer is on fire again.\n\nPaul"
    assert message.quoted == "He sent this to me by mistake."
    assert message.flags == ("from_teammate", "forwarded_by_teammate")


def test_a_crowd_is_cut_at_whole_addresses():
    message = arrive("many_copied").asked.message

    assert message.flags == ("header_cut",)
    assert len(message.copied) == 100
    assert all(email.endswith("@crowd.example") for email in emails(message.copied))


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
    read = read_mail((MAILS / f"{name}.eml").read_bytes())
    thread = translate(Arrived(read.mail, "x@example.net", recipients, "0" * 64, read.contents), RULES)
    hints = thread.asked.message.thread

    assert (hints.tokens, hints.references) == (tokens, references)


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


def test_the_sender_s_clock_is_only_shown():
    message = arrive("far_future").asked.message

    assert message.sent_at is not None
    assert message.sent_at.year == 2099
    assert message.at.year == 1


def test_n8_our_own_mail_coming_back_has_no_effect():
    with pytest.raises(Unreadable) as refused:
        arrive("own_echo")

    assert refused.value.code == "own_echo"
