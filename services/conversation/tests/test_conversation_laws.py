"""Laws that hold whatever happens to a conversation, in whatever order."""

from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import reduce
from itertools import pairwise

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from deskstream.contracts import Refused
from deskstream.contracts import conversation as asked
from deskstream.contracts.conversation import ConversationEvent
from deskstream.contracts.facts import Priority, Resolution, Stage
from deskstream.contracts.ids import ReplyId, TicketId
from deskstream.contracts.inbound import DeliveryState
from deskstream.contracts.linked import LinkedTicket, SpeaksFor, TicketStage
from deskstream.contracts.way_back import ReplyWanted, TicketReported
from deskstream.conversation import store
from deskstream.conversation.domain import Conversation, State, Unopened, due, evolve
from deskstream.conversation.domain.messages import Sending, SendWanted, TimeCame
from deskstream.conversation.domain.state import (
    DELIVERIES_LIMIT,
    ONCE_AWAITED_LIMIT,
    PARTICIPANTS_LIMIT,
    QUEUE_LIMIT,
    REFERENCES_LIMIT,
    REMARKS_LIMIT,
)
from services.conversation.tests.given import (
    BOB,
    BOUNCE,
    CARLA,
    NEWSLETTER,
    OUT_OF_OFFICE,
    SPAM,
    TICKET,
    UNDO,
    Story,
    chosen,
    names,
    new_id,
    person,
    started,
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


TICKETS = {number: TicketId(new_id()) for number in (7, 99)}

seconds = st.integers(0, 30).map(lambda n: timedelta(seconds=n))
undo_times = st.sampled_from([timedelta(0), UNDO])
texts = st.text(min_size=1, max_size=40)
wait_names = st.sampled_from(["TKT-7", "carla", "TKT-99"])
writers = st.sampled_from(
    [
        {},
        {"sender": person("bob@acme.com"), "contact": BOB},
        {"sender": person("m@evil.example"), "contact": BOB, "verified": False},
    ]
)
kinds = st.sampled_from(
    [
        {},
        {"solved": True},
        {"automatic": OUT_OF_OFFICE},
        {"automatic": BOUNCE},
        {"automatic": NEWSLETTER},
        {"suspicious": SPAM},
        {"copied": (person("cc@acme.com"),)},
    ]
)


class Life(RuleBasedStateMachine):
    """Everything that can happen to one conversation. What is refused must leave it as it was."""

    def __init__(self):
        super().__init__()
        self.story = Story()

    @contextmanager
    def trying(self):
        before = self.story.state
        try:
            yield self.story
        except Refused:
            assert self.story.state is before

    def opened(self):
        return isinstance(self.story.state, Conversation)

    @rule(text=texts, writer=writers, kind=kinds, after=seconds)
    def customer_writes(self, text, writer, kind, after):
        self.story.customer(text, after=after, **writer, **kind)

    @rule()
    def agent_starts(self):
        self.story.tell(started(undo=UNDO))

    @precondition(opened)
    @rule(
        text=texts,
        undo=undo_times,
        drops=st.lists(wait_names, max_size=2).map(tuple),
        signal=st.booleans(),
        confirm=st.booleans(),
        after=seconds,
    )
    def agent_replies(self, text, undo, drops, signal, confirm, after):
        with self.trying() as story:
            story.reply(text, undo=undo, drops=drops, signal=signal, last_seen=0, confirm=confirm, after=after)

    @rule(after=seconds)
    def time_passes(self, after):
        self.story.tell(TimeCame(), after=after)
        moment = due(self.story.state)
        assert moment is None or moment > self.story.now, "nothing stays due"

    @precondition(lambda self: due(self.story.state) is not None)
    @rule()
    def it_wakes(self):
        assert self.story.wake()

    @precondition(lambda self: self.opened() and self.story.open.queued)
    @rule()
    def agent_undoes(self):
        self.story.ask(asked.UndoReply, reply_id=self.story.open.queued[-1].reply.id)

    @precondition(lambda self: self.opened() and self.story.open.deliveries)
    @rule()
    def agent_sends_again(self):
        with self.trying() as story:
            story.again()

    @precondition(lambda self: self.opened() and self.story.open.deliveries)
    @rule(which=st.integers(0, 5), state=st.sampled_from(DeliveryState), permanent=st.booleans())
    def adapter_reports(self, which, state, permanent):
        deliveries = self.story.open.deliveries
        self.story.report(state, of=deliveries[which % len(deliveries)].id, permanent=permanent)

    @rule(waits=st.lists(st.sampled_from([TICKET, CARLA]), min_size=1, max_size=2))
    def agent_escalates(self, waits):
        with self.trying() as story:
            story.hold(*waits)

    @rule(name=wait_names, how=st.sampled_from(["completed", "cancelled", "ticked_off", "dropped"]))
    def wait_ends(self, name, how):
        with self.trying() as story:
            story.ask(asked.EndWait, name=name, how=how, reason="so")

    @rule(category=st.sampled_from(Resolution))
    def agent_resolves(self, category):
        with self.trying() as story:
            story.resolve(category)

    @rule()
    def agent_archives(self):
        with self.trying() as story:
            story.archive()

    @rule(verdict=st.sampled_from(["valid", "spam"]))
    def reviewer_decides(self, verdict):
        with self.trying() as story:
            story.review(verdict)

    @rule(time=seconds, until_reply=st.booleans())
    def agent_snoozes(self, time, until_reply):
        with self.trying() as story:
            story.ask(asked.Snooze, until=story.now + time * 60, until_reply=until_reply, reason="later")

    @rule(text=texts, by=st.sampled_from(["anna", "bruno"]))
    def agent_notes(self, text, by):
        with self.trying() as story:
            story.note(text, by=by)

    @rule(priority=st.sampled_from(Priority))
    def agent_sets_priority(self, priority):
        with self.trying() as story:
            story.ask(asked.SetPriority, priority=priority)

    @rule()
    def agent_adds_somebody(self):
        with self.trying() as story:
            story.add(person("eve@acme.com"))

    @rule(owner=st.sampled_from(["anna", "bruno", None]))
    def routing_chooses(self, owner):
        self.story.absorb(chosen(owner, priority=Priority.LOW))

    @precondition(opened)
    @rule(
        number=st.sampled_from([7, 99]),
        stage=st.sampled_from(TicketStage),
        linked=st.booleans(),
        ended=st.sampled_from([None, "completed", "wont_fix", "cancelled", "deleted"]),
    )
    def a_ticket_reports(self, number, stage, linked, ended):
        known = LinkedTicket(id=TICKETS[number], number=number, title="It crashes", stage=stage)
        told = {"ended": ended, "prepared": f"It is {ended}." if ended else None}
        story = self.story
        story.tell(TicketReported(conversation_id=story.id, at=story.now, ticket=known, linked=linked, **told))

    @precondition(opened)
    @rule(by=st.sampled_from(["anna", None]), undo=undo_times)
    def a_ticket_wants_to_send(self, by, undo):
        story, speaks = self.story, SpeaksFor(ticket_id=TICKETS[7])
        wanted = ReplyWanted(conversation_id=story.id, at=story.now, text="Hello", by=by, speaks_for=speaks)
        with self.trying():
            story.tell(SendWanted(story.id, ReplyId(new_id()), wanted, Sending(undo, frozenset({"email"}))))

    @invariant()
    def laws_hold(self):
        if self.opened():
            check(self.story)

    def teardown(self):
        check_history(self.story)


TestWhateverHappens = pytest.mark.slow(Life.TestCase)
TestWhateverHappens.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


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
    for earlier, later in pairwise(own):
        assert later.stage_before is earlier.after.stage
    unopened: State = Unopened(story.id, 12)
    folded = reduce(evolve, story.taken, unopened)
    assert folded == story.state, "the state is the fold of what was said and absorbed"
    if isinstance(folded, Conversation):
        kept = replace(folded, filed=(), marked=())
        assert store.read(store.written(kept)) == kept, "the document holds all of it"
        assert len({filed.position for filed in folded.filed}) == len(folded.filed), "one message a version"


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
