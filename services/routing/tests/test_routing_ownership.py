from datetime import timedelta

import pytest

from deskstream.contracts.facts import Kind, Priority, Stage
from deskstream.contracts.routing import Cause, Claim, HandOver, NextUp, SaveAgent, SaveTeam
from deskstream.routing.domain import Team


@pytest.fixture
def claim(id_named):
    return lambda name, agent: Claim(conversation_id=id_named(name), agent=agent)


@pytest.fixture
def hand_over(id_named):
    return lambda name, to: HandOver(conversation_id=id_named(name), to=to, reason="Speaks French")


def told(chosen):
    return [(one.cause, one.owner) for one in chosen]


def test_r2_the_stranger_who_wrote_earlier_waits_behind_the_customer(desk):
    desk.opens("stranger", account=None)
    desk.says.later(minutes=2)
    desk.opens("customer", account={})
    desk.agent("anna", capacity=1)
    assert (desk.owner("customer"), desk.owner("stranger")) == ("anna", None)
    desk.hear(desk.says.agent_replied("customer", "anna"))
    assert desk.owner("stranger") == "anna"


def test_r9_within_a_priority_who_has_waited_longest_is_next(desk):
    desk.opens("first")
    desk.says.later(minutes=1)
    desk.opens("second")
    desk.agent("anna", capacity=0)
    desk.agent("bruno", availability="busy", capacity=2)
    assert [chosen.number for chosen in (*desk.ask(NextUp(agent="bruno")), *desk.ask(NextUp(agent="bruno")))] == [1, 2]


@pytest.mark.parametrize(
    "frees",
    [
        pytest.param(lambda desk: desk.hear(desk.says.agent_replied("old", "anna")), id="R6: an answer frees capacity"),
        pytest.param(lambda desk: desk.hear(desk.says.resolved("old")), id="R6: resolving frees capacity"),
        pytest.param(lambda desk: desk.hear(desk.says.put_on_hold("old")), id="R6: a hold frees capacity"),
        pytest.param(lambda desk: desk.hear(desk.says.archived("old")), id="R6: archiving frees capacity"),
        pytest.param(lambda desk: desk.hear(desk.says.reviewed("old", "spam")), id="R6: finding spam frees capacity"),
        pytest.param(lambda desk: desk.agent("anna", capacity=2), id="R6: capacity is raised"),
        pytest.param(lambda desk: desk.agent("bruno"), id="R6: somebody new comes"),
        pytest.param(lambda desk: desk.agent("late", availability="available"), id="R6: somebody comes back"),
        pytest.param(lambda desk: desk.agent("elsewhere", team="support"), id="R6: somebody joins the team"),
    ],
)
def test_what_waits_is_assigned_the_moment_capacity_frees(desk, frees):
    desk.agent("anna", capacity=1)
    desk.agent("late", availability="off_shift")
    desk.agent("elsewhere", team="billing")
    desk.opens("old")
    assert told(desk.opens("new")) == [(Cause.TEAM_QUEUE, None)]
    [chosen] = frees(desk)
    assert (chosen.cause, chosen.number, chosen.previous, chosen.handoff) == (Cause.CAPACITY_FREED, 2, None, False)
    assert chosen.owner is not None
    assert chosen.record.steps[0].matched


def test_r6_a_hand_over_frees_the_one_who_gave_it_away(desk, hand_over):
    desk.agent("anna", capacity=1)
    desk.agent("zoe", availability="busy")
    desk.opens("old")
    desk.opens("new")
    assert told(desk.ask(hand_over("old", "zoe"))) == [(Cause.HANDED_OVER, "zoe"), (Cause.CAPACITY_FREED, "anna")]


def test_r6_only_what_waits_for_us_counts_and_replies_may_exceed_capacity(desk):
    desk.agent("anna", capacity=1)
    desk.opens("one")
    assert desk.load("anna") == 1
    desk.hear(desk.says.agent_replied("one", "anna"))
    assert desk.load("anna") == 0
    desk.opens("two")
    desk.hear(desk.says.customer_replied("one"))
    assert desk.load("anna") == 2
    assert told(desk.opens("three")) == [(Cause.TEAM_QUEUE, None)]


