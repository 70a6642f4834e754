"""From a read mail to the contract: signs of machines, names that pretend, what does not fit."""

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskstream.channel_email.parse.parsed import Address, File, Forwarded, ParsedMail, Unreadable
from deskstream.channel_email.rules import Rules
from deskstream.channel_email.translate import Arrived, translate
from deskstream.channel_email.translate.automatic import automatic_kind, no_auto_answer
from deskstream.channel_email.translate.names import name_flags
from deskstream.contracts.inbound import INLINE_BODY_LIMIT, MESSAGE_LIMIT, AutomaticKind

RULES = Rules(
    inboxes={"support@example.org": "support", "feedback@example.org": "feedback"},
    secret="a secret for tests only",
    agents=frozenset({"anna@ourcompany.example"}),
    names=("deskstream",),
)


def mail(**changes):
    return replace(ParsedMail("c" * 64, message_id="<1@b.example>", sender=Address("a@b.example")), **changes)


def message_of(parsed, *, rules=RULES, mail_from="a@b.example", recipients=("support@example.org",), contents=()):
    return translate(Arrived(parsed, mail_from, recipients, "0" * 64, contents), rules).asked.message


@pytest.mark.parametrize(
    ("marks", "kind"),
    [
        pytest.param({}, None, id="no sign"),
        pytest.param({"auto-submitted": "no"}, None, id="Auto-Submitted: no"),
        pytest.param({"auto-submitted": "No (really)"}, None, id="Auto-Submitted: No with a comment"),
        pytest.param({"auto-submitted": "auto-replied"}, AutomaticKind.AUTO_REPLY, id="Auto-Submitted: auto-replied"),
        pytest.param(
            {"auto-submitted": "AUTO-NOTIFIED; owner-email=x"}, AutomaticKind.GENERATED, id="Auto-Submitted: others"
        ),
        pytest.param({"x-autoreply": "yes"}, AutomaticKind.AUTO_REPLY, id="X-Autoreply"),
        pytest.param({"x-autorespond": ""}, AutomaticKind.AUTO_REPLY, id="X-Autorespond without a value"),
        pytest.param({"precedence": "auto_reply"}, AutomaticKind.AUTO_REPLY, id="Precedence: auto_reply"),
        pytest.param({"precedence": "Bulk"}, AutomaticKind.GENERATED, id="Precedence: bulk"),
        pytest.param({"precedence": "junk"}, AutomaticKind.GENERATED, id="Precedence: junk"),
        pytest.param({"precedence": "list"}, AutomaticKind.LIST, id="Precedence: list"),
        pytest.param({"precedence": "first-class"}, None, id="another Precedence"),
        pytest.param({"list-id": "<x.example>"}, AutomaticKind.LIST, id="List-Id"),
        pytest.param({"list-unsubscribe": "<mailto:x>"}, AutomaticKind.LIST, id="List-Unsubscribe"),
        pytest.param({"x-auto-response-suppress": "All"}, None, id="X-Auto-Response-Suppress alone"),
    ],
)
def test_n4_signs_that_no_person_wrote(marks, kind):
    automatic = automatic_kind(mail(marks=marks), "a@b.example", RULES)

    assert (automatic.kind if automatic else None) == kind


@pytest.mark.parametrize(
    ("value", "asked"),
    [("All", True), ("OOF", True), ("None", False), (None, False)],
)
def test_n4_who_asks_for_no_automatic_answer(value, asked):
    marks = {} if value is None else {"x-auto-response-suppress": value}

    assert no_auto_answer(mail(marks=marks)) is asked


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        pytest.param("Anna Berger", [], id="a plain name"),
        pytest.param("Иван Петров", [], id="a Cyrillic name"),
        pytest.param("Ivan Петров", [], id="a name with a word in each script"),
        pytest.param("佐藤 はなこ", [], id="Japanese scripts belong together"),
        pytest.param("Zoë Ångström", [], id="accents"),
        pytest.param("Аnna", ["name_mixes_scripts"], id="a Cyrillic letter in a Latin word"),
        pytest.param("An\u200bna", ["name_mixes_scripts"], id="an invisible letter"),
        pytest.param("Deskstream", ["name_imitates_us"], id="our name"),
        pytest.param("DESK-STREAM Billing", ["name_imitates_us"], id="our name, dressed up"),
        pytest.param("Dеskstrеаm", ["name_mixes_scripts", "name_imitates_us"], id="our name in other letters"),
        pytest.param("Ｄｅｓｋｓｔｒｅａｍ", ["name_imitates_us"], id="our name in wide letters"),
        pytest.param(
            "support@example.org", ["name_imitates_us", "name_shows_other_address"], id="our address as a name"
        ),
        pytest.param("boss@bank.example", ["name_shows_other_address"], id="another address as a name"),
        pytest.param("a@b.example", [], id="one's own address as a name"),
    ],
)
def test_p15_names_that_pretend_get_a_badge(name, flags):
    assert list(name_flags(Address("a@b.example", name), RULES)) == flags


