"""What holds of a conversation at every moment, and of its whole history."""

from collections import defaultdict
from dataclasses import replace
from functools import reduce
from itertools import pairwise

from deskstream.contracts.conversation import ConversationEvent
from deskstream.contracts.facts import Stage
from deskstream.contracts.ticket_talk import TicketNotSpokenFor, TicketSpokenFor
from deskstream.conversation import store
from deskstream.conversation.domain import Conversation, State, Unopened, evolve
from deskstream.conversation.domain.state import (
    DELIVERIES_LIMIT,
    ONCE_AWAITED_LIMIT,
    PARTICIPANTS_LIMIT,
    QUEUE_LIMIT,
    REFERENCES_LIMIT,
    REMARKS_LIMIT,
)

NEW, SUSPENDED, ARCHIVED = Stage.NEW, Stage.SUSPENDED, Stage.ARCHIVED
WAITING, NEEDS, HOLD, RESOLVED = Stage.WAITING_ON_USER, Stage.NEEDS_RESPONSE, Stage.HOLD, Stage.RESOLVED

ALLOWED: dict[str, set[tuple[Stage | None, Stage]]] = {
    "conversation_opened": {(None, NEW), (None, SUSPENDED)},
    "suspicion_reviewed": {(SUSPENDED, NEW), (SUSPENDED, ARCHIVED), (NEW, SUSPENDED)},
    # The second of each pair: a message came in during the undo time.
    "agent_replied": {(NEW, WAITING), (NEW, NEEDS), (NEEDS, WAITING), (HOLD, WAITING), (HOLD, NEEDS)},
    "customer_replied": {(WAITING, NEEDS), (HOLD, NEEDS), (RESOLVED, NEEDS)},
    "put_on_hold": {(NEW, HOLD), (NEEDS, HOLD), (WAITING, HOLD)},
    "wait_ended": {(HOLD, NEEDS), (WAITING, NEEDS)},
    "conversation_resolved": {(NEW, RESOLVED), (NEEDS, RESOLVED), (WAITING, RESOLVED)},
    "conversation_archived": {(stage, ARCHIVED) for stage in (NEW, NEEDS, WAITING, HOLD, RESOLVED)},
    "delivery_changed": {(WAITING, NEEDS), (HOLD, NEEDS), (RESOLVED, NEEDS)},
}
"""C8: what may change the stage, and how; all else leaves it."""


def check(story):
    state, facts = story.open, story.facts
    assert (facts.stage is HOLD) == bool(facts.waits), "only a hold waits"
    assert not set(state.once_awaited) & set(facts.waits), "nothing is awaited and awaited no more"
    assert facts.stage not in (SUSPENDED, ARCHIVED) or not state.queued, "nothing leaves from there"
    assert facts.stage not in (SUSPENDED, ARCHIVED) or facts.oldest_unanswered_at is None, "nobody waits there"
    assert facts.stage is not NEEDS or facts.valid_at or facts.public_replies or facts.kind != "customer"
    assert facts.stage is not NEW or facts.public_replies == 0, "the first reply leaves new"
    assert facts.stage not in (WAITING, RESOLVED) or facts.oldest_unanswered_at is None
    assert (facts.resolution is not None) == ("resolution" in facts.tags)
    assert facts.public_replies >= 0
    assert len({ticket.id for ticket in facts.tickets}) == len(facts.tickets), "a ticket is linked once"
    assert len({answer.work for answer in facts.prepared}) == len(facts.prepared), "one answer for each work"
    assert len(state.participants) <= PARTICIPANTS_LIMIT
    assert len(state.references) <= REFERENCES_LIMIT
    assert len(state.remarks) <= REMARKS_LIMIT
    assert len(state.queued) <= QUEUE_LIMIT
    assert len(state.deliveries) <= DELIVERIES_LIMIT
    assert len(state.once_awaited) <= ONCE_AWAITED_LIMIT


def check_history(story):
    own = [event for event in story.taken if isinstance(event, ConversationEvent)]
    assert [event.after.version for event in own] == list(range(1, len(own) + 1)), "versions are contiguous"
    for event in own:
        move = (event.stage_before, event.after.stage)
        assert move[0] is move[1] or move in ALLOWED.get(event.NAME, ()), f"{event.NAME}: {move}"
    check_told(event for event in story.taken if isinstance(event, (TicketSpokenFor, TicketNotSpokenFor)))
    for earlier, later in pairwise(own):
        assert later.stage_before is earlier.after.stage
    unopened: State = Unopened(story.id, 12)
    folded = reduce(evolve, story.taken, unopened)
    assert folded == story.state, "the state is the fold of what was said and absorbed"
    if isinstance(folded, Conversation):
        kept = replace(folded, filed=(), marked=())
        assert store.read(store.written(kept)) == kept, "the document holds all of it"
        assert len({filed.position for filed in folded.filed}) == len(folded.filed), "one message a version"


def check_told(events):
    """What each ticket heard of each reply."""
    heard = defaultdict(list)
    for event in events:
        heard[event.ticket_id, event.reply_id].append("left" if isinstance(event, TicketSpokenFor) else event.why)
    for told in heard.values():
        assert told[::2] == ["left"] * len(told[::2]) or len(told) == 1, (
            "it left, or a ticket hears once that it did not"
        )
        assert set(told[1::2]) <= {"undeliverable"}, "what left can only come back, and leave once more"
