"""Laws that hold whatever happens to a ticket, in whatever order."""

from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from deskstream.contracts import Refused
from deskstream.contracts import issues as of_issues
from deskstream.contracts import ticket_commands as asked
from deskstream.contracts.links import TicketContinued
from deskstream.contracts.ticketing import AgentAnswered, FollowUpSent, TicketEvent, TicketSolved
from deskstream.contracts.way_back import TicketReported
from deskstream.ticketing.domain import TimeCame, ticket
from deskstream.ticketing.domain.ticket.solving import CONDITIONS
from deskstream.ticketing.store import tickets
from services.ticketing.tests.given import Desk, conversation, later

UNSOLVED = ("new", "open", "pending", "on_hold")
MOVES = {
    "agent_answered": {("new", "pending"), ("open", "pending"), ("new", "open")},
    "customer_wrote": {("pending", "open"), ("on_hold", "open"), ("solved", "open")},
    "ticket_put_on_hold": {("new", "on_hold"), ("open", "on_hold"), ("pending", "on_hold")},
    "ticket_wait_ended": {("on_hold", "open")},
    "issue_unlinked": {("on_hold", "open")},
    "linked_issue_changed": {("on_hold", "open")},
    "ticket_solved": {(stage, "solved") for stage in UNSOLVED},
    "ticket_canceled": {(stage, "canceled") for stage in UNSOLVED},
    "ticket_closed": {("solved", "closed")},
}
"""W3: what may change the stage, and how; all else leaves it."""

hours = st.integers(0, 60).map(lambda n: later(hours=n))
seldom = st.integers(0, 15).map(lambda n: n == 7)
waits = st.sampled_from(["carla", "the provider"])


class Life(RuleBasedStateMachine):
    """One ticket with two issues."""

    @initialize(engineer=st.sampled_from([None, "carla"]))
    def opened(self, engineer):
        self.desk = Desk()
        self.one = self.desk.open(customer_engineer=engineer)
        self.issues = [self.desk.file(), self.desk.file()]

    @contextmanager
    def trying(self):
        """A refusal changes nothing."""
        before = self.desk.ticket(self.one)
        try:
            yield self.desk
        except Refused:
            assert self.desk.ticket(self.one) is before

    def ask(self, kind, **more):
        with self.trying() as desk:
            desk.ask(self.one, kind, **more)

    @rule(asks=st.sampled_from([None, "confirmation", "information"]), gives=st.sampled_from([(), ("answer",)]))
    def agent_replies(self, asks, gives):
        self.desk.reply(self.one, *gives, asks=asks)

    @rule(concerns=st.sampled_from(["this_ticket", "perhaps"]), solved=st.sampled_from([None, True, False]))
    def customer_answers(self, concerns, solved):
        self.desk.customer(self.one, concerns, solved=solved)

    @rule(concerns=st.booleans())
    def agent_decides(self, concerns):
        self.ask(asked.DecideAnswer, concerns=concerns)

    @rule(name=waits)
    def it_waits(self, name):
        self.ask(asked.HoldTicket, waits=[{"kind": "person", "name": name}])

    @rule(name=waits)
    def the_wait_ends(self, name):
        self.ask(asked.EndTicketWait, name=name, reason="so")

    @rule(which=st.integers(0, 1), wait=st.booleans())
    def an_issue_is_linked(self, which, wait):
        with self.trying() as desk:
            desk.link(self.one, self.issues[which], wait=wait)

    @rule(which=st.integers(0, 1))
    def an_issue_is_unlinked(self, which):
        self.ask(asked.UnlinkIssue, issue_id=self.issues[which], reason="so")

    @rule(which=st.integers(0, 1), stage=st.sampled_from(["completed", "wont_fix"]))
    def an_issue_ends(self, which, stage):
        with suppress(Refused):
            self.desk.end(self.issues[which], stage)

    @rule()
    def everything_arrives(self):
        self.desk.settle()

    @rule(why=st.sampled_from([None, "archived", "no_adapter", "withdrawn"]))
    def what_is_wanted_leaves_or_not(self, why):
        """Only what left counts as a follow-up, and tells the customer."""
        before, asked_for = self.desk.ticket(self.one).facts.follow_ups, len(self.desk.wanted)
        said = self.desk.deliver(*[why] * asked_for)
        told = [event for event in said if isinstance(event, (AgentAnswered, FollowUpSent))]
        assert why is None or not told
        assert why is None or self.desk.ticket(self.one).facts.follow_ups == before

    @rule(which=st.integers(0, 1))
    def an_answer_is_approved(self, which):
        with suppress(Refused):
            self.desk.ask(self.issues[which], of_issues.ApproveAnswer, text="It is fixed.")

    @rule(why=st.sampled_from([None, "archived", "suspended"]))
    def its_conversation_is_silenced_or_not(self, why):
        self.desk.silence(self.one, why)

    @rule()
    def a_task_is_born(self):
        self.ask(asked.AddTicketTask, title="Docs")

    @rule(number=st.integers(1, 3), how=st.sampled_from(["done", "dropped", "reopened"]))
    def a_task_changes(self, number, how):
        self.ask(asked.ChangeTicketTask, number=number, how=how)

    @rule(category=st.sampled_from(list(CONDITIONS)))
    def agent_solves(self, category):
        self.ask(asked.SolveTicket, category=category)

    @rule(why=st.sampled_from([None, "they wait for the release"]))
    def agent_solves_what_the_customer_confirmed(self, why):
        self.ask(asked.AddTicketTask, title="Docs")
        self.ask(asked.RecordCustomer, confirmed=True)
        self.ask(asked.ChangeTicketTask, number=1, how="done")
        self.ask(asked.SolveTicket, category="confirmed", despite_tasks=why)

    @rule(really=seldom)
    def agent_cancels(self, really):
        if really:
            self.ask(asked.CancelTicket, reason="so")

    @rule(really=seldom)
    def agent_deletes(self, really):
        if really:
            self.ask(asked.DeleteTicket, reason="so")

    @rule()
    def agent_restores(self):
        self.ask(asked.RestoreTicket)

    @rule(after=hours)
    def time_passes(self, after):
        desk, moment = self.desk, self.desk.due(self.one)
        desk.now += after
        if moment is None or moment > desk.now:
            assert desk.tell_ticket(self.one, TimeCame()) == [], "nothing is early"
            return
        assert desk.tell_ticket(self.one, TimeCame()), "what is due is said"
        moment = desk.due(self.one)
        assert moment is None or moment > desk.now, "nothing stays due"

    @invariant()
    def laws_hold(self):
        facts = self.desk.ticket(self.one).facts
        assert (facts.stage == "on_hold") == bool(facts.waits), "only a hold waits"
        assert (facts.stage == "pending") == (self.desk.ticket(self.one).silence is not None)
        assert (facts.resolution is not None) == (facts.stage in ("solved", "closed")) == ("resolution" in facts.tags)
        assert (facts.ended_at is not None) == (facts.stage in ("closed", "canceled"))
        assert len({issue.id for issue in facts.issues}) == len(facts.issues)
        handed = self.desk.ticket(self.one).handed
        assert {one.issue_id for one in handed} <= set(self.desk.ticket(self.one).told_of)
        assert len(handed) <= len(self.desk.wanted), "nothing is handed over that nobody speaks of any more"

    def teardown(self):
        if hasattr(self, "desk"):
            check_history(self.desk, self.one)


