"""Which clocks a story starts, stops and resumes, and what is said of it."""

from datetime import timedelta

import pytest

from deskstream.contracts.sla import Cause, ClockResumed, Outcome
from deskstream.sla.domain import KEPT_CLOCKS, KEPT_ENDINGS, Clocks, Woken, decide, due, evolve, explained

FIRST, NEXT = "first_response", "next_response"
OPENS = "05-04 09:00 customer opens"
ANSWERED = [OPENS, "05-04 09:10 agent answers: a"]


@pytest.mark.parametrize(
    ("story", "then"),
    [
        pytest.param([OPENS], [f"{FIRST} 1 started"], id="S2: first response counts from first valid"),
        pytest.param(["05-04 09:00 suspicious opens", "05-04 09:05 customer writes"], [],
            id="C8: nobody waits for an answer in suspended"),
        pytest.param(["05-04 09:00 system opens"], [f"{FIRST} 1 started"],
            id="S2: what the system opens counts like a customer's"),
        pytest.param(["05-04 09:00 agent opens", "05-04 09:01 agent answers: a"], [],
            id="C8: an agent starts it, no clock until the customer writes"),
        pytest.param(
            ["05-04 09:00 agent opens", "05-04 09:01 agent answers: a", "05-04 09:20 customer writes"],
            [f"{NEXT} 1 started"],
            id="C8: the answer to what an agent started waits for a next response",
        ),
        pytest.param(
            ["05-04 09:00 agent opens", "05-04 09:01 agent answers: a", "05-04 09:02 undelivered: a",
                "05-04 09:20 customer writes"],
            [f"{FIRST} 1 started"],
            id="C8: where an agent's first message never arrived, the customer waits for a first response",
        ),
        pytest.param([OPENS, "05-04 09:01 customer writes", "05-04 09:02 customer writes"], [f"{FIRST} 1 started"],
            id="C9: further messages before any answer start nothing"),
        pytest.param(ANSWERED, [f"{FIRST} 1 started", f"{FIRST} 1 stopped met"],
            id="S1: a public reply by a human stops the clock"),
        pytest.param([*ANSWERED, "05-04 09:11 agent answers: b"], [f"{FIRST} 1 started", f"{FIRST} 1 stopped met"],
            id="S1: a second reply stops nothing"),
        pytest.param(
            [*ANSWERED, "05-04 10:00 customer writes", "05-04 10:01 out of office"],
            [f"{FIRST} 1 started", f"{FIRST} 1 stopped met", f"{NEXT} 2 started"],
            id="S2: after a first reply a customer waits for the next response",
        ),
        pytest.param([*ANSWERED, "05-04 10:00 out of office"], [f"{FIRST} 1 started", f"{FIRST} 1 stopped met"],
            id="C9: automatic mail changes no clock"),
        pytest.param([OPENS, "05-04 09:05 on hold"], [f"{FIRST} 1 started"], id="S3: a response clock runs on hold"),
        pytest.param(
            [OPENS, "05-04 09:05 on hold", "05-04 09:30 agent answers: a"],
            [f"{FIRST} 1 started", f"{FIRST} 1 stopped met"],
            id="C8: an update in hold answers the customer",
        ),
        pytest.param([*ANSWERED, "05-04 10:00 on hold", "05-04 11:00 wait ends"],
            [f"{FIRST} 1 started", f"{FIRST} 1 stopped met"],
            id="C8: needs_response without a customer's message starts no clock"),
        pytest.param([OPENS, "05-04 09:05 resolved"], [f"{FIRST} 1 started", f"{FIRST} 1 stopped no_reply"],
            id="S1: resolved without a reply is neither met nor breached"),
        pytest.param([OPENS, "05-04 09:05 archived"], [f"{FIRST} 1 started", f"{FIRST} 1 stopped no_reply"],
            id="S1: archived without a reply is neither met nor breached"),
        pytest.param(
            [*ANSWERED, "05-04 10:00 customer writes", "05-04 10:01 resolved"],
            [f"{FIRST} 1 started", f"{FIRST} 1 stopped met", f"{NEXT} 2 started", f"{NEXT} 2 stopped no_reply"],
            id="S1: a next response may end without a reply too",
        ),
        pytest.param(
            [OPENS, "05-04 09:05 resolved", "05-04 10:00 customer writes"],
            [f"{FIRST} 1 started", f"{FIRST} 1 stopped no_reply", f"{NEXT} 2 started"],
            id="C8: the message that reopens waits for a next response",
        ),
        pytest.param(
            [OPENS, "05-04 09:05 reviewed spam", "05-04 09:10 reviewed valid"],
            [f"{FIRST} 1 started", f"{FIRST} 1 stopped no_reply", f"{FIRST} 1 resumed"],
            id="S2: what was taken for spam counts on from first valid",
        ),
        pytest.param(["05-04 09:00 suspicious opens", "05-04 09:05 reviewed spam"], [],
            id="C8: confirmed spam never had a clock"),
        pytest.param(
            [*ANSWERED, "05-04 09:15 customer writes", "05-04 09:18 customer writes",
                "05-04 09:20 overtaken answer: b"],
            [f"{FIRST} 1 started", f"{FIRST} 1 stopped met", f"{NEXT} 2 started", f"{NEXT} 2 stopped met",
                f"{NEXT} 3 started"],
            id="S2: a reply that was written before the last message leaves that one unanswered",
        ),
        pytest.param(
            [*ANSWERED, "05-04 09:15 customer writes", "05-04 09:20 overtaken answer: b"],
            [f"{FIRST} 1 started", f"{FIRST} 1 stopped met", f"{NEXT} 2 started"],
            id="S2: and where that one is the only one, its clock runs on",
        ),
    ],
)  # fmt: skip
def test_which_clocks(story, then, tell, played, rules, lines):
    assert lines(played(rules(), tell(*story)).said) == then


