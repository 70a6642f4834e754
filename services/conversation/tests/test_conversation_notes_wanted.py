"""W4: what a ticket has to tell one of us stands in its conversation as a note, and nobody outside reads it."""

import pytest

from deskstream.contracts.facts import Stage
from deskstream.contracts.ids import AgentId, NoteId
from deskstream.contracts.way_back import NoteWanted
from deskstream.conversation.domain.messages import TakeNote
from services.conversation.tests.given import in_stage, new_id

TEXT = "@carla TKT-7 “It crashes” has no answer yet."


def told(story, *mentions):
    wanted = NoteWanted(conversation_id=story.id, at=story.now, text=TEXT, mentions=mentions)
    return story.tell(TakeNote(story.id, NoteId(new_id()), wanted))


@pytest.mark.parametrize("stage", list(Stage))
def test_w4_the_note_is_taken_in_every_stage_and_changes_none(stage):
    story = in_stage(stage)
    (said,) = told(story, AgentId("carla"))
    assert (said.NAME, said.stage_before, story.facts.stage) == ("note_added", stage, stage)
    assert (said.note.author, said.note.text, said.note.mentions) == ("deskstream", TEXT, ("carla",))


def test_w4_nobody_is_mentioned_but_whom_it_is_for():
    (said,) = told(in_stage(Stage.NEW))
    assert said.note.mentions == ()


def test_c16_it_is_something_new_that_whoever_answers_has_to_have_seen():
    story = in_stage(Stage.NEEDS_RESPONSE)
    before = story.facts.version
    told(story, AgentId("carla"))
    assert story.facts.version == before + 1