TestWhateverHappens = pytest.mark.slow(Life.TestCase)
TestWhateverHappens.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def check_history(desk, one):
    own = [event for event in desk.said if isinstance(event, TicketEvent) and event.ticket_id == one]
    assert [event.after.version for event in own] == list(range(1, len(own) + 1)), "versions are contiguous"
    for event in own[1:]:
        move = (str(event.stage_before), str(event.after.stage))
        assert move[0] == move[1] or move in MOVES.get(event.NAME, ()), f"{event.NAME}: {move}"
        open_tasks = [task for task in event.after.tasks if task.state == "open"]
        if isinstance(event, TicketSolved):
            assert not open_tasks or event.despite_tasks, "W7: never solved over open tasks without a word why"
    for earlier, following in pairwise(own):
        assert following.stage_before is earlier.after.stage
        assert earlier.after.stage not in ("closed", "canceled") or following.after.stage is earlier.after.stage
    unopened: ticket.TicketState = ticket.Unopened(one, 1)
    for event in own:
        unopened = ticket.evolve(unopened, event)
    assert unopened == desk.ticket(one), "the state is the fold"
    kept = replace(desk.ticket(one), relinked=False)
    assert tickets.read(tickets.written(kept)) == kept, "the document holds all of it"
    told = [report for report in desk.told(TicketReported) if report.ticket.id == one]
    deleted = own[-1].after.deleted is not None
    assert told[-1].linked is not deleted
    assert deleted or told[-1].ticket.stage is own[-1].after.stage, "its conversation knows where it stands"
    sent = [event for event in own if isinstance(event, FollowUpSent)]
    assert len({event.reply_id for event in sent}) == len(sent), "a reminder counts once"
    assert all(continued.conversation == conversation() for continued in desk.told(TicketContinued))
