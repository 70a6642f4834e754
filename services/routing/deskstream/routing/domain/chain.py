"""R1 in order: earlier owner, keyword rule, workspace's, account's default owner, team's structure, team's queue."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from deskstream.contracts.facts import AccountFacts, ConversationFacts, WorkspaceFacts
from deskstream.contracts.ids import AgentId, TeamId
from deskstream.contracts.routing import Cause, OwnerChosen
from deskstream.routing.domain.choosing import choose
from deskstream.routing.domain.floor import Assignment, Floor
from deskstream.routing.domain.messages import RulesTried
from deskstream.routing.domain.priority import priority_of
from deskstream.routing.domain.record import Pick, Trail, names, obstacle, worded
from deskstream.routing.domain.team import choose_member, compare, crew, ranked


@dataclass(frozen=True, slots=True)
class Case:
    """One conversation that needs an owner, and how the rules were found for it."""

    facts: ConversationFacts
    assignment: Assignment
    tried: RulesTried

    @property
    def part(self) -> int | None:
        """The number of the part that it is about: as a rule says, else as one said before."""
        named = self.tried.winner.part if self.tried.winner else None
        return int(named.removeprefix("PART-")) if named else self.assignment.part


@dataclass(frozen=True, slots=True)
class Step:
    """Somebody whom a step of the order names."""

    cause: Cause
    agent: AgentId | None
    why: str
    """What the agent is ("is default owner of Acme"), or why the step names nobody."""
    barred: str = ""
    """Why the step does not count although it names somebody."""


def route(floor: Floor, case: Case, now: datetime) -> OwnerChosen:
    """Chooses the owner, or the queue, with the whole record."""
    priority, why = priority_of(case.facts, case.assignment, case.tried.winner, floor.policy)
    trail = Trail(rules_version=case.tried.version)
    trail.inputs = _inputs(floor, case)
    trail.inputs["priority"] = f"{priority}: {why}"
    return choose(case.assignment, _pick(floor, case, trail), trail, now, priority=priority, part=case.part)


def _pick(floor: Floor, case: Case, trail: Trail) -> Pick:
    found: Pick | None = None
    for step in _steps(case):
        if step.cause is Cause.KEYWORD_RULE:
            trail.steps += case.tried.steps
        if found is None:
            found = _try(floor, case.assignment.weight, trail, step)
        else:
            _skip(trail, step, found.cause)
    if found is None:
        return _by_structure(floor, case, trail)
    trail.missed(Cause.TEAM_STRUCTURE, f"not tried: the {worded(found.cause)} decided")
    return found


def _steps(case: Case) -> Iterator[Step]:
    yield _earlier_owner(case)
    yield _keyword_rule(case.tried)
    rule = case.tried.winner
    barred = f"rule “{rule.name}” sends it to {rule.team}" if rule and rule.team else ""
    yield _default(Cause.WORKSPACE_DEFAULT, case.facts.workspace, barred)
    yield _default(Cause.ACCOUNT_DEFAULT, case.facts.account, barred)


def _earlier_owner(case: Case) -> Step:
    if case.assignment.owner is not None:
        return Step(Cause.EARLIER_OWNER, case.assignment.owner, "had it until it was reopened")
    if case.facts.follow_up_of is None:
        return Step(Cause.EARLIER_OWNER, None, "it follows up no other conversation")
    if case.facts.earlier_owner is None:
        return Step(Cause.EARLIER_OWNER, None, "nobody owned the conversation that it follows up")
    return Step(Cause.EARLIER_OWNER, case.facts.earlier_owner, "owned the conversation that this one follows up")


def _keyword_rule(tried: RulesTried) -> Step:
    rule = tried.winner
    if rule is None:
        return Step(Cause.KEYWORD_RULE, None, "no rule matched" if tried.steps else "there are no rules")
    if rule.owner is not None:
        return Step(Cause.KEYWORD_RULE, rule.owner, f"is named by rule “{rule.name}”")
    return Step(
        Cause.KEYWORD_RULE, None, f"rule “{rule.name}” names " + (f"team {rule.team}" if rule.team else "nobody")
    )


def _default(cause: Cause, of: WorkspaceFacts | AccountFacts | None, barred: str) -> Step:
    if of is None:
        return Step(cause, None, f"the contact belongs to no {cause.removesuffix('_default')}")
    if of.default_owner is None:
        return Step(cause, None, f"{of.name} has no default owner")
    return Step(cause, of.default_owner, f"is default owner of {of.name}", barred)


def _try(floor: Floor, weight: int, trail: Trail, step: Step) -> Pick | None:
    if step.agent is None:
        trail.missed(step.cause, step.why)
        return None
    agent, name = floor.agents.get(step.agent), names(floor.agents, step.agent)
    why_not = step.barred or obstacle(agent, weight)
    if agent is None or why_not:
        trail.missed(step.cause, f"{name} {step.why}, but {why_not}")
        trail.passed_over(step.agent, f"{step.why}, but {why_not}")
        return None
    trail.decided(step.cause, f"{name} {step.why}")
    trail.chose(agent.id, step.why)
    return Pick(step.cause, agent.id, agent.team, f"{name} {step.why}.")


def _skip(trail: Trail, step: Step, decided: Cause) -> None:
    trail.missed(step.cause, f"not tried: the {worded(decided)} decided" if step.agent or step.barred else step.why)
    if step.agent is not None:
        trail.passed_over(step.agent, f"{step.why}, but the {worded(decided)} decided before")


def _by_structure(floor: Floor, case: Case, trail: Trail) -> Pick:
    rule = case.tried.winner
    team = rule.team if rule is not None and rule.team is not None else floor.policy.team
    ahead = sum(waiting.team == team for waiting in floor.waiting.values())
    if ahead:
        return _behind(floor, trail, team, ahead)
    best = choose_member(floor, trail, team, case.assignment.weight, case.part)
    if best is None:
        return _queued(trail, team, f"nobody of {team} is free")
    why = f"{best.agent.name} {best.why}"
    trail.decided(Cause.TEAM_STRUCTURE, why)
    return Pick(Cause.TEAM_STRUCTURE, best.agent.id, team, f"{why}.")


def _behind(floor: Floor, trail: Trail, team: TeamId, ahead: int) -> Pick:
    more = " or more" if team in floor.overflowing else ""
    for agent in crew(floor, team):
        if agent.takes(1):
            trail.passed_over(agent.id, "is free for those who wait already")
    compare(trail, ranked(floor, team, 1), 1)
    return _queued(trail, team, f"{ahead}{more} wait in the queue of {team} already")


def _queued(trail: Trail, team: TeamId, why: str) -> Pick:
    trail.missed(Cause.TEAM_STRUCTURE, why)
    trail.decided(Cause.TEAM_QUEUE, "it waits until capacity frees or somebody takes it")
    return Pick(Cause.TEAM_QUEUE, None, team, f"It waits in the queue of {team}: {why}.")


def _inputs(floor: Floor, case: Case) -> dict[str, str]:
    facts = case.facts
    inputs = {
        "channel": facts.channel,
        "inbox": facts.inbox,
        "stage": facts.stage.value,
        "weight": str(case.assignment.weight),
        "waiting_since": case.assignment.since.isoformat(),
    }
    if facts.account is not None:
        inputs |= {"account": facts.account.name, "account_stage": facts.account.stage.value}
        inputs["tier"] = facts.account.tier or "none"
    if facts.workspace is not None:
        inputs["workspace"] = facts.workspace.name
    if facts.language is not None:
        inputs["language"] = facts.language
    if case.part is not None:
        part = floor.product.named(case.part)
        inputs["part"] = part.title if part else f"PART-{case.part}"
    return inputs
