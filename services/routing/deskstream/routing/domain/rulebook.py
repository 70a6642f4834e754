"""The keyword rules as one ordered, versioned list: saving and removing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeAlias

from deskstream.contracts import Refused
from deskstream.contracts.ids import AgentId, RuleId, TeamId
from deskstream.contracts.message import Event
from deskstream.contracts.routing import RemoveRule, RuleFacts, RuleSaved, SaveRule


@dataclass(frozen=True, slots=True)
class Entry:
    rule_id: RuleId
    facts: RuleFacts


@dataclass(frozen=True, slots=True)
class Rulebook:
    """All rules by name. `written` is what this batch changed, oldest first."""

    version: int = 0
    entries: Mapping[str, Entry] = field(default_factory=dict)
    agents: frozenset[AgentId] = frozenset()
    teams: frozenset[TeamId] = frozenset()
    written: tuple[RuleSaved, ...] = ()


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with a rule's words or pattern; `position` counts characters of the pattern from 0."""

    code: str
    sentence: str
    position: int | None = None


@dataclass(frozen=True, slots=True)
class RuleAsked:
    """`rule_id` is the new rule's, when it is new."""

    command: SaveRule
    rule_id: RuleId
    mistake: Mistake | None = None


RulebookMessage: TypeAlias = RuleAsked | RemoveRule


def decide(book: Rulebook, message: RulebookMessage, now: datetime) -> Sequence[Event]:
    match message:
        case RuleAsked():
            return [_save(book, message, now)]
        case RemoveRule():
            return [_remove(book, message, now)]


def evolve(book: Rulebook, event: Event) -> Rulebook:
    if not isinstance(event, RuleSaved) or event.rule is None:
        return book
    entries = {name: entry for name, entry in book.entries.items() if name != event.name}
    if not event.removed:
        entries[event.name] = Entry(event.rule_id, event.rule)
    return replace(book, version=event.version, entries=entries, written=(*book.written, event))


def _save(book: Rulebook, asked: RuleAsked, now: datetime) -> RuleSaved:
    rule = RuleFacts.model_validate(asked.command.model_dump())
    if asked.mistake is not None:
        raise Refused(asked.mistake.code, asked.mistake.sentence, position=asked.mistake.position)
    _check_effect(book, rule)
    known = book.entries.get(rule.name)
    return RuleSaved(
        at=now,
        rule_id=known.rule_id if known else asked.rule_id,
        name=rule.name,
        version=book.version + 1,
        rule=rule,
    )


def _check_effect(book: Rulebook, rule: RuleFacts) -> None:
    if rule.owner is None and rule.team is None and rule.priority is None and rule.part is None:
        raise Refused("rule_without_effect", f"Rule “{rule.name}” names no owner, no team, no priority and no part.")
    if rule.owner is not None and rule.owner not in book.agents:
        raise Refused("unknown_agent", f"Rule “{rule.name}” names “{rule.owner}”, whom routing does not know.")
    if rule.team is not None and rule.team not in book.teams:
        raise Refused("unknown_team", f"Rule “{rule.name}” names the team “{rule.team}”, which does not exist.")


def _remove(book: Rulebook, asked: RemoveRule, now: datetime) -> RuleSaved:
    known = book.entries.get(asked.name)
    if known is None:
        raise Refused("unknown_rule", f"There is no rule “{asked.name}”.")
    return RuleSaved(
        at=now, rule_id=known.rule_id, name=asked.name, version=book.version + 1, removed=True, rule=known.facts
    )
