"""Laws that hold whatever happens to a conversation, in whatever order."""

from contextlib import contextmanager
from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from deskstream.contracts import Refused
from deskstream.contracts import conversation as asked
from deskstream.contracts.facts import Priority, Resolution
from deskstream.contracts.ids import ReplyId, TicketId
from deskstream.contracts.inbound import DeliveryState
from deskstream.contracts.linked import LinkedTicket, SpeaksFor, TicketStage
from deskstream.contracts.ticket_talk import TicketNotSpokenFor, TicketSpokenFor
from deskstream.contracts.way_back import ReplyWanted, TicketReported
from deskstream.conversation.domain import Conversation, due
from deskstream.conversation.domain.messages import Sending, SendWanted, TimeCame
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
    new_id,
    person,
    started,
)
from services.conversation.tests.laws import check, check_history

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
        self.wanted: set[ReplyId] = set()

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
        reply_id = ReplyId(new_id())
        story.tell(SendWanted(story.id, reply_id, wanted, Sending(undo, frozenset({"email"}))))
        self.wanted.add(reply_id)

    @invariant()
    def laws_hold(self):
        if self.opened():
            check(self.story)

    @invariant()
    def nothing_that_a_ticket_wants_vanishes(self):
        heard = (TicketSpokenFor, TicketNotSpokenFor)
        known = {event.reply_id for event in self.story.taken if isinstance(event, heard)}
        waiting = {queued.reply.id for queued in self.story.open.queued} if self.opened() else set()
        assert known & self.wanted == self.wanted - waiting

    def teardown(self):
        check_history(self.story)


TestWhateverHappens = pytest.mark.slow(Life.TestCase)
TestWhateverHappens.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
