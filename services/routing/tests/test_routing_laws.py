from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deskstream.contracts import Refused
from deskstream.contracts.facts import Stage
from deskstream.contracts.routing import Cause, Claim, HandOver, NextUp, SaveTeam
from deskstream.routing.domain import order
from deskstream.routing.domain.hearing import evolve
from deskstream.routing.domain.team import crew, preferred

AGENTS = st.sampled_from(["anna", "bruno", "carla", "dora"])
TEAMS = st.sampled_from(["support", "billing"])
CASES = st.integers(0, 11).map(lambda number: f"case {number}")
ACCOUNTS = st.sampled_from([None, {}, {"priority": "urgent"}, {"tier": "free"}, {"default_owner": "carla"}])
STEPS = st.one_of(
    st.tuples(st.just("opened"), CASES, ACCOUNTS, st.sampled_from([Stage.NEW, Stage.NEW, Stage.SUSPENDED])),
    st.tuples(st.just("customer_replied"), CASES),
    st.tuples(st.just("agent_replied"), CASES, st.one_of(AGENTS, st.just("stranger"))),
    st.tuples(st.sampled_from(["resolved", "archived", "put_on_hold"]), CASES),
    st.tuples(st.just("reviewed"), CASES, st.sampled_from(["valid", "spam"])),
    st.tuples(st.just("priority_changed"), CASES, st.sampled_from(["low", "high", "urgent"])),
    st.tuples(st.just("agent"), AGENTS, TEAMS, st.integers(0, 3), st.sampled_from(["available", "busy", "away"])),
    st.tuples(
        st.just("part"),
        st.sampled_from(["1", "2"]),
        st.lists(AGENTS, max_size=2, unique=True),
        st.none() | AGENTS,
        st.sampled_from(["planned", "supported"]),
    ),
    st.tuples(st.just("team"), TEAMS, st.sampled_from(["chaos", "product_centric", "part_owners"]), st.booleans()),
    st.tuples(st.just("claim"), CASES, AGENTS),
    st.tuples(st.just("hand_over"), CASES, AGENTS),
    st.tuples(st.just("next_up"), AGENTS),
)


ABOUT = [{"name": f"about {number}", "words": (str(number),), "part": f"PART-{number}"} for number in (1, 2)]


@pytest.fixture
def play(new_desk, id_named):
    def ask(desk, command):
        try:
            desk.ask(command)
        except Refused:
            return

    def step(desk, kind, name, *rest):
        desk.says.later(seconds=1)
        known = name in desk.says.facts
        match kind:
            case "agent":
                team, capacity, availability = rest
                desk.agent(name, team=team, capacity=capacity, availability=availability)
            case "part":
                desk.part(int(name), owners=rest[0], first_expert=rest[1], maturity=rest[2])
            case "team":
                desk.ask(SaveTeam(team=name, structure=rest[0], planned_owners=rest[1]))
            case "opened" if not known:
                desk.opens(name, account=rest[0], stage=rest[1], text=f"about {int(name[5:]) % 3}")
            case "claim" if known:
                ask(desk, Claim(conversation_id=id_named(name), agent=rest[0]))
            case "hand_over" if known:
                ask(desk, HandOver(conversation_id=id_named(name), to=rest[0], reason="because"))
            case "next_up":
                ask(desk, NextUp(agent=name))
            case _ if known and kind not in ("opened", "claim", "hand_over"):
                desk.hear(getattr(desk.says, kind)(name, *rest))

    return new_desk, step


@pytest.mark.slow
@given(steps=st.lists(STEPS, max_size=60))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_laws_of_the_floor(play, steps):
    new_desk, step = play
    desk = new_desk().with_rules(*ABOUT)
    for one in steps:
        before, told = desk.floor, len(desk.log)
        step(desk, *one)
        loads_are_sums_of_weights(desk.floor)
        queues_hold_what_waits(desk.floor)
        nobody_free_while_somebody_waits(desk.floor)
        assignments_keep_to_capacity_and_order(desk, before, desk.log[told:])


def loads_are_sums_of_weights(floor):
    carried = Counter[str | None]()
    for assignment in floor.assignments.values():
        carried[assignment.owner] += assignment.weight
    assert {agent.id: agent.load for agent in floor.agents.values()} == {
        agent: carried[agent] for agent in floor.agents
    }


def queues_hold_what_waits(floor):
    assert floor.waiting == {known: one for known, one in floor.assignments.items() if one.waits}


def nobody_free_while_somebody_waits(floor):
    for one in floor.waiting.values():
        first = [who.agent for who in preferred(floor, one.team, one.part)]
        able = [*crew(floor, one.team), *(floor.agents[who] for who in first if who in floor.agents)]
        assert not [agent.id for agent in able if agent.takes(1)]


def assignments_keep_to_capacity_and_order(desk, before, said):
    floor = before
    for one in said:
        assert [person.agent for person in one.record.candidates if person.chosen] == [one.owner] * (
            one.owner is not None
        )
        assert sum(step.matched and not step.name.startswith("keyword_rule:") for step in one.record.steps) == 1
        owner = desk.floor.agents.get(one.owner)
        if owner is not None and one.cause is not Cause.FIRST_REPLY:
            assert desk.floor.assignments[one.conversation_id].weight == 0 or owner.load <= owner.capacity
        assert one.handoff == (None not in (one.owner, one.previous) and one.owner != one.previous)
    if said and said[0].cause is Cause.NEXT_UP:
        queue = [waiting for waiting in floor.waiting.values() if waiting.team == said[0].team]
        assert min(queue, key=order).conversation_id == said[0].conversation_id


@given(
    waiting=st.lists(
        st.sampled_from([None, {}, {"priority": "urgent"}, {"priority": "high"}]), min_size=1, max_size=20
    ),
    free=st.integers(1, 20),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_r9_what_waits_is_given_in_order(new_desk, waiting, free):
    desk = new_desk()
    for number, account in enumerate(waiting):
        desk.says.later(seconds=number % 3)
        desk.opens(f"case {number}", account=account)
    queue = sorted(desk.floor.waiting.values(), key=order)
    given_out = desk.agent("anna", capacity=free)
    assert [one.conversation_id for one in given_out] == [one.conversation_id for one in queue[:free]]


@given(steps=st.lists(STEPS, max_size=40))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_same_story_has_the_same_end(play, steps):
    new_desk, step = play
    ends = []
    for _ in range(2):
        desk = new_desk()
        for one in steps:
            step(desk, *one)
        ends.append((desk.log, desk.floor))
    assert ends[0] == ends[1]


def test_evolve_leaves_the_floor_as_it_is_when_nothing_concerns_it(desk):
    desk.opens("case")
    assert evolve(desk.floor, desk.says.customer_replied("case")) is desk.floor
