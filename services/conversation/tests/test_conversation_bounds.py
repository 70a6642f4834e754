"""What a conversation costs, however long it goes on: its document, and the events of an ordinary day."""

from dataclasses import replace

import pytest

from deskstream.contracts import conversation as asked
from deskstream.contracts.inbound import DeliveryState
from deskstream.conversation import store
from services.conversation.tests.given import TICKET, Story, names, new_id


@pytest.mark.parametrize("turns", [1, 30])
def test_the_document_does_not_grow_with_the_thread(turns):
    story = Story()
    for _ in range(turns):
        story.customer("word " * 100, external_id=f"<{new_id()}@acme.com>")
        story.reply("word " * 100)
        story.report(DeliveryState.SENT, external_id=f"<{new_id()}@desk.example>")
        story.note("word " * 100)
        story.hold(TICKET)
        story.ask(asked.EndWait, name="TKT-7", how="ticked_off", reason="done")
    assert len(store.written(replace(story.open, filed=(), marked=()))) < 12_000


def test_a_day_in_the_life_is_within_the_budget_of_events():
    story = Story()
    assert names(story.customer()) == ["conversation_opened"]
    assert names(story.reply()) == ["agent_replied", "outbound_message"]
    assert names(story.customer()) == ["customer_replied"]
