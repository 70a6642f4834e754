"""The support floor: who works on it, what each carries, which conversations wait. State only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from deskstream.contracts.facts import Priority, Stage
from deskstream.contracts.ids import AgentId, ConversationId, TeamId
from deskstream.contracts.routing import Availability, Structure
from deskstream.routing.domain.product import Product

WINDOW = 100
"""How many of each team's waiting conversations a floor knows: the first in order."""

# Urgent first; the number is what the database orders by.
RANKS: Mapping[Priority, int] = {Priority.URGENT: 0, Priority.HIGH: 1, Priority.NORMAL: 2, Priority.LOW: 3}
BY_RANK = tuple(RANKS)

OURS_TO_ANSWER = frozenset({Stage.NEW, Stage.NEEDS_RESPONSE})


@dataclass(frozen=True, slots=True)
class Policy:
    """What an operator configures."""

    team: TeamId
    """Where a conversation goes that no rule sends elsewhere."""
    capacity: int
    """Of an agent who was given none."""
    weights: Mapping[Stage, int]
    """What a conversation counts against its owner's capacity, by stage; a stage left out counts nothing."""
    tiers: Mapping[str, Priority]
    """Priority by the account's tier, in lower case."""


@dataclass(frozen=True, slots=True)
class Agent:
    id: AgentId
    name: str
    email: str | None
    team: TeamId
    availability: Availability
    capacity: int
    load: int = 0

    def takes(self, weight: int) -> bool:
        """Whether routing may give them this much more."""
        return self.availability is Availability.AVAILABLE and self.load + weight <= self.capacity

    @property
    def gone(self) -> bool:
        return self.availability in (Availability.AWAY, Availability.OFF_SHIFT)


@dataclass(frozen=True, slots=True)
class Team:
    structure: Structure = "chaos"
    planned_owners: bool = False
    """Whether owners of planned parts share its load."""

    @property
    def shares_parts(self) -> bool:
        """Whether it matters to the team who stands behind parts."""
        return self.structure != "chaos" or self.planned_owners


@dataclass(frozen=True, slots=True)
class Assignment:
    """One conversation as routing sees it. `routed` once it was decided upon, be it only to wait in a queue."""

    conversation_id: ConversationId
    number: int
    stage: Stage
    weight: int
    priority: Priority
    since: datetime
    """The oldest unanswered customer message, else when it was first valid: who has waited longest."""
    choice: Priority | None = None
    """The priority that a person chose; routing keeps it."""
    owner: AgentId | None = None
    team: TeamId | None = None
    handoffs: int = 0
    part: int | None = None
    """The number of the part that it is about."""
    routed: bool = False
    held: str = ""
    """What the customer wrote, kept for the rules until a suspended conversation is reviewed."""

    @property
    def waits(self) -> bool:
        """Whether it stands in its team's queue."""
        return self.routed and self.owner is None and self.stage in OURS_TO_ANSWER


@dataclass(frozen=True, slots=True)
class Floor:
    """Everything one batch may decide about. Whole where agents and teams are concerned, and parts if a team looks at
    them; of the conversations it has those of the batch and the first of each queue."""

    policy: Policy
    agents: Mapping[AgentId, Agent] = field(default_factory=dict)
    teams: Mapping[TeamId, Team] = field(default_factory=dict)
    product: Product = field(default_factory=Product)
    assignments: Mapping[ConversationId, Assignment] = field(default_factory=dict)
    waiting: Mapping[ConversationId, Assignment] = field(default_factory=dict)
    """Those of `assignments` that wait."""
    overflowing: frozenset[TeamId] = frozenset()
    """Teams with more waiting than this floor was told."""
    at: datetime | None = None
    """When it last decided something."""


def order(waiting: Assignment) -> tuple[int, datetime, int]:
    """Who is next: priority, then who has waited longest, then order received.

    A clock's due time would stand first. Routing does not hear the clocks, and within one policy the due time of a
    priority grows with `since`, so that this is the order of due times among conversations of one priority.
    """
    return RANKS[waiting.priority], waiting.since, waiting.number
