"""W4, W6: who is told something of a ticket finds it as a note in the conversation, with a mention."""

import pytest

from deskstream.contracts import ticket_commands as asked
from deskstream.contracts.ticketing import CustomerEngineerTold
from deskstream.contracts.way_back import NoteWanted
from services.ticketing.tests.given import Desk, conversation


def silent(asks, **more):
    """A ticket whose customer stays silent until nothing more happens by itself."""
    desk = Desk()
    one = desk.open(**more)
    desk.reply(one, asks=asks)
    while desk.due(one) is not None:
        desk.wake(one)
    return desk, one


def notes(desk):
    return [(note.conversation_id, note.mentions, note.text) for note in desk.told(NoteWanted)]


@pytest.mark.parametrize(
    ("asks", "text"),
    [
        pytest.param(
            "confirmation",
            "@carla TKT-1 “It crashes” is solved: an answer was given, and the customer is silent after 2 reminders.",
            id="W4: told that it is solved",
        ),
        pytest.param(
            "information",
            "@carla TKT-1 “It crashes” has no answer yet, and the customer is silent after 2 reminders. "
            "Can you help? Unless somebody does, it is solved in 8 open hours.",
            id="W4: asked for an answer",
        ),
    ],
)
def test_the_customer_engineer_of_a_silent_customer(asks, text):
    desk, _ = silent(asks, customer_engineer="carla")
    assert notes(desk) == [(conversation().id, ("carla",), text)]


def test_w6_a_tagged_customer_engineer_is_told():
    desk = Desk()
    one = desk.open(customer_engineer="carla")
    desk.ask(one, asked.TagCustomerEngineer)
    ((where, mentions, text),) = notes(desk)
    assert (where, mentions) == (conversation().id, ("carla",))
    assert text.startswith("@carla TKT-1 “It crashes”")


@pytest.mark.parametrize(("owner", "mentions"), [("bruno", ("bruno",)), (None, ())], ids=["an owner", "nobody"])
def test_w4_the_owner_is_told_once_which_tasks_keep_it_open(owner, mentions):
    desk = Desk()
    one = desk.open(owner=owner)
    desk.reply(one, asks="confirmation")
    desk.ask(one, asked.AddTicketTask, title="Rotate the Zephyr key")
    while desk.due(one) is not None:
        desk.wake(one)
    ((where, found, text),) = notes(desk)
    assert (where, found) == (conversation().id, mentions)
    assert "tasks born from it are open: 1." in text
    assert "Zephyr" not in text


def test_w4_without_a_customer_engineer_nobody_is_told():
    desk, _ = silent("confirmation")
    assert notes(desk) == desk.told(CustomerEngineerTold) == []


def test_w4_the_note_stands_where_the_customer_was_asked():
    desk = Desk()
    one = desk.open(customer_engineer="carla")
    desk.ask(one, asked.LinkConversation, conversation=conversation(13))
    desk.reply(one, asks="confirmation")
    while desk.due(one) is not None:
        desk.wake(one)
    assert [where for where, _, _ in notes(desk)] == [conversation(12).id]


def test_w4_the_note_goes_to_the_latest_conversation_when_that_one_is_linked_no_more():
    desk = Desk()
    one = desk.open(customer_engineer="carla")
    desk.ask(one, asked.LinkConversation, conversation=conversation(13))
    desk.reply(one, asks="confirmation")
    desk.ask(one, asked.UnlinkConversation, conversation_id=conversation(12).id, reason="not theirs")
    while desk.due(one) is not None:
        desk.wake(one)
    assert [where for where, _, _ in notes(desk)] == [conversation(13).id]


def test_w4_without_a_conversation_it_stands_in_the_ticket_s_history_only():
    desk = Desk()
    one = desk.open(customer_engineer="carla", conversation=None)
    desk.ask(one, asked.TagCustomerEngineer)
    assert (len(desk.told(CustomerEngineerTold)), notes(desk)) == (1, [])