def test_a_teammate_may_bear_our_name():
    assert not list(name_flags(Address("anna@ourcompany.example", "Anna at Deskstream"), RULES))


@pytest.mark.parametrize(
    ("recipients", "inbox"),
    [
        pytest.param(("support@example.org",), "support", id="an address of an inbox"),
        pytest.param(("SUPPORT+x@Example.Org",), "support", id="in capitals, with something after the plus"),
        pytest.param(("feedback@example.org", "support@example.org"), "feedback", id="the first of two"),
        pytest.param(("a@elsewhere.example", "feedback@example.org"), "feedback", id="the first that is ours"),
    ],
)
def test_r13_the_inbox(recipients, inbox):
    assert message_of(mail(), recipients=recipients).inbox == inbox


@pytest.mark.parametrize(
    ("inside", "subject", "sender"),
    [
        pytest.param(None, "Fwd: x", "anna@ourcompany.example", id="nothing inside"),
        pytest.param(Forwarded(Address("c@d.example"), "hi"), "Fwd: x", "c@d.example", id="the subject says so"),
        pytest.param(Forwarded(Address("c@d.example"), "hi"), "WG: x", "c@d.example", id="in German too"),
        pytest.param(
            Forwarded(Address("c@d.example"), "hi", marked=True), "x", "c@d.example", id="the mail itself says so"
        ),
        pytest.param(
            Forwarded(Address("c@d.example"), "hi"), "Re: x", "anna@ourcompany.example", id="only quoted in an answer"
        ),
        pytest.param(
            Forwarded(Address("support@example.org"), "hi", marked=True),
            "Fwd: x",
            "anna@ourcompany.example",
            id="a mail of ours",
        ),
    ],
)
def test_n3_what_a_teammate_forwards(inside, subject, sender):
    teammate = Address("anna@ourcompany.example", "Anna")

    message = message_of(mail(sender=teammate, subject=subject, forwarded=inside))

    assert message.sender.email == sender
    assert "from_teammate" in message.flags


def test_without_a_from_the_envelope_names_the_sender():
    assert message_of(mail(sender=None), mail_from="Envelope@b.example").sender.email == "envelope@b.example"


def test_a_mail_of_nobody_is_refused():
    with pytest.raises(Unreadable) as refused:
        message_of(mail(sender=None), mail_from="")

    assert refused.value.code == "no_sender"


@pytest.mark.parametrize(
    ("text", "quoted", "html", "kept", "whole"),
    [
        pytest.param("hi", "old", "<p>hi</p>", ("hi", "old", "<p>hi</p>"), None, id="what fits travels"),
        pytest.param("hi", "old", "x" * 40_000, ("hi", "old", None), "html", id="HTML is given up first"),
        pytest.param("hi", "o" * 40_000, None, ("hi", None, None), "plain", id="then what is quoted"),
        pytest.param("a" * 40_000, None, None, ("a" * 32_765, None, None), "plain", id="then the end of the text"),
        pytest.param(
            "ä" * 40_000, None, "<p>x</p>", ("ä" * 16_382, None, None), "html", id="counted in bytes, HTML kept whole"
        ),
    ],
)
def test_a_long_body_goes_to_the_blobs(text, quoted, html, kept, whole):
    translated = translate(
        Arrived(mail(text=text, quoted=quoted, html=html), "a@b.example", ("support@example.org",), "0" * 64), RULES
    )
    message = translated.asked.message

    assert (message.text, message.quoted, message.html) == kept
    assert [kind for _, kind in translated.blobs] == ([f"text/{whole}; charset=utf-8"] if whole else [])
    assert message.body_blob == (sha256(translated.blobs[0][0]).hexdigest() if whole else None)


WORDS = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=40)
LONG = st.builds(lambda word, times: word * times, WORDS, st.integers(0, 3_000))
ADDRESSES = st.lists(st.builds(Address, st.just("x@y.example"), WORDS), max_size=3)


@given(
    text=LONG,
    quoted=LONG,
    html=LONG,
    subject=WORDS,
    crowd=st.integers(0, 100),
    name=WORDS,
    files=st.integers(0, 200),
    references=st.integers(0, 50),
    length=st.integers(10, 900),
)
def test_p10_whatever_comes_the_message_fits_the_bus(
    text, quoted, html, subject, crowd, name, files, references, length
):
    parsed = mail(
        text=text,
        quoted=quoted,
        html=html,
        subject=subject * 10,
        cc=tuple(Address(f"p{n}@{'d' * 200}.example", name * 4) for n in range(crowd)),
        files=tuple(File("n" * 120, "application/octet-stream", 0, "c" * 200) for _ in range(files)),
        references=tuple(f"<{'r' * length}{n}@x>" for n in range(references)),
    )

    message = message_of(parsed, contents=(b"",) * files)

    assert len(message.model_dump_json(exclude_defaults=True).encode()) < MESSAGE_LIMIT
    assert len(message.text.encode()) <= INLINE_BODY_LIMIT
    assert ("copied_cut" in message.flags) == (len(message.copied) < crowd)
    assert ("attachments_cut" in message.flags) == (len(message.attachments) < files)
