import pytest

from deskstream.contracts.routing import Explain, HandOver, ListAgents, ListRules, SaveAgent, SaveRule
from deskstream.routing.store import asking


async def test_r7_every_decision_can_be_explained(replicas, says, id_named):
    await replicas.ask(*(SaveAgent(agent=agent, name=agent.title()) for agent in ("anna", "bruno", "carla")))
    await replicas.ask(SaveRule(name="Refunds", words=("refund",), owner="anna"))
    await replicas.hear(says.opened("case", text="A refund!", account={"default_owner": "bruno"}))
    await replicas.ask(HandOver(conversation_id=id_named("case"), to="carla", reason="French"), actor="anna")
    explained = await asking.explain(replicas.pool, Explain(number=1))
    assert [decision["cause"] for decision in explained["decisions"]] == ["handed_over", "keyword_rule"]
    assert (explained["owner"], explained["handoffs"], explained["left_out"]) == ("carla", 1, 0)
    assert len(await replicas.said("owner_chosen")) == len(explained["decisions"])


@pytest.mark.parametrize(
    ("agent", "why"),
    [
        pytest.param("anna", "anna is the owner: Anna is named by rule “Refunds”.", id="why me?"),
        pytest.param(
            "bruno",
            "bruno was passed over: is default owner of Acme, but the keyword rule decided before.",
            id="why not Bruno?",
        ),
        pytest.param(
            "carla",
            "carla was no candidate: keyword_rule:Refunds decided, and names nobody like that.",
            id="why not her?",
        ),
    ],
)
async def test_r7_why(replicas, says, agent, why):
    await replicas.ask(*(SaveAgent(agent=agent, name=agent.title()) for agent in ("anna", "bruno", "carla")))
    await replicas.ask(SaveRule(name="Refunds", words=("refund",), owner="anna"))
    await replicas.hear(says.opened("case", text="A refund!", account={"default_owner": "bruno"}))
    assert (await asking.explain(replicas.pool, Explain(number=1, agent=agent)))["why"] == why


async def test_lists(replicas, says):
    await replicas.ask(SaveAgent(agent="anna", capacity=1), SaveAgent(agent="bruno", capacity=0))
    await replicas.hear(says.opened("one"), says.opened("two"))
    await replicas.ask(*(SaveRule(name=f"rule {n}", position=9 - n, team="support") for n in range(5)))
    listed = await asking.list_agents(replicas.pool, ListAgents())
    assert [(agent["id"], agent["load"], agent["capacity"]) for agent in listed["agents"]] == [
        ("anna", 1, 1), ("bruno", 0, 0),
    ]  # fmt: skip
    assert listed["teams"] == [{"team": "support", "structure": "chaos", "planned_owners": False, "waiting": 1}]
    rules = await asking.list_rules(replicas.pool, ListRules(skip=1, limit=2))
    assert ([rule["name"] for rule in rules["rules"]], rules["count"]) == (["rule 3", "rule 2"], 5)
