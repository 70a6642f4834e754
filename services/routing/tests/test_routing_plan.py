import pytest

from deskstream.contracts.routing import SaveAgent, SaveRule, SaveTeam
from deskstream.routing.imports import PlanRefused, read_plan

PLAN = """
[teams.billing]

[[rules]]
name = "Refunds"
words = ["refund", "money back"]
owner = "anna"

[[rules]]
name = "Slack"
channels = ["slack"]
team = "billing"
priority = "high"

[agents.anna]
name = "Anna Berg"
team = "billing"
capacity = 8
availability = "away"
"""


def test_a_file_becomes_commands_in_an_order_that_works():
    assert read_plan(PLAN.encode()) == [
        SaveTeam(team="billing"),
        SaveAgent(agent="anna", name="Anna Berg", team="billing", capacity=8, availability="away"),
        SaveRule(name="Refunds", position=10, words=("refund", "money back"), owner="anna"),
        SaveRule(name="Slack", position=20, channels=("slack",), team="billing", priority="high"),
    ]


def test_an_empty_file_asks_for_nothing():
    assert read_plan(b"") == []


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param("[agent.anna]", "agent: there is no such table; known are teams, agents, rules", id="a table"),
        pytest.param("[agents.anna]\ncapicity = 3", "agents.anna.capicity: there is no such key", id="a key"),
        pytest.param("[agents.anna]\ncapacity = -1", "agents.anna.capacity: Input should be greater", id="a number"),
        pytest.param("[agents.anna]\navailability = 'ill'", "agents.anna.availability: Input should be", id="a state"),
        pytest.param("[agents.anna]\nagent = 'bo'", "agents.anna.agent: the handle stands", id="a handle twice"),
        pytest.param("[agents.'Anna B']", "agents.Anna B.agent: String should match", id="a handle with a space"),
        pytest.param("agents = 3", "agents: write each one as [agents.<handle>]", id="no table"),
        pytest.param("[agents]\nanna = 3", "agents.anna: write each one as [agents.<handle>]", id="no table within"),
        pytest.param("[rules.x]", "rules: write each rule as [[rules]]", id="a rule with a handle"),
        pytest.param("rules = [1]", "rules[1]: write each rule as [[rules]]", id="a rule that is a number"),
        pytest.param("[[rules]]\nowner = 'anna'", "rules[1].name: Field required", id="a rule without name"),
        pytest.param("[[rules]]\nname = 'x'\npattern = 'a('", "rules[1].pattern: The pattern has", id="a pattern"),
        pytest.param("[[rules]]\nname = 'x'\nwords = ['?']", "rules[1].words: “?” has no letter", id="a word"),
        pytest.param("[[rules]]\nname='x'\n[[rules]]\nname='x'", "rules: two rules are named “x”", id="a name twice"),
        pytest.param("[teams.night]\nstructure = 'tiered'", "teams.night.structure: Input should be", id="a structure"),
        pytest.param("a = [" * 5000, "the file is not TOML", id="nested beyond measure"),
        pytest.param("x = ", "the file is not TOML", id="no TOML"),
        pytest.param("#" * 1024 * 1025, "the file is larger than 1024 KiB", id="too large"),
    ],
)
def test_a_mistake_is_named_with_table_and_key(content, problem):
    with pytest.raises(PlanRefused) as refused:
        read_plan(content.encode())
    assert [found for found in refused.value.problems if found.startswith(problem)]


def test_all_mistakes_are_told_at_once():
    with pytest.raises(PlanRefused) as refused:
        read_plan(b"[agents.anna]\ncapacity = 'x'\nteem = 'y'\n[[rules]]\npattern = '('\nname = 'z'")
    assert len(refused.value.problems) == 3


def test_a_file_that_is_no_text_is_refused():
    with pytest.raises(PlanRefused, match="not UTF-8: byte 2"):
        read_plan(b"a \xff\xfe")
