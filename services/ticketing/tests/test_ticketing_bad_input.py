"""What is huge, hostile, repeated or too much: refused with a sentence, or carried in a message of bounded size."""

import pytest
from pydantic import ValidationError

from deskstream.contracts import Refused
from deskstream.contracts import issues as of_issues
from deskstream.contracts import ticket_commands as asked
from deskstream.contracts.linked import ConversationRef
from deskstream.contracts.way_back import ReplyWanted
from services.ticketing.tests.given import Desk, conversation, new_id

LONGEST = "𝒳" * 300
"""A title of four bytes a character."""
MESSAGE_BYTES = 120_000


def code_of(act):
    with pytest.raises(Refused) as refused:
        act()
    return refused.value.code


def test_control_characters_and_carriage_returns_are_taken_out():
    desk = Desk()
    one = desk.open(text="It says\r\n\x00\x1b[2J\x9b here")
    assert desk.ticket(one).text == "It says\n[2J here"


@pytest.mark.parametrize("text", ["x" * 16_384 + "y", "𝒳" * 5_000])
def test_a_text_that_fits_no_message_is_refused(text):
    desk = Desk()
    issue = desk.file(desk.open())
    desk.settle()
    if len(text) <= 16_384:
        assert code_of(lambda: desk.open(text=text)) == "text_is_too_long"
        assert code_of(lambda: desk.file(text=text)) == "text_is_too_long"
        desk.end(issue)
        assert code_of(lambda: desk.ask(issue, of_issues.ApproveAnswer, text=text)) == "text_is_too_long"
    else:
        with pytest.raises(ValidationError):
            desk.open(text=text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param("{ticket} " * 11, "too_many_placeholders", id="an answer that would swell"),
        pytest.param("\x00\x01 \n", "text_is_empty", id="an answer of nothing"),
    ],
)
def test_an_answer_for_many(text, code):
    desk = Desk()
    issue = desk.file(desk.open(title=LONGEST))
    desk.settle()
    desk.end(issue)
    assert code_of(lambda: desk.ask(issue, of_issues.ApproveAnswer, text=text)) == code
    desk.ask(issue, of_issues.ApproveAnswer, text="{ticket} " * 10)
    desk.settle()
    assert max(len(event.model_dump_json().encode()) for event in desk.told(ReplyWanted)) < MESSAGE_BYTES


def test_braces_in_an_answer_are_only_words():
    desk = Desk()
    issue = desk.file(desk.open(title="{0.__class__}"))
    desk.settle()
    desk.end(issue)
    desk.ask(issue, of_issues.ApproveAnswer, text="{} {0} {ticket.id} {ticket}")
    desk.settle()
    assert desk.told(ReplyWanted)[0].text == "{} {0} {ticket.id} TKT-1 “{0.__class__}”"


@pytest.mark.parametrize(
    "bad",
    ["", "x" * 301, "two\nlines", "an escape \x1b[31m", "NUL \x00", "  ", "\u200b\xa0", "an escape \x9b31m"],
    ids=["empty", "long", "lines", "escape", "NUL", "blank", "invisible", "escape in one"],
)
def test_a_title_is_one_line(bad):
    with pytest.raises(ValidationError):
        asked.OpenTicket(title=bad)


@pytest.mark.parametrize("title", ["x", " a wish ", "مرحبا", "🔥", "a\u200db", "naïve – “quoted”"])
def test_a_title_is_whatever_people_can_read(title):
    assert asked.OpenTicket(title=title).title == title


@pytest.mark.parametrize("name", [" ", "two\nlines", "an escape \x9b31m", "NUL \x00", "\u200b"])
def test_what_a_ticket_waits_for_has_a_name(name):
    desk = Desk()
    one = desk.open()
    with pytest.raises(Refused) as refused:
        desk.ask(one, asked.HoldTicket, waits=[{"kind": "third_party", "name": name}])
    assert (refused.value.code, desk.stage(one)) == ("wait_without_name", "new")


@pytest.mark.parametrize("owner", ["Anna", "a b", "x" * 65, "anna;drop"])
def test_an_owner_is_a_handle(owner):
    with pytest.raises(ValidationError):
        asked.OpenTicket(title="x", owner=owner)


@pytest.mark.parametrize("link", ["javascript:alert(1)", "ftp://x", "https://x y", "https://" + "x" * 500, "x"])
def test_a_public_link_is_a_plain_web_address(link):
    with pytest.raises(ValidationError):
        of_issues.PublishIssue(issue_id=new_id(), link=link, reveals="no")


def fullest_ticket(desk):
    """A ticket with as much of everything as it takes."""
    one = desk.open(title=LONGEST)
    for _ in range(25):
        desk.ask(one, asked.AddTicketTask, title=LONGEST, owner="x" * 64)
    for number in range(20):
        desk.ask(one, asked.HoldTicket, waits=[{"kind": "person", "name": "𝒳" * 190 + str(number)}])
    for number in range(1, 100):
        reference = ConversationRef(id=new_id(), number=10**12 + number, channel="c" * 64)
        desk.ask(one, asked.LinkConversation, conversation=reference)
    for _ in range(50):
        issue = desk.file()
        desk.ask(issue, of_issues.PublishIssue, link="https://" + "x" * 300, reveals="no")
        desk.link(one, issue)
    return one


def test_the_fullest_ticket_fits_a_message_and_takes_no_more():
    desk = Desk()
    one = fullest_ticket(desk)
    assert max(len(event.model_dump_json().encode()) for event in desk.said) < MESSAGE_BYTES
    wait = [{"kind": "person", "name": "carla"}]
    assert code_of(lambda: desk.ask(one, asked.HoldTicket, waits=wait)) == "too_many_waits"
    more = ConversationRef(id=new_id(), number=1)
    assert code_of(lambda: desk.ask(one, asked.LinkConversation, conversation=more)) == "too_many_conversations"
    assert code_of(lambda: desk.link(one, desk.file())) == "too_many_issues"
    desk.file(one, wait=True)
    desk.settle()
    assert len(desk.ticket(one).facts.issues) == 50


def test_what_is_asked_twice_is_said_once():
    desk = Desk()
    one, issue = desk.open(), desk.file()
    desk.link(one, issue)
    assert desk.link(one, issue) == []
    assert desk.ask(one, asked.LinkConversation, conversation=conversation()) == []
    assert desk.ask(one, asked.RestoreTicket) == []
    assert desk.ask(issue, of_issues.MarkSecurity, security="no", reason="x") == []
