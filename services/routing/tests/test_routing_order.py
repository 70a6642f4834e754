from typing import Any

import pytest

from deskstream.contracts.facts import Priority
from deskstream.contracts.routing import Cause

People = dict[str, dict[str, Any]]

ANNA: People = {"anna": {}}
BOTH: People = {"anna": {}, "bruno": {}}
REFUNDS = {"name": "Refunds", "words": ("refund",), "owner": "anna"}
TO_BILLING = {"name": "Invoices", "words": ("invoice",), "team": "billing"}
AWAY = {"availability": "away"}
FULL = {"capacity": 0}


@pytest.mark.parametrize(
    ("agents", "rules", "opened", "cause", "owner"),
    [
        pytest.param(
            BOTH, [REFUNDS], {"account": {"default_owner": "bruno"}, "text": "I want a refund."},
            Cause.KEYWORD_RULE, "anna",
            id="R1: a keyword rule beats the account's default owner",
        ),
        pytest.param(
            BOTH, [REFUNDS], {"account": {"default_owner": "bruno"}, "text": "It is broken."},
            Cause.ACCOUNT_DEFAULT, "bruno",
            id="R1: where no rule matches, the account's default owner has it",
        ),
        pytest.param(
            BOTH, [], {"account": {"default_owner": "anna"}, "workspace": {"default_owner": "bruno"}},
            Cause.WORKSPACE_DEFAULT, "bruno",
            id="R1: the workspace's default owner comes before the account's",
        ),
        pytest.param(
            {"anna": AWAY, "bruno": {}},
            [], {"account": {"default_owner": "bruno"}, "workspace": {"default_owner": "anna"}},
            Cause.ACCOUNT_DEFAULT, "bruno",
            id="R1: an owner who is away passes it on",
        ),
        pytest.param(
            {"anna": FULL, "bruno": {}}, [], {"account": {"default_owner": "anna"}},
            Cause.TEAM_STRUCTURE, "bruno",
            id="R6: an owner who is full passes it on to the team",
        ),
        pytest.param(
            {"anna": {"availability": "busy"}}, [], {"account": {"default_owner": "anna"}},
            Cause.TEAM_QUEUE, None,
            id="R6: who is busy gets nothing by itself",
        ),
        pytest.param(
            {"anna": AWAY, "bruno": {}}, [REFUNDS], {"account": {"default_owner": "bruno"}, "text": "refund"},
            Cause.ACCOUNT_DEFAULT, "bruno",
            id="R1: a rule whose owner is away passes it on to the default owner",
        ),
        pytest.param(
            {"anna": AWAY, "bruno": {}, "carla": {"team": "billing"}}, [REFUNDS | {"team": "billing"}],
            {"account": {"default_owner": "bruno"}, "text": "refund"},
            Cause.TEAM_STRUCTURE, "carla",
            id="R1: a rule with a team keeps it in that team when its owner is away",
        ),
        pytest.param(
            BOTH | {"carla": {"team": "billing"}}, [TO_BILLING],
            {"account": {"default_owner": "bruno"}, "text": "About invoice 12"},
            Cause.TEAM_STRUCTURE, "carla",
            id="R1: a rule's team comes before the default owner",
        ),
        pytest.param(
            BOTH, [REFUNDS], {"follow_up_of": "ID", "earlier_owner": "bruno", "text": "refund"},
            Cause.EARLIER_OWNER, "bruno",
            id="R5: a follow-up returns to its earlier owner, whatever the rules say",
        ),
        pytest.param(
            {"anna": {}, "bruno": AWAY}, [REFUNDS], {"follow_up_of": "ID", "earlier_owner": "bruno", "text": "refund"},
            Cause.KEYWORD_RULE, "anna",
            id="R5: a follow-up whose earlier owner is away goes the usual way",
        ),
        pytest.param(
            {"anna": {}, "zoe": {"team": "billing"}}, [], {"account": {"default_owner": "zoe"}},
            Cause.ACCOUNT_DEFAULT, "zoe",
            id="R1: a default owner may belong to another team",
        ),
        pytest.param(
            ANNA, [], {"account": {"default_owner": "gone-since-long"}},
            Cause.TEAM_STRUCTURE, "anna",
            id="R1: a default owner whom routing does not know passes it on",
        ),
        pytest.param({}, [], {}, Cause.TEAM_QUEUE, None, id="R1: where nobody works, it waits in the team's queue"),
        pytest.param(BOTH, [], {}, Cause.TEAM_STRUCTURE, "anna", id="R3: of two as free, the first by handle"),
        pytest.param(
            ANNA, [REFUNDS | {"enabled": False, "owner": None, "team": "billing"}], {"text": "refund"},
            Cause.TEAM_STRUCTURE, "anna",
            id="R1: a rule that is not enabled is no rule",
        ),
    ],
)  # fmt: skip
def test_the_order_of_r1(desk, id_named, agents, rules, opened, cause, owner):
    for agent, fields in agents.items():
        desk.agent(agent, **fields)
    if "follow_up_of" in opened:
        opened = opened | {"follow_up_of": id_named("archived long ago")}
    [chosen] = desk.with_rules(*rules).opens("case", **opened)
    assert (chosen.cause, chosen.owner) == (cause, owner)
    assert chosen.handoff is False
    assert [person.agent for person in chosen.record.candidates if person.chosen] == ([owner] if owner else [])
    assert cause in [step.name for step in chosen.record.steps if step.matched]


