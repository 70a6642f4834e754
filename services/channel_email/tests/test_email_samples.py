"""Every kind of mail that people and programs send, and the message that it becomes."""

import pytest

from deskstream.channel_email.parse.parsed import Unreadable
from deskstream.contracts.inbound import read_inbound
from services.channel_email.tests.given import MAILS, arrive


def emails(identities):
    return [identity.email for identity in identities]


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


def test_n3_a_teammate_who_copies_us_in_is_a_member_and_the_customer_the_requester():
    message = arrive("teammate_copies_us_in").asked.message

    assert message.sender.email == "anna@ourcompany.example"
    assert message.requester is not None
    assert (message.requester.name, message.requester.email) == ("Paul Customer", "paul@client.example")
    assert message.flags == ("from_teammate", "copied_in_by_teammate")


@pytest.mark.parametrize("name", ["plain", "teammate_answers", "forwarded_by_teammate", "forwarded_by_customer"])
def test_n3_nobody_else_names_another_requester(name):
    assert arrive(name).asked.message.requester is None


def test_a_crowd_is_cut_at_whole_addresses():
    message = arrive("many_copied").asked.message

    assert message.flags == ("header_cut",)
    assert len(message.copied) == 100
    assert all(email.endswith("@crowd.example") for email in emails(message.copied))


def test_the_sender_s_clock_is_only_shown():
    message = arrive("far_future").asked.message

    assert message.sent_at is not None
    assert message.sent_at.year == 2099
    assert message.at.year == 1


def test_n8_our_own_mail_coming_back_has_no_effect():
    with pytest.raises(Unreadable) as refused:
        arrive("own_echo")

    assert refused.value.code == "own_echo"