@pytest.mark.parametrize(
    ("given", "when", "then"),
    [
        pytest.param(ANSWERED, ["05-04 09:12 delivered: a"], [], id="C17: a delivered reply changes nothing"),
        pytest.param(ANSWERED, ["05-04 09:12 tried in vain: a"], [], id="C17: a failure that may mend changes nothing"),
        pytest.param(ANSWERED, ["05-04 09:12 undelivered: a"], [f"{FIRST} 1 resumed"],
            id="C17: after a permanent failure the old clock counts on"),
        pytest.param(ANSWERED, ["05-04 09:12 undelivered: other"], [],
            id="C17: the failure of an unknown reply is nothing"),
        pytest.param([OPENS, "05-04 09:10 agent signals: s"], ["05-04 09:12 undelivered: s"], [],
            id="C17: the failure of a mere signal is nothing"),
        pytest.param(
            ANSWERED, ["05-04 09:12 undelivered: a", "05-04 09:30 agent answers: b"],
            [f"{FIRST} 1 resumed", f"{FIRST} 1 stopped met"],
            id="C17: the next reply stops it again",
        ),
        pytest.param(
            ANSWERED, ["05-04 09:11 agent answers: b", "05-04 09:12 undelivered: a"],
            [f"{FIRST} 1 resumed", f"{FIRST} 1 stopped met"],
            id="C17: a second reply that arrived is the one that counts",
        ),
        pytest.param(ANSWERED, ["05-04 09:11 agent answers: b", "05-04 09:12 undelivered: b"], [],
            id="C17: the failure of a second reply leaves the first"),
        pytest.param(
            ANSWERED, ["05-04 09:11 agent answers: b", "05-04 09:12 undelivered: b", "05-04 09:13 undelivered: a"],
            [f"{FIRST} 1 resumed"],
            id="C17: when both replies fail it counts on",
        ),
        pytest.param(
            ANSWERED, ["05-04 09:30 customer writes", "05-04 09:40 undelivered: a"],
            [f"{NEXT} 2 started", f"{FIRST} 1 resumed"],
            id="C17: the clock of a later message gives way to the old one",
        ),
        pytest.param(
            ANSWERED, ["05-04 09:30 customer writes", "05-04 09:35 agent answers: b", "05-04 09:40 undelivered: a"],
            [f"{NEXT} 2 started", f"{NEXT} 2 stopped met", f"{FIRST} 1 resumed", f"{FIRST} 1 stopped met"],
            id="C17: the old clock takes the end of the one it replaces",
        ),
        pytest.param(ANSWERED, ["05-04 09:20 resolved", "05-04 09:40 undelivered: a"], [f"{FIRST} 1 resumed"],
            id="C17: a failure reopens, and the old clock counts through"),
        pytest.param(
            ANSWERED, ["05-04 09:20 archived", "05-04 09:40 undelivered: a"],
            [f"{FIRST} 1 resumed", f"{FIRST} 1 stopped no_reply"],
            id="C17: what stays closed was never answered",
        ),
        pytest.param(ANSWERED, ["05-04 09:12 undelivered: a", "05-04 09:30 sent again: a"],
            [f"{FIRST} 1 resumed", f"{FIRST} 1 stopped met"],
            id="C17: a lost reply that is sent again counts from then"),
        pytest.param(
            [*ANSWERED, "05-04 09:12 tried in vain: a", "05-04 09:20 customer writes"],
            ["05-04 09:30 sent again: a"], [],
            id="C17: a reply that is only sent once more answers nothing new",
        ),
        pytest.param(ANSWERED, ["05-04 09:30 sent again: a", "05-04 09:40 undelivered: a"],
            [f"{FIRST} 1 resumed", f"{FIRST} 1 stopped met"],
            id="C17: of a reply sent twice the second one still stands"),
        pytest.param(
            [*ANSWERED, "05-04 09:15 customer writes", "05-04 09:20 overtaken answer: b"],
            ["05-04 09:30 undelivered: a"], [f"{FIRST} 1 resumed", f"{FIRST} 1 stopped met"],
            id="C17: a reply that was overtaken answered the message before",
        ),
        pytest.param(
            [OPENS, "05-04 09:05 resolved", "05-04 09:10 agent answers: a"], ["05-04 09:20 undelivered: a"], [],
            id="C17: nobody waits for a word that was added to what is resolved",
        ),
        pytest.param(["05-04 09:00 agent opens", "05-04 09:01 agent answers: a"], ["05-04 09:10 undelivered: a"], [],
            id="C8: nobody waits when an agent's first message fails"),
    ],
)  # fmt: skip
def test_undelivered_replies(given, when, then, tell, played, rules, lines):
    before = played(rules(), tell(*given)).said
    assert lines(played(rules(), tell(*given, *when)).said[len(before) :]) == then