def test_r6_a_new_one_does_not_overtake_those_who_wait(desk):
    desk.opens("waits", account={})
    desk.agent("anna", capacity=0)
    desk.agent("bruno", team="billing")
    assert desk.ask(SaveAgent(agent="bruno", team="support"))[0].number == 1
    assert desk.owner("waits") == "bruno"


def test_r3_the_least_loaded_gets_the_next(desk):
    for agent in ("carla", "bruno", "anna"):
        desk.agent(agent)
    assert [desk.opens(name)[0].owner for name in "123456"] == ["anna", "bruno", "carla"] * 2


@pytest.mark.parametrize(
    ("reply", "picked_up"),
    [
        pytest.param({}, True, id="R5: the first public reply picks an unowned conversation up"),
        pytest.param({"signal": True}, True, id="R5: a mere signal is a public reply too"),
        pytest.param({"automatic": True}, False, id="R5: an automatic reply picks nothing up"),
    ],
)
def test_the_first_reply(desk, reply, picked_up):
    desk.agent("anna", capacity=0)
    desk.opens("case")
    chosen = desk.hear(desk.says.agent_replied("case", "anna", **reply))
    assert told(chosen) == ([(Cause.FIRST_REPLY, "anna")] if picked_up else [])
    assert all(one.handoff is False and one.record.candidates[0].chosen for one in chosen)


def test_r5_who_answers_anothers_conversation_does_not_get_it(desk):
    desk.agent("anna")
    desk.opens("case")
    assert desk.hear(desk.says.agent_replied("case", "bruno")) == []
    assert desk.owner("case") == "anna"


def test_r5_somebody_unknown_to_routing_may_pick_up_and_counts_when_they_are_made_known(desk):
    desk.opens("case")
    assert told(desk.hear(desk.says.agent_replied("case", "newcomer", signal=True))) == [
        (Cause.FIRST_REPLY, "newcomer")
    ]
    desk.ask(SaveAgent(agent="newcomer", capacity=1), carried=1)
    assert told(desk.opens("next")) == [(Cause.TEAM_QUEUE, None)]


def test_r5_a_reopened_conversation_keeps_its_owner_even_when_they_are_full(desk):
    desk.agent("anna", capacity=1)
    desk.opens("old")
    desk.hear(desk.says.resolved("old"))
    desk.opens("new")
    assert desk.hear(desk.says.customer_replied("old")) == []
    assert desk.owner("old") == "anna"


@pytest.mark.parametrize("availability", ["away", "off_shift"])
def test_r5_a_reopened_conversation_of_somebody_away_goes_on_and_is_a_handoff(desk, availability):
    desk.agent("anna")
    desk.opens("case")
    desk.hear(desk.says.resolved("case"))
    desk.agent("anna", availability=availability)
    desk.agent("bruno")
    [chosen] = desk.hear(desk.says.customer_replied("case"))
    assert (chosen.owner, chosen.previous, chosen.handoff, chosen.handoffs) == ("bruno", "anna", True, 1)
    assert "had it until it was reopened, but is" in chosen.record.steps[0].why


def test_r5_away_does_not_lose_what_was_not_closed(desk):
    desk.agent("anna")
    desk.opens("case")
    desk.hear(desk.says.agent_replied("case", "anna"))
    desk.agent("anna", availability="away")
    assert desk.hear(desk.says.customer_replied("case")) == []


def test_r5_what_nobody_owned_when_it_was_closed_waits_again_when_reopened(desk):
    desk.opens("case")
    desk.hear(desk.says.resolved("case"))
    assert desk.agent("anna") == []
    assert told(desk.hear(desk.says.customer_replied("case"))) == [(Cause.CAPACITY_FREED, "anna")]


def test_spam_that_was_none_after_all_waits_in_its_rules_queue_again(desk):
    desk.with_rules({"name": "Invoices", "words": ("invoice",), "team": "billing"})
    desk.opens("case", text="My invoice")
    desk.hear(desk.says.reviewed("case", "spam"))
    assert desk.agent("bruno", team="billing") == []
    assert told(desk.hear(desk.says.reviewed("case", "valid"))) == [(Cause.CAPACITY_FREED, "bruno")]


