"""W12: whatever leaves for a customer, by whichever door, names no confidential issue."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from deskstream.contracts import Refused
from deskstream.contracts import conversation as asked
from deskstream.contracts.confidential import link_name
from deskstream.contracts.facts import Resolution, Stage
from deskstream.contracts.ids import AgentId, ReplyId, TicketId
from deskstream.contracts.inbound import Attachment
from deskstream.contracts.linked import SpeaksFor
from deskstream.contracts.ticket_talk import TicketNotSpokenFor
from deskstream.contracts.way_back import ReplyWanted
from deskstream.conversation.domain.messages import Retitle, SendAgain, Sending, SendWanted
from services.conversation.tests.given import (
    AT_ONCE,
    NOON,
    TKT_7,
    UNDO,
    Story,
    in_stage,
    names,
    new_id,
    outbound,
    report,
    started,
    written,
)

LINK = "https://canary.example/31"
SECRET = frozenset({"ISS-31", link_name(LINK)})
TELLING = "It is iss 31, we work on it."
FILE = Attachment(name="ISS-31.log", media_type="text/plain", size=1, sha256="a" * 64)


def refusal(story, message) -> Refused:
    before = story.state
    with pytest.raises(Refused) as refused:
        story.tell(message)
    assert story.state == before
    return refused.value


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"text": TELLING}, id="W12: a reply with its number"),
        pytest.param({"text": f"Look: {LINK}#c2"}, id="W12: a reply with the link it once had"),
        pytest.param({"text": TELLING, "signal": True}, id="W12: a mere signal"),
        pytest.param({"text": TELLING, "confirm": True}, id="W12: however sure its writer is"),
        pytest.param({"text": "See the file.", "attachments": (FILE,)}, id="W12: the name of a file"),
        pytest.param({"text": TELLING, "undo": UNDO}, id="W12: before it waits for its undo time"),
    ],
)
def test_a_reply_that_tells_is_refused_and_says_what_to_do(given):
    story = in_stage(Stage.NEW)
    wish = replace(written(last_seen=story.facts.version, **given), confidential=SECRET)
    no = refusal(story, wish)
    assert no.code == "names_confidential_issue"
    assert "say that the problem was filed" in no.sentence
    assert "canary" not in no.sentence + json.dumps(no.details)


def test_w12_the_same_reply_leaves_where_the_issue_is_not_confidential():
    story = in_stage(Stage.NEW)
    wish = replace(written(TELLING, last_seen=story.facts.version), confidential=frozenset({"ISS-30"}))
    assert outbound(story.tell(wish))[0].text == TELLING


@pytest.mark.parametrize(
    "begun",
    [
        pytest.param(started(TELLING), id="W12: in its text"),
        pytest.param(started(title="About ISS-31"), id="W12: in its title"),
    ],
)
def test_a_conversation_is_not_started_with_it(begun):
    assert refusal(Story(), replace(begun, confidential=SECRET)).code == "names_confidential_issue"


def test_w12_a_title_stands_above_every_message_that_leaves():
    story = in_stage(Stage.NEW)
    title = asked.SetTitle(conversation_id=story.id, title="Iss-31 again")
    assert refusal(story, Retitle(story.id, title, SECRET)).code == "names_confidential_issue"
    story.tell(Retitle(story.id, title))
    wish = replace(written("Hello.", last_seen=story.facts.version), confidential=SECRET)
    assert refusal(story, wish).code == "names_confidential_issue"


def test_w12_a_lost_reply_is_not_sent_again_once_it_is_confidential():
    story = in_stage(Stage.NEW)
    story.reply(TELLING)
    story.bounce()
    delivery = story.open.deliveries[-1]
    again = SendAgain(story.id, delivery.reply_id, ReplyId(new_id()), story.replies[delivery.reply_id], SECRET)
    assert refusal(story, again).code == "names_confidential_issue"


@pytest.mark.parametrize(
    ("moment", "after"),
    [
        pytest.param(Story.wake, None, id="W12: when its undo time is over"),
        pytest.param(Story.resolve, "conversation_resolved", id="W12: when it is resolved meanwhile"),
        pytest.param(Story.archive, "conversation_archived", id="W12: when it is archived meanwhile"),
    ],
)
def test_what_became_confidential_before_the_release_stays_here(moment, after):
    story = in_stage(Stage.NEW)
    report(story, TKT_7)
    story.reply(TELLING, undo=UNDO, speaks_for=(SpeaksFor(ticket_id=TKT_7),))
    story.reply("We look into it.", undo=UNDO, after=timedelta(0))
    story.state = replace(story.open, confidential=SECRET)
    said = moment(story)
    assert [message.text for message in outbound(said)] == ["We look into it."]
    assert names(said)[:2] == ["reply_withdrawn", "note_added"]
    assert [event.why for event in said if isinstance(event, TicketNotSpokenFor)] == ["confidential"]
    assert [event.after.version for event in said if hasattr(event, "after")] == sorted(
        {event.after.version for event in said if hasattr(event, "after")}
    )
    (note,) = [event.note for event in said if isinstance(event, asked.NoteAdded)]
    assert (note.mentions, "ISS-31" in note.text, TELLING in note.text) == (("anna",), True, True)
    assert story.open.queued == ()
    assert after is None or after in names(said)


@pytest.mark.parametrize(
    ("by", "mentions"),
    [
        pytest.param("anna", ("anna",), id="W11, W12: an answer that was approved for many"),
        pytest.param(None, ("bruno",), id="W4, W12: a reminder: its owner is told"),
    ],
)
def test_what_a_ticket_wants_to_send_becomes_a_note(by, mentions):
    story = in_stage(Stage.NEEDS_RESPONSE)
    story.state = replace(story.open, facts=story.facts.model_copy(update={"owner": AgentId("bruno")}))
    speaks = SpeaksFor(ticket_id=TicketId(new_id()), gives=("answer",))
    wanted = ReplyWanted(conversation_id=story.id, at=NOON, text=f"See {LINK}", by=by, speaks_for=speaks)
    sending = Sending(AT_ONCE, frozenset({"email"}))
    said = story.tell(SendWanted(story.id, ReplyId(new_id()), wanted, sending, SECRET))
    assert (names(said), said[0].note.mentions) == (["note_added", "ticket_not_spoken_for"], mentions)
    assert said[1].why == "confidential"
    assert "the link of an issue" in said[0].note.text
    assert story.facts.stage is Stage.NEEDS_RESPONSE


def test_w12_notes_may_name_it_for_they_never_leave():
    story = in_stage(Stage.NEW)
    assert names(story.note("It is ISS-31, confidential.")) == ["note_added"]
    assert story.resolve(Resolution.DEFECT)