def test_a_resumed_clock_keeps_its_due_time_and_names_what_it_replaces(tell, played, rules):
    story = tell(*ANSWERED, "05-04 09:30 customer writes", "05-04 09:40 undelivered: a")
    started, *_, resumed = played(rules(), story).said
    assert isinstance(resumed, ClockResumed)
    assert (resumed.clock, resumed.replaces) == (started.clock, (2,))
    assert resumed.cause == Cause(event="delivery_changed", sequence=4, at=story[-1].at)


@pytest.mark.parametrize(
    ("answered", "outcome"),
    [
        pytest.param("05-04 11:00", Outcome.MET, id="S7: at the very moment it is due"),
        pytest.param("05-04 11:00:01", Outcome.BREACHED, id="S7: a second later"),
    ],
)
def test_the_moment_of_the_reply_decides(answered, outcome, tell, played, rules):
    assert played(rules(), tell(OPENS, f"{answered} agent answers: a")).said[-1].outcome is outcome


@pytest.mark.parametrize(
    ("until", "then"),
    [
        pytest.param("05-04 10:29:59", [], id="S7: no warning before 75 %"),
        pytest.param("05-04 10:30", ["warned"], id="S7: the warning at 75 %"),
        pytest.param("05-04 10:59:59", ["warned"], id="S7: no breach before it is due"),
        pytest.param("05-04 11:00", ["warned", "breached"], id="S7: the breach when it is due"),
        pytest.param("05-06 11:00", ["warned", "breached"], id="S7: nothing more later"),
    ],
)
def test_timers(until, then, tell, played, rules, at, lines):
    said = lines(played(rules(), tell(OPENS), until=at(until)).said)
    assert said == [f"{FIRST} 1 started", *(f"{FIRST} 1 {word}" for word in then)]


def test_a_timer_that_rings_early_or_twice_says_nothing(tell, played, rules, at):
    clocks = played(rules(), tell(OPENS)).clocks
    assert not decide(rules(), clocks, Woken(), at("05-04 10:29"))
    (warned,) = decide(rules(), clocks, Woken(), at("05-04 10:30"))
    assert not decide(rules(), evolve(rules(), clocks, warned), Woken(), at("05-04 10:30"))


