"""What a decision costs, in microseconds of CPU: `python services/routing/bench/decisions.py`. Asserts nothing.

With --json it measures only what `deskstream bench routing` tells: keyword rules, tried and then decided with.
"""

import argparse
import json
import random
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from time import process_time
from uuid import UUID

from deskstream.contracts.conversation import ConversationOpened
from deskstream.contracts.facts import ConversationFacts, Priority, ReceivedMessage, Stage
from deskstream.contracts.ids import AgentId, ConversationId, MessageId, TeamId, ThreadId
from deskstream.contracts.inbound import Identity
from deskstream.contracts.routing import Availability, RuleFacts
from deskstream.routing.domain import Agent, Floor, Policy, Seen, Team, Told, decide, evolve
from deskstream.routing.matching import CompiledRules

NOW = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
SUPPORT = TeamId("support")
POLICY = Policy(SUPPORT, 10, {Stage.NEW: 1, Stage.NEEDS_RESPONSE: 1}, {"enterprise": Priority.HIGH})
NONE = CompiledRules(0, ())
RULES = 1000
CASES = 500
STAFF = 50
WORDS_A_MESSAGE = 200


def main() -> None:
    """Prints one line a figure, or one object."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--json", action="store_true")
    options.add_argument("--rules", type=int, default=RULES)
    asked = options.parse_args()
    if asked.rules < 1:
        options.error("--rules: at least one")
    chance = random.Random(7)
    vocabulary = [
        "".join(chance.choices("abcdefghijklmnopqrstuvwxyzäöü", k=chance.randint(4, 10))) for _ in range(5000)
    ]
    # One word in ten of a message is a keyword of some rule.
    spoken, keywords = vocabulary[2700:], vocabulary[:2930]
    cases = [opened(number, " ".join(chance.choices(spoken, k=WORDS_A_MESSAGE))) for number in range(CASES)]
    if asked.json:
        tell_one(CompiledRules(1, words(chance, keywords, asked.rules)), cases, asked.rules)
    else:
        tell_all(chance, keywords, cases, asked.rules)


def tell_one(compiled: CompiledRules, cases: Sequence[ConversationOpened], rules: int) -> None:
    try_rules(compiled, cases)
    figures = {
        "decision_us": round(microseconds(partial(route, STAFF, compiled, cases)), 1),
        "rules_us": round(microseconds(partial(try_rules, compiled, cases)), 1),
        "rules": rules,
        "agents": STAFF,
    }
    sys.stdout.write(f"{json.dumps(figures)}\n")


def tell_all(chance: random.Random, keywords: Sequence[str], cases: Sequence[ConversationOpened], number: int) -> None:
    for about, rules in (
        ("3 words each", words(chance, keywords, number)),
        ("a pattern each", patterns(chance, keywords, number)),
        ("a channel each", [RuleFacts(name=f"rule {n}", channels=("slack",)) for n in range(number)]),
    ):
        compiled = CompiledRules(1, rules)
        try_rules(compiled, cases)
        tell(f"{number} rules, {about}: try all on {WORDS_A_MESSAGE} words", partial(try_rules, compiled, cases))
    for staff in (10, STAFF, 500):
        tell(f"{staff} agents, no rules: absorb, decide, evolve", partial(route, staff, NONE, cases))
        tell(f"{staff} agents, all full: the same", partial(route, staff, NONE, cases, capacity=0))


def tell(what: str, run: Callable[[], None]) -> None:
    sys.stdout.write(f"{what:60} {microseconds(run):8.1f} µs\n")


def microseconds(run: Callable[[], None]) -> float:
    """For one case, at best."""
    return min(timed(run) for _ in range(5)) / CASES * 1e6


def timed(run: Callable[[], None]) -> float:
    started = process_time()
    run()
    return process_time() - started


def try_rules(compiled: CompiledRules, cases: Sequence[ConversationOpened]) -> None:
    for case in cases:
        compiled.tried_on(Seen(case.after, case.message.text if case.message else ""))


def route(staff: int, compiled: CompiledRules, cases: Sequence[ConversationOpened], capacity: int = 10_000) -> None:
    agents = {agent.id: agent for agent in (someone(number, capacity) for number in range(staff))}
    for start in range(0, len(cases), 40):
        floor = Floor(POLICY, agents, {SUPPORT: Team()})
        for case in cases[start : start + 40]:
            floor = evolve(floor, case)
            for event in decide(floor, Told(case, compiled), NOW):
                floor = evolve(floor, event)


def someone(number: int, capacity: int) -> Agent:
    handle = AgentId(f"agent-{number}")
    return Agent(handle, handle.title(), None, SUPPORT, Availability.AVAILABLE, capacity)


def words(chance: random.Random, vocabulary: Sequence[str], number: int) -> list[RuleFacts]:
    return [RuleFacts(name=f"rule {n}", words=tuple(chance.choices(vocabulary, k=3))) for n in range(number)]


def patterns(chance: random.Random, vocabulary: Sequence[str], number: int) -> list[RuleFacts]:
    return [
        RuleFacts(name=f"rule {n}", pattern=rf"(?i)\b{chance.choice(vocabulary)}s?\s+{chance.choice(vocabulary)}")
        for n in range(number)
    ]


def opened(number: int, text: str) -> ConversationOpened:
    identity = UUID(int=number)
    message = ReceivedMessage(
        id=MessageId(identity), channel="email", inbox="support", external_id="x", text=text, received_at=NOW,
        sender=Identity(email="kim@customer.example"),
    )  # fmt: skip
    after = ConversationFacts(
        id=ConversationId(identity), thread_id=ThreadId(identity), number=number, version=1, stage=Stage.NEW,
        channel="email", inbox="support", created_at=NOW, valid_at=NOW, oldest_unanswered_at=NOW, last_public_at=NOW,
    )  # fmt: skip
    return ConversationOpened(at=NOW, conversation_id=after.id, after=after, message=message)


if __name__ == "__main__":
    main()
