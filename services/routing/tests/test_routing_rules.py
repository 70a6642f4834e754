import unicodedata
from uuid import UUID

import pytest

from deskstream.contracts import Refused
from deskstream.contracts.facts import ConversationFacts
from deskstream.contracts.ids import AgentId, RuleId, TeamId
from deskstream.contracts.routing import RemoveRule, RuleFacts, SaveRule
from deskstream.routing.domain import RulesTried, Seen, rulebook
from deskstream.routing.domain.rulebook import RuleAsked, Rulebook
from deskstream.routing.matching import CompiledRules, mistake_in
from deskstream.routing.matching.finding import Patterns


@pytest.fixture
def tried(says):
    def try_rules(rules, text="", **facts) -> RulesTried:
        said = says.opened("case", **facts)
        after: ConversationFacts = said.after
        return CompiledRules(7, [RuleFacts(**rule) for rule in rules]).tried_on(Seen(after, text))

    return try_rules


def rule_facts(name, position, **more):
    return RuleFacts(name=name, position=position, **more)


@pytest.mark.parametrize(
    ("rule", "text", "matches"),
    [
        pytest.param({"words": ("refund",)}, "REFUND!", True, id="whatever the case"),
        pytest.param({"words": ("refund",)}, "refunding", False, id="only whole words"),
        pytest.param({"words": ("refund",)}, "pre-refund/now", True, id="punctuation ends a word"),
        pytest.param({"words": ("Ärger",)}, "großer ÄRGER hier", True, id="letters beyond ASCII, whatever the case"),
        pytest.param({"words": ("ärger",)}, unicodedata.normalize("NFD", "Ärger"), True, id="however it was typed"),
        pytest.param({"words": ("STRASSE",)}, "in der Straße", True, id="sharp s is double s"),
        pytest.param({"words": ("anger",)}, "hanger", False, id="no part of a longer word"),
        pytest.param({"words": ("nger",)}, "Änger", False, id="a letter beyond ASCII is no end of a word"),
        pytest.param({"words": ("log in",)}, "I cannot log  in.", True, id="a phrase, however it is spaced"),
        pytest.param({"words": ("log in",)}, "the log inside", False, id="a phrase ends with its word"),
        pytest.param({"words": ("log in",)}, "in the log", False, id="a phrase has an order"),
        pytest.param({"words": ("退款",)}, "我要退款谢谢", True, id="scripts without spaces are looked into"),
        pytest.param({"words": ("кредит", "refund")}, "Хочу КРЕДИТ", True, id="any of the words"),
        pytest.param({"pattern": "inv-[0-9]{3}"}, "see inv-123", True, id="a pattern anywhere"),
        pytest.param({"pattern": "inv-[0-9]{3}"}, "see INV-123", False, id="a pattern means what it says"),
        pytest.param({"pattern": "(?i)inv-[0-9]{3}"}, "see INV-123", True, id="a pattern may ignore the case"),
        pytest.param(
            {"words": ("see",), "pattern": "[0-9]{3}"}, "see 12", False, id="words and pattern must both hold"
        ),
        pytest.param({"pattern": "^"}, "", True, id="a pattern that everything matches"),
        pytest.param({}, "anything", True, id="no condition at all"),
    ],
)
def test_r1_what_a_text_says(tried, rule, text, matches):
    found = tried([{"name": "It", **rule}], text)
    assert (found.winner is not None) is matches
    assert found.steps[0].matched is matches


@pytest.mark.parametrize(
    ("rule", "facts", "matches"),
    [
        pytest.param({"channels": ("email", "slack")}, {}, True, id="one of the channels"),
        pytest.param({"channels": ("slack",)}, {}, False, id="another channel"),
        pytest.param({"inboxes": ("Feedback",)}, {"inbox": "feedback"}, True, id="the inbox, whatever the case"),
        pytest.param({"accounts": ("ACME",)}, {"account": {}}, True, id="an account by name"),
        pytest.param({"accounts": ("Acme",)}, {}, False, id="no account"),
        pytest.param({"tiers": ("enterprise",)}, {"account": {"tier": "Enterprise"}}, True, id="a tier"),
        pytest.param({"tiers": ("enterprise",)}, {"account": {}}, False, id="an account without tier"),
        pytest.param({"languages": ("de",)}, {"language": "de"}, True, id="a language"),
        pytest.param({"languages": ("de",)}, {}, False, id="a language nobody knows"),
        pytest.param({"words": ("now",), "channels": ("slack",)}, {}, False, id="every condition must hold"),
    ],
)
def test_r1_what_a_conversation_is(tried, rule, facts, matches):
    assert (tried([{"name": "It", **rule}], "now", **facts).winner is not None) is matches


def test_r1_an_account_is_known_by_its_id_too(tried, id_named):
    assert tried([{"name": "It", "accounts": (str(id_named("acme")),)}], account={}).winner


def test_r1_the_first_by_position_wins_then_by_name(tried):
    rules = [{"name": name, "position": position} for name, position in (("c", 2), ("b", 1), ("a", 2), ("aa", 1))]
    found = tried(rules)
    assert found.winner == rule_facts("aa", 1)
    assert [step.name for step in found.steps] == [f"keyword_rule:{name}" for name in ("aa", "b", "a", "c")]
    assert found.version == 7