@pytest.mark.parametrize(
    "clocks",
    [
        pytest.param([], id="no clock yet"),
        pytest.param(ANSWERED, id="it was answered"),
        pytest.param([OPENS, "05-04 09:10 archived"], id="it was archived"),
    ],
)
def test_a_timer_that_rings_for_nothing_says_nothing(clocks, tell, played, rules, at):
    state = played(rules(), tell(*clocks)).clocks
    assert due(state) is None
    assert not decide(rules(), state, Woken(), at("05-20 10:00"))


def test_what_is_heard_days_late_still_tells_what_was_missed(tell, played, rules, at, lines):
    story = tell(OPENS, "05-04 12:00 agent answers: a")
    said = played(rules(), story, heard_at=at("05-07 08:00")).said
    assert lines(said) == [f"{FIRST} 1 {word}" for word in ("started", "warned", "breached", "stopped breached")]
    assert (said[2].clock.due_at, said[2].at) == (at("05-04 11:00"), at("05-07 08:00"))


def test_what_is_heard_days_late_and_was_answered_in_time_is_met(tell, played, rules, at, lines):
    story = tell(OPENS, "05-04 09:30 agent answers: a")
    said = played(rules(), story, heard_at=at("05-07 08:00"), until=at("05-07 09:00")).said
    assert lines(said) == [f"{FIRST} 1 started", f"{FIRST} 1 stopped met"]


def test_a_timer_ahead_of_a_reply_heard_late_changes_no_outcome(tell, played, rules, at):
    *before, reply = tell(OPENS, "05-04 10:55 agent answers: a")
    late = played(rules(), before, until=at("05-04 11:00"))
    assert played(rules(), [reply], clocks=late.clocks, heard_at=at("05-04 11:00:01")).said[-1].outcome is Outcome.MET


@pytest.mark.parametrize(
    ("story", "in_new", "to_waiting", "business"),
    [
        pytest.param([OPENS, "05-04 09:30 agent answers: a"], 30, 30, 30, id="S2: on the plain path all three agree"),
        pytest.param(
            ["05-04 09:00 suspicious opens", "05-04 10:00 reviewed valid", "05-04 10:30 agent answers: a"], 30, 90, 30,
            id="S2: suspended time counts from creation only",
        ),
        pytest.param([OPENS, "05-04 09:10 on hold", "05-04 09:30 agent answers: a"], 10, None, 30,
            id="S2: it left new for a hold"),
        pytest.param([OPENS, "05-04 09:10 resolved"], 10, None, 10, id="S2: it left new unanswered"),
    ],
)  # fmt: skip
def test_time_in_new(story, in_new, to_waiting, business, tell, played, rules):
    stopped = played(rules(), tell(*story)).said[-1]
    shown = (stopped.in_new_minutes, stopped.created_to_waiting_minutes, stopped.business_minutes)
    assert shown == (in_new, to_waiting, business)


def test_a_message_while_a_clock_runs_leaves_the_state_as_it_is(tell, played, rules):
    *before, message = tell(OPENS, "05-04 09:05 customer writes")
    clocks = played(rules(), before).clocks
    assert not decide(rules(), clocks, message, message.at)
    assert evolve(rules(), clocks, message) is clocks


def test_a_reply_stamped_before_the_message_took_no_time(tell, played, rules, at):
    clocks = played(rules(), tell(OPENS, "05-04 08:59 agent answers: a"))
    assert (clocks.said[-1].business_minutes, clocks.said[-1].calendar_minutes) == (0, 0)
    assert explained(clocks.clocks.recent[0], rules().calendar, at("05-05 09:00"))["business_seconds"] == 0


def test_an_agent_who_goes_on_writing_fills_no_state(tell, played, rules):
    more = (f"05-04 09:1{n // 10}:{n % 10:02} agent answers: {n}" for n in range(30))
    (clock,) = played(rules(), tell(OPENS, *more)).clocks.recent
    assert len(clock.endings) == KEPT_ENDINGS


def test_old_clocks_are_settled(story, played, rules, at):
    told = story()
    told.tell(*ANSWERED)
    for hour in range(KEPT_CLOCKS + 1):
        told.say(at("05-05 09:00") + timedelta(hours=hour), "customer writes")
        told.say(at("05-05 09:10") + timedelta(hours=hour), f"agent answers: {hour}")
    recent = played(rules(), told.events).clocks.recent
    assert [clock.facts.ordinal for clock in recent if clock.settled] == [1, 2]


def test_a_conversation_begins_without_clocks(story):
    assert due(Clocks.none_yet(story().conversation_id)) is None
