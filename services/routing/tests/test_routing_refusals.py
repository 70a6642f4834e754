import pytest

from deskstream.contracts import Refused
from deskstream.contracts.facts import Stage
from deskstream.contracts.routing import Claim, HandOver, NextUp, SaveAgent


@pytest.fixture
def claim(id_named):
    return lambda name, agent: Claim(conversation_id=id_named(name), agent=agent)


@pytest.fixture
def hand_over(id_named):
    return lambda name, to: HandOver(conversation_id=id_named(name), to=to, reason="Speaks French")


@pytest.mark.parametrize(
    ("agent", "conversation", "code"),
    [
        pytest.param("nobody", "free", "unknown_agent", id="somebody unknown"),
        pytest.param("anna", "unheard-of", "unknown_conversation", id="a conversation that does not exist"),
        pytest.param("anna", "owned", "already_owned", id="somebody else's"),
        pytest.param("away", "free", "agent_away", id="while away"),
        pytest.param("full", "free", "over_capacity", id="beyond capacity"),
        pytest.param("anna", "spam", "not_open", id="a suspended one"),
    ],
)
def test_a_claim_is_refused(desk, claim, agent, conversation, code):
    desk.agent("bruno", capacity=1)
    desk.opens("owned")
    desk.agent("anna", availability="busy")
    desk.agent("away", availability="away")
    desk.agent("full", capacity=0)
    desk.opens("free")
    desk.opens("spam", stage=Stage.SUSPENDED)
    with pytest.raises(Refused) as refused:
        desk.ask(claim(conversation, agent))
    assert refused.value.code == code
    assert refused.value.sentence.endswith(".")


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        pytest.param(NextUp(agent="anna"), "nothing_waits", id="R9: next up of an empty queue"),
        pytest.param(NextUp(agent="nobody"), "unknown_agent", id="R9: next up of somebody unknown"),
        pytest.param(SaveAgent(agent="anna", team="nowhere"), "unknown_team", id="R6: an agent of no team"),
    ],
)
def test_a_command_is_refused(desk, ask, code):
    desk.agent("anna")
    with pytest.raises(Refused) as refused:
        desk.ask(ask)
    assert refused.value.code == code


def test_r5_a_hand_over_to_its_owner_is_refused(desk, hand_over):
    desk.agent("anna")
    desk.opens("case")
    with pytest.raises(Refused, match="already_theirs"):
        desk.ask(hand_over("case", "anna"))