def test_r5_handoffs_are_counted_with_their_reason_and_nobody_to_person_is_none(desk, claim, hand_over):
    desk.opens("case")
    desk.agent("anna", availability="busy")
    desk.agent("bruno", availability="busy")
    first = desk.ask(claim("case", "anna"))[0]
    second = desk.ask(hand_over("case", "bruno"), actor="anna")[0]
    third = desk.ask(hand_over("case", "anna"))[0]
    assert [(one.handoff, one.handoffs) for one in (first, second, third)] == [(False, 0), (True, 1), (True, 2)]
    assert second.reason == "Anna handed it over to Bruno: Speaks French"


def test_r1_a_suspended_conversation_waits_for_its_review_and_rules_then_see_its_text(desk):
    desk.agent("anna")
    desk.agent("bruno")
    desk.with_rules({"name": "Refunds", "words": ("refund",), "owner": "bruno"})
    assert desk.opens("case", stage=Stage.SUSPENDED, text="A refund, please") == []
    assert desk.floor.assignments[next(iter(desk.floor.assignments))].held
    assert told(desk.hear(desk.says.reviewed("case", "valid"))) == [(Cause.KEYWORD_RULE, "bruno")]
    assert not desk.floor.assignments[next(iter(desk.floor.assignments))].held


def test_c2_what_an_agent_starts_is_theirs_with_their_first_message(desk):
    desk.agent("anna")
    desk.agent("bruno")
    assert desk.opens("case", kind=Kind.AGENT) == []
    assert told(desk.hear(desk.says.agent_replied("case", "bruno"))) == [(Cause.FIRST_REPLY, "bruno")]


def test_what_was_owned_before_routing_heard_of_it_keeps_its_owner(desk):
    desk.agent("anna")
    assert desk.opens("case", owner="anna") == []
    assert (desk.owner("case"), desk.load("anna")) == ("anna", 1)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(lambda says: says.customer_replied("case"), id="a customer's reply"),
        pytest.param(lambda says: says.agent_replied("case", "anna"), id="an agent's reply"),
        pytest.param(lambda says: says.resolved("case"), id="a resolution"),
        pytest.param(lambda says: says.reviewed("case", "spam"), id="a review"),
        pytest.param(lambda says: says.priority_changed("case", Priority.HIGH), id="a choice of priority"),
    ],
)
def test_an_event_of_a_conversation_that_routing_never_met_is_taken_in(desk, says, said):
    says.opened("case")
    desk.says = says
    desk.agent("anna")
    desk.hear(said(says))
    assert desk.agent("bruno") == []


def test_what_was_met_late_is_routed_as_soon_as_it_waits_for_us(desk, says):
    says.opened("case")
    says.agent_replied("case", "zoe", automatic=True)
    says.put_on_hold("case")
    desk.says = says
    desk.agent("anna")
    assert told(desk.hear(says.customer_replied("case"))) == [(Cause.TEAM_STRUCTURE, "anna")]


def test_an_agent_keeps_what_a_command_does_not_name(desk):
    desk.agent("anna", email="anna@example.org", capacity=3)
    desk.ask(SaveAgent(agent="anna", availability="busy"))
    anna = desk.floor.agents["anna"]
    assert (anna.email, anna.capacity, anna.availability, anna.name) == ("anna@example.org", 3, "busy", "Anna")


def test_a_team_is_made_before_its_agents(desk):
    desk.ask(SaveTeam(team="night"))
    desk.agent("anna", team="night")
    assert desk.floor.teams["night"] == Team()


def test_r6_more_than_a_batch_knows_is_assigned_by_waking_again(desk):
    for number in range(120):
        desk.opens(f"case {number}")
    desk.floor = first_of_queue(desk.floor, 100)
    assert len(desk.agent("anna", capacity=110)) == 100
    assert desk.due() == desk.says.now + timedelta(milliseconds=1)


def first_of_queue(floor, count):
    known = dict(list(floor.waiting.items())[:count])
    return type(floor)(
        floor.policy, floor.agents, floor.teams, floor.product, known, known,
        overflowing=frozenset({"support"}), at=floor.at,
    )  # fmt: skip