def test_r7_the_record_has_the_first_fifty_and_what_matched_further_down(tried):
    rules = [{"name": f"rule {n:04}", "position": n, "words": (f"word{n}",)} for n in range(1000)]
    found = tried(rules, "word700 word3 word900")
    assert found.winner == rule_facts("rule 0003", 3, words=("word3",))
    assert [step.name for step in found.steps[50:]] == [
        "keyword_rule:rule 0700", "keyword_rule:rule 0900", "keyword_rules",
    ]  # fmt: skip
    assert found.steps[-1].why == "948 more were tried and decided nothing"
    assert sum(step.matched for step in found.steps) == 1


def test_r7_each_rule_tells_which_condition_did_not_hold(tried):
    rules = [
        {"name": "a", "words": ("now",), "channels": ("slack",)},
        {"name": "b", "pattern": "x+"},
        {"name": "c", "tiers": ("gold", "silver")},
    ]
    assert [step.why for step in tried(rules, "now").steps] == [
        "the channel is none of: slack",
        "its pattern is not found: x+",
        "the tier is none of: gold, silver",
    ]


def test_a_pattern_that_takes_for_ever_elsewhere_is_quick(tried):
    assert tried([{"name": "evil", "pattern": "(a+)+$"}], "a" * 8000 + "b").winner is None


@pytest.mark.slow
def test_patterns_too_large_for_one_pass_are_tried_one_by_one():
    many = [f"(?i)[a-z]{{1,900}}{number}x" for number in range(400)]
    patterns = Patterns([*many, "needle"])
    assert patterns.found_in("a needle, and q7X") == {"needle", "(?i)[a-z]{1,900}7x"}


@pytest.mark.parametrize(
    ("pattern", "position"),
    [
        pytest.param("a(b", 1, id="a parenthesis never closed"),
        pytest.param("(a)(b[)]", 3, id="one in brackets closes nothing"),
        pytest.param(r"(a\)", 0, id="an escaped one closes nothing"),
        pytest.param("a(b)c)d", 5, id="a parenthesis too many"),
        pytest.param("ab[z-a]c", 3, id="a range the wrong way round"),
        pytest.param("a(?=b)", 1, id="looking ahead is not RE2"),
        pytest.param(r"(a)\1", 3, id="a reference back is not RE2"),
        pytest.param("a**", 1, id="repeated twice"),
        pytest.param("*a", 0, id="nothing to repeat"),
        pytest.param("é[", 1, id="counted in characters"),
        pytest.param("x{1001}", 1, id="repeated too often"),
    ],
)
def test_a_mistake_is_shown_where_it_is(pattern, position):
    mistake = mistake_in((), pattern)
    assert mistake is not None
    assert (mistake.code, mistake.position) == ("bad_pattern", position)
    assert f"character {position + 1}:" in mistake.sentence


def test_a_pattern_too_large_is_refused():
    assert mistake_in((), "((a{1,30}b){1,30}c){1,30}") is not None


@pytest.fixture
def book(now):
    book = Rulebook(agents=frozenset({AgentId("anna")}), teams=frozenset({TeamId("support")}))
    return told(book, SaveRule(name="Refunds", words=("refund",), owner="anna"), now)


@pytest.fixture
def now(says):
    return says.now


def asked(command, number=1):
    if isinstance(command, RemoveRule):
        return command
    return RuleAsked(command, RuleId(UUID(int=number)), mistake_in(command.words, command.pattern))


def told(book, command, now, number=1):
    for event in rulebook.decide(book, asked(command, number), now):
        book = rulebook.evolve(book, event)
    return book


def test_each_change_is_a_version_of_the_whole_list(book, now):
    changed = told(book, SaveRule(name="Refunds", team="support"), now, number=2)
    removed = told(changed, RemoveRule(name="Refunds"), now)
    assert [found.version for found in (book, changed, removed)] == [1, 2, 3]
    assert changed.entries["Refunds"].rule_id == book.entries["Refunds"].rule_id
    assert removed.entries == {}
    assert [said.removed for said in removed.written] == [False, False, True]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        pytest.param(SaveRule(name="x", words=("a",)), "rule_without_effect", id="it would change nothing"),
        pytest.param(SaveRule(name="x", owner="bruno"), "unknown_agent", id="an owner nobody knows"),
        pytest.param(SaveRule(name="x", team="night"), "unknown_team", id="a team that does not exist"),
        pytest.param(SaveRule(name="x", team="support", pattern="("), "bad_pattern", id="a pattern with a mistake"),
        pytest.param(SaveRule(name="x", team="support", words=("!?",)), "bad_word", id="a word without a letter"),
        pytest.param(RemoveRule(name="x"), "unknown_rule", id="a rule that does not exist"),
    ],
)
def test_a_rule_is_refused(book, now, command, code):
    with pytest.raises(Refused) as refused:
        rulebook.decide(book, asked(command), now)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"name": "a\nb"}, id="a line break in the name"),
        pytest.param({"name": ""}, id="no name"),
        pytest.param({"name": "x" * 101}, id="a name too long"),
        pytest.param({"name": "x", "words": ("\x00",)}, id="NUL in a word"),
        pytest.param({"name": "x", "pattern": "a" * 201}, id="a pattern too long"),
        pytest.param({"name": "x", "words": ("a",) * 101}, id="too many words"),
        pytest.param({"name": "x", "position": -1}, id="a position before the first"),
    ],
)
def test_a_rule_that_breaks_the_contract_is_none(fields):
    with pytest.raises(ValueError, match="validation error"):
        SaveRule(**fields)
