"""N1: an adapter elsewhere hears which conversation each of its messages became part of; nobody else costs an event."""

from dataclasses import replace

import pytest

from deskstream.contracts.facts import Stage
from deskstream.contracts.outbound import MessageAccepted
from services.conversation.tests.given import BOUNCE, OUT_OF_OFFICE, SPAM, Story, in_stage, incoming, letter, names

SENT = letter(channel="pager", inbox="oncall", external_id="p-1")


def tell(story, message=SENT, *, answered=True):
    return story.tell(replace(incoming(message, to=story.id), answered=answered))


@pytest.mark.parametrize(
    ("given", "message", "then"),
    [
        pytest.param(Story(), SENT, ["conversation_opened", "message_accepted"], id="N1: it opens a conversation"),
        pytest.param(
            in_stage(Stage.WAITING_ON_USER), SENT, ["customer_replied", "message_accepted"], id="N1: it goes on"
        ),
        pytest.param(
            in_stage(Stage.NEW),
            letter(channel="pager", automatic=OUT_OF_OFFICE),
            ["automatic_message_filed", "message_accepted"],
            id="N1: it is filed",
        ),
        pytest.param(
            Story(),
            letter(channel="pager", suspicious=SPAM),
            ["conversation_opened", "message_accepted"],
            id="N1: what is looked at first is accepted, too",
        ),
        pytest.param(
            in_stage(Stage.ARCHIVED),
            SENT,
            ["follow_up_needed", "message_passed_on"],
            id="N1: what is passed on is accepted by the follow-up",
        ),
        pytest.param(
            Story(), letter(channel="pager", automatic=BOUNCE), [], id="what opens nothing is accepted nowhere"
        ),
    ],
)
def test_what_is_said_of_a_message_whose_adapter_listens(given, message, then):
    assert names(tell(given, message)) == then


def test_n1_it_names_conversation_number_and_the_adapters_own_id():
    story = Story()
    (accepted,) = [event for event in tell(story) if isinstance(event, MessageAccepted)]
    assert (accepted.subject(), accepted.number) == (f"outbound.pager.{story.id}", story.facts.number)
    assert (accepted.channel, accepted.inbox, accepted.external_id) == ("pager", "oncall", "p-1")
    assert accepted.message_id == SENT.id


def test_where_nobody_listens_nothing_more_is_said():
    assert names(tell(Story(), answered=False)) == ["conversation_opened"]


def test_it_changes_nothing_in_the_conversation():
    one, other = Story(), Story()
    tell(one)
    tell(other, answered=False)
    assert one.state == other.state
