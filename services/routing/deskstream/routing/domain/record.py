"""The decision record while it is being written: steps tried, people considered, and why not."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from deskstream.contracts.ids import AgentId, TeamId
from deskstream.contracts.routing import Availability, Candidate, Cause, DecisionRecord, StepTried
from deskstream.routing.domain.floor import Agent

LINES_KEPT = 8192
"""Lines of records that a process keeps to use again."""


@dataclass(frozen=True, slots=True)
class Pick:
    """What a step decided."""

    cause: Cause
    owner: AgentId | None
    team: TeamId | None
    reason: str


@dataclass(slots=True)
class Trail:
    """Lives within one decision."""

    inputs: dict[str, str] = field(default_factory=dict)
    steps: list[StepTried] = field(default_factory=list)
    candidates: dict[AgentId, Candidate] = field(default_factory=dict)
    rules_version: int = 0

    def missed(self, step: str, why: str) -> None:
        """`step` did not decide."""
        self.steps.append(step_tried(step, False, why))

    def decided(self, step: str, why: str) -> None:
        """`step` decided."""
        self.steps.append(step_tried(step, True, why))

    def passed_over(self, agent: AgentId, why: str) -> None:
        """`agent` could have become the owner; the first reason stays."""
        self.candidates.setdefault(agent, candidate(agent, False, why))

    def chose(self, agent: AgentId, why: str) -> None:
        """`agent` is the owner."""
        self.candidates[agent] = candidate(agent, True, why)

    def record(self) -> DecisionRecord:
        """The chosen one first."""
        people = sorted(self.candidates.values(), key=lambda person: not person.chosen)
        return DecisionRecord.model_construct(
            inputs=self.inputs,
            steps=tuple(self.steps),
            candidates=tuple(people),
            rules_version=self.rules_version,
        )


def obstacle(agent: Agent | None, weight: int) -> str | None:
    """Why routing may not give `agent` this much more; None when it may."""
    if agent is None:
        return "is not known to routing"
    if agent.takes(weight):
        return None
    if agent.availability is not Availability.AVAILABLE:
        return f"is {worded(agent.availability)}"
    return f"is full: carries {agent.load} of {agent.capacity}"


def worded(slug: str) -> str:
    """`off_shift` as a sentence says it."""
    return slug.replace("_", " ")


def names(agents: Mapping[AgentId, Agent], agent: AgentId) -> str:
    """How a sentence calls an agent."""
    known = agents.get(agent)
    return known.name if known else agent


def listed(words: Iterable[str], at_most: int = 8) -> str:
    """The words, separated by commas; the rest counted."""
    every = tuple(words)
    more = f" and {len(every) - at_most} more" if len(every) > at_most else ""
    return ", ".join(every[:at_most]) + more


# Built from our own values on the hottest path: checking them once more would cost more than finding them. Most steps
# say word for word what they said of the conversation before.
@lru_cache(maxsize=LINES_KEPT)
def step_tried(name: str, matched: bool, why: str) -> StepTried:
    return StepTried.model_construct(name=name, matched=matched, why=why)


def candidate(agent: AgentId, chosen: bool, why: str) -> Candidate:
    return Candidate.model_construct(agent=agent, chosen=chosen, why=why)