@pytest.mark.parametrize(
    ("account", "rules", "priority"),
    [
        pytest.param({}, [], Priority.NORMAL, id="R2: a customer's starts normal"),
        pytest.param(None, [], Priority.LOW, id="R2: a stranger's starts one level lower"),
        pytest.param({"stage": "prospect"}, [], Priority.LOW, id="R2: a prospect's starts one level lower"),
        pytest.param({"stage": "churned"}, [], Priority.NORMAL, id="R2: who was a customer is not lowered"),
        pytest.param({"tier": "Enterprise"}, [], Priority.HIGH, id="R2: the tier counts, whatever its case"),
        pytest.param({"tier": "unheard-of"}, [], Priority.NORMAL, id="R2: a tier nobody configured is normal"),
        pytest.param(
            {"tier": "enterprise", "priority": "urgent"}, [], Priority.URGENT,
            id="R2: the account's priority comes before its tier",
        ),
        pytest.param(
            {"stage": "prospect", "tier": "free"}, [], Priority.LOW, id="R2: nothing is lower than low",
        ),
        pytest.param(
            {"stage": "prospect", "priority": "urgent"}, [], Priority.HIGH,
            id="R2: a prospect's own priority is lowered too",
        ),
        pytest.param(
            {"priority": "low"}, [{"name": "Outage", "words": ("down",), "priority": "urgent"}], Priority.URGENT,
            id="R2: a rule comes before the account's priority",
        ),
        pytest.param(
            None, [{"name": "Outage", "words": ("down",), "priority": "urgent"}], Priority.URGENT,
            id="R2: what a rule sets is not lowered",
        ),
    ],
)  # fmt: skip
def test_the_priority_of_r2(desk, account, rules, priority):
    [chosen] = desk.with_rules(*rules).opens("case", account=account, text="Everything is down")
    assert chosen.priority is priority
    assert chosen.record.inputs["priority"].startswith(priority)


def test_r2_a_persons_choice_is_kept_when_it_is_routed_again(desk):
    desk.agent("anna")
    desk.opens("case", account={"tier": "enterprise"})
    desk.hear(desk.says.priority_changed("case", Priority.URGENT))
    desk.hear(desk.says.resolved("case"))
    desk.agent("anna", availability="away")
    [chosen] = desk.hear(desk.says.customer_replied("case"))
    assert (chosen.priority, chosen.record.inputs["priority"]) == (Priority.URGENT, "urgent: a person chose it")


def test_r2_what_a_rule_set_stays_when_it_is_routed_again(desk):
    desk.with_rules({"name": "Outage", "words": ("down",), "priority": "urgent"}).agent("anna")
    desk.opens("case", text="All is down")
    desk.hear(desk.says.resolved("case"))
    desk.agent("anna", availability="away")
    [chosen] = desk.hear(desk.says.customer_replied("case"))
    assert (chosen.cause, chosen.priority) == (Cause.TEAM_QUEUE, Priority.URGENT)


def test_r2_a_choice_made_before_the_review_is_kept(desk):
    desk.opens("case", stage="suspended")
    desk.hear(desk.says.priority_changed("case", Priority.URGENT))
    [chosen] = desk.hear(desk.says.reviewed("case", "valid"))
    assert chosen.priority is Priority.URGENT


def test_why_anna_why_not_bruno(desk):
    for agent in ("anna", "bruno", "carla"):
        desk.agent(agent)
    desk.with_rules(
        {"name": "Outage", "position": 1, "words": ("down",), "priority": "urgent"},
        {"name": "Refunds", "position": 2, "words": ("refund",), "owner": "anna"},
        {"name": "Also refunds", "position": 3, "pattern": "re.?fund", "owner": "carla"},
    )
    [chosen] = desk.opens("case", account={"default_owner": "bruno"}, text="I want a refund")
    assert chosen.reason == "Anna is named by rule “Refunds”."
    assert [(step.name, step.matched, step.why) for step in chosen.record.steps] == [
        ("earlier_owner", False, "it follows up no other conversation"),
        ("keyword_rule:Outage", False, "none of its words occurs: down"),
        ("keyword_rule:Refunds", True, "every condition holds: words"),
        ("keyword_rule:Also refunds", False, "it matches too, but another one comes first"),
        ("keyword_rule", True, "Anna is named by rule “Refunds”"),
        ("workspace_default", False, "the contact belongs to no workspace"),
        ("account_default", False, "not tried: the keyword rule decided"),
        ("team_structure", False, "not tried: the keyword rule decided"),
    ]
    assert {person.agent: person.why for person in chosen.record.candidates} == {
        "anna": "is named by rule “Refunds”",
        "bruno": "is default owner of Acme, but the keyword rule decided before",
    }
    assert chosen.record.rules_version == 1


def test_r7_the_record_says_why_each_of_the_team_was_passed_over(desk):
    desk.agent("bruno")
    desk.opens("earlier")
    desk.agent("anna")
    desk.agent("carla", availability="away")
    desk.agent("dora", capacity=0)
    desk.agent("erik", availability="off_shift")
    desk.agent("finn", team="billing")
    desk.agent("gina")
    [chosen] = desk.opens("case", account={"default_owner": "carla"})
    assert {person.agent: person.why for person in chosen.record.candidates} == {
        "anna": "is free and carries least: 0 of 10",
        "bruno": "is free, but carries 1 of 10: the least load wins, then the handle",
        "carla": "is default owner of Acme, but is away",
        "dora": "is full: carries 0 of 0",
        "erik": "is off shift",
        "gina": "is free, but carries 0 of 10: the least load wins, then the handle",
    }


def test_r7_a_large_team_is_recorded_as_far_as_it_matters(desk):
    for number in range(300):
        desk.agent(f"agent-{number:03}", capacity=1 + number % 2)
    [chosen] = desk.opens("case")
    assert len(chosen.record.candidates) == 51
    assert chosen.record.inputs["candidates_left_out"].startswith("249,")
