"""Keyword rules ready to be tried. Pure, no input or output.

A thousand rules are not a thousand searches. What the text says is found once, and leads to the few rules that ask
for it; why the others did not match was written down when the rules were compiled.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from deskstream.contracts.routing import RuleFacts, StepTried
from deskstream.routing.domain import RulesTried, Seen
from deskstream.routing.domain.record import listed, step_tried
from deskstream.routing.matching.finding import Patterns, Phrases, normal_phrase, normal_text

RECORDED = 50
"""Rules of which a record tells why they did not match: the first ones, and as many that matched further down."""


class Check(NamedTuple):
    """One condition of a rule: something that was seen is among `allowed`, else `failed` is why not."""

    about: str
    allowed: frozenset[str]
    failed: StepTried


class Ready(NamedTuple):
    """A rule with its conditions, the one that rules out most conversations first."""

    facts: RuleFacts
    checks: tuple[Check, ...]
    matched: StepTried
    outrun: StepTried


class CompiledRules:
    """The enabled rules of one version of the list."""

    def __init__(self, version: int, rules: Iterable[RuleFacts]) -> None:
        self.version = version
        ordered = sorted((rule for rule in rules if rule.enabled), key=lambda rule: (rule.position, rule.name))
        self._rules = tuple(_ready(rule) for rule in ordered)
        self._doors = _doors(self._rules)
        self._open = tuple(place for place, rule in enumerate(self._rules) if not rule.checks)
        self._phrases = Phrases(phrase for rule in self._rules for phrase in _asked(rule, "words"))
        self._patterns = Patterns(pattern for rule in self._rules for pattern in _asked(rule, "pattern"))

    def tried_on(self, seen: Seen) -> RulesTried:
        """The first rule that matches, and why each of the first 50, and each further one that matched, is not it."""
        found = self._found(seen)
        reasons = {place: self._why_not(self._rules[place], found) for place in self._candidates(found)}
        matched = sorted(place for place, reason in reasons.items() if reason is None)
        winner = matched[0] if matched else None
        return RulesTried(
            version=self.version,
            winner=None if winner is None else self._rules[winner].facts,
            steps=tuple(self._steps(reasons, matched)),
        )

    def _found(self, seen: Seen) -> dict[str, frozenset[str]]:
        facts = seen.facts
        text = normal_text(seen.text)
        account = () if facts.account is None else (str(facts.account.id), facts.account.name)
        tier = None if facts.account is None else facts.account.tier
        return {
            "words": self._phrases.found_in(text),
            "pattern": self._patterns.found_in(text),
            "account": _folded(account),
            "inbox": _folded((facts.inbox,)),
            "tier": _folded((tier,) if tier else ()),
            "language": _folded((facts.language,) if facts.language else ()),
            "channel": _folded((facts.channel,)),
        }

    def _candidates(self, found: Mapping[str, frozenset[str]]) -> set[int]:
        """Rules whose first condition holds; all others are ruled out by it."""
        behind = (
            places
            for about, values in found.items()
            if (doors := self._doors.get(about))
            for value in doors.keys() & values
            if (places := doors[value])
        )
        return set(self._open).union(*behind)

    def _why_not(self, rule: Ready, found: Mapping[str, frozenset[str]]) -> StepTried | None:
        return next((check.failed for check in rule.checks if check.allowed.isdisjoint(found[check.about])), None)

    def _steps(self, reasons: Mapping[int, StepTried | None], matched: Sequence[int]) -> Iterator[StepTried]:
        further = [place for place in matched if place >= RECORDED][:RECORDED]
        for place in [*range(min(RECORDED, len(self._rules))), *further]:
            rule = self._rules[place]
            reason = reasons.get(place) if place in reasons else rule.checks[0].failed
            yield reason or (rule.matched if place == matched[0] else rule.outrun)
        more = len(self._rules) - min(RECORDED, len(self._rules)) - len(further)
        if more:
            yield step_tried("keyword_rules", False, f"{more} more were tried and decided nothing")


def _ready(rule: RuleFacts) -> Ready:
    name = f"keyword_rule:{rule.name}"
    conditions = (
        ("words", map(normal_phrase, rule.words), f"none of its words occurs: {listed(rule.words)}"),
        ("pattern", (rule.pattern,) if rule.pattern else (), f"its pattern is not found: {rule.pattern}"),
        ("account", _folded(rule.accounts), f"the account is none of: {listed(rule.accounts)}"),
        ("inbox", _folded(rule.inboxes), f"the inbox is none of: {listed(rule.inboxes)}"),
        ("tier", _folded(rule.tiers), f"the tier is none of: {listed(rule.tiers)}"),
        ("language", _folded(rule.languages), f"the language is none of: {listed(rule.languages)}"),
        ("channel", _folded(rule.channels), f"the channel is none of: {listed(rule.channels)}"),
    )
    checks = tuple(
        Check(about, allowed, step_tried(name, False, why))
        for about, values, why in conditions
        if (allowed := frozenset(values))
    )
    outrun = step_tried(name, False, "it matches too, but another one comes first")
    return Ready(rule, checks, step_tried(name, True, _why_matched(checks)), outrun)


def _why_matched(checks: Sequence[Check]) -> str:
    return f"every condition holds: {listed(check.about for check in checks)}" if checks else "it has no condition"


def _doors(rules: Sequence[Ready]) -> dict[str, dict[str, tuple[int, ...]]]:
    """About -> value -> the rules whose first condition this value fulfils."""
    doors: dict[str, dict[str, tuple[int, ...]]] = {}
    for place, rule in enumerate(rules):
        for check in rule.checks[:1]:
            values = doors.setdefault(check.about, {})
            for value in check.allowed:
                values[value] = (*values.get(value, ()), place)
    return doors


def _asked(rule: Ready, about: str) -> Iterator[str]:
    for check in rule.checks:
        if check.about == about:
            yield from check.allowed


def _folded(values: Iterable[str]) -> frozenset[str]:
    return frozenset(value.casefold() for value in values)
