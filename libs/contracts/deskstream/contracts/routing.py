"""What routing says (`events.routing.>`) and can be asked. Routing owns ownership."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from deskstream.contracts.facts import Priority
from deskstream.contracts.ids import AgentId, ConversationId, RuleId, TeamId
from deskstream.contracts.message import Command, Contract, Event

LANE = "events.routing"

# A line of text: no NUL, no line break, nothing that a terminal obeys.
OneLine = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]*$")]
Word = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=100)]
Value = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=200)]


Structure = Literal["chaos", "product_centric", "part_owners"]
"""How a team finds who takes a conversation (R3, R4): whoever carries least · the experts of its part first ·
the owners of its part first, and then all who own a part."""


class Availability(StrEnum):
    AVAILABLE = "available"
    BUSY = "busy"
    AWAY = "away"
    OFF_SHIFT = "off_shift"


class Cause(StrEnum):
    """What made somebody the owner (or left it to nobody), in the order they are tried."""

    EARLIER_OWNER = "earlier_owner"
    KEYWORD_RULE = "keyword_rule"
    WORKSPACE_DEFAULT = "workspace_default"
    ACCOUNT_DEFAULT = "account_default"
    TEAM_STRUCTURE = "team_structure"
    TEAM_QUEUE = "team_queue"
    CAPACITY_FREED = "capacity_freed"
    CLAIMED = "claimed"
    FIRST_REPLY = "first_reply"
    NEXT_UP = "next_up"
    HANDED_OVER = "handed_over"


class StepTried(Contract):
    """One step of the order of R1, or one rule: did it decide, and if not, why not."""

    name: str
    """`keyword_rule:Billing`, `account_default`, …"""
    matched: bool
    why: str


class Candidate(Contract):
    """One agent who could have become the owner, and why or why not."""

    agent: AgentId
    chosen: bool
    why: str


class DecisionRecord(Contract):
    """Why this owner: the inputs, every step and rule tried, every candidate."""

    inputs: dict[str, str]
    steps: tuple[StepTried, ...]
    candidates: tuple[Candidate, ...]
    rules_version: int = 0


class OwnerChosen(Event, lane=LANE, key="conversation_id"):
    """Exactly one per assignment, also when nobody is free: then `owner` is None and it waits in its team's queue."""

    conversation_id: ConversationId
    number: int
    owner: AgentId | None
    previous: AgentId | None = None
    team: TeamId | None = None
    cause: Cause
    priority: Priority = Priority.NORMAL
    """As routing set it (R2)."""
    handoff: bool = False
    """True from one person to another; nobody -> person is none."""
    handoffs: int = 0
    part: int | None = None
    """The number of the part that it is about, as a rule said."""
    reason: str = ""
    record: DecisionRecord


class AgentSaved(Event, lane=LANE, key="agent_id"):
    agent_id: AgentId
    name: str
    email: str | None = None
    team: TeamId
    availability: Availability
    capacity: int
    load: int


class TeamSaved(Event, lane=LANE, key="team_id"):
    team_id: TeamId
    structure: Structure = "chaos"
    planned_owners: bool = False
    """Whether owners of planned parts share the team's load (W14)."""


class RuleFacts(Contract):
    """A keyword rule. Every condition given must hold; an empty one is none."""

    name: str
    position: int = 100
    enabled: bool = True
    words: tuple[str, ...] = ()
    pattern: str | None = None
    channels: tuple[str, ...] = ()
    inboxes: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    owner: AgentId | None = None
    team: TeamId | None = None
    priority: Priority | None = None
    part: str | None = None
    """The part that the conversation is about: `PART-9`."""


class RuleSaved(Event, lane=LANE, key="rule_id"):
    rule_id: RuleId
    name: str
    version: int
    """Version of the whole ordered list after this change."""
    removed: bool = False
    rule: RuleFacts | None = None
    """As it holds from this version on, or as it held until it was removed."""


class SaveTeam(Command, service="routing"):
    team: TeamId = Field(pattern=r"^[a-z0-9_-]{1,64}$")
    structure: Structure = "chaos"
    planned_owners: bool = False
    """Whether owners of planned parts share the team's load (W14)."""


class SaveAgent(Command, service="routing"):
    """Creates the agent, or changes the fields given."""

    agent: AgentId = Field(pattern=r"^[a-z0-9_-]{1,64}$")
    name: OneLine | None = Field(None, min_length=1, max_length=200)
    email: OneLine | None = Field(None, max_length=320)
    team: TeamId | None = None
    capacity: int | None = Field(None, ge=0, le=10_000)
    availability: Availability | None = None


class SaveRule(Command, service="routing"):
    """A keyword rule: every condition given must hold. The first matching rule by position wins."""

    name: OneLine = Field(min_length=1, max_length=100)
    position: int = Field(100, ge=0, le=1_000_000)
    enabled: bool = True
    words: tuple[Word, ...] = Field((), max_length=100)
    """Any of these whole words or phrases, in title or text, case-insensitive."""
    pattern: OneLine | None = Field(None, min_length=1, max_length=200)
    """An RE2 pattern on title and text, case-sensitive unless it says `(?i)`."""
    channels: tuple[Value, ...] = Field((), max_length=100)
    inboxes: tuple[Value, ...] = Field((), max_length=100)
    accounts: tuple[Value, ...] = Field((), max_length=100)
    """Names or ids."""
    tiers: tuple[Value, ...] = Field((), max_length=100)
    languages: tuple[Value, ...] = Field((), max_length=100)
    owner: AgentId | None = None
    team: TeamId | None = None
    priority: Priority | None = None
    part: str | None = Field(None, pattern=r"^PART-[1-9][0-9]{0,14}$")
    """The part that the conversation is about (C19): `PART-9`. Its experts or owners take it where the team says so."""


class RemoveRule(Command, service="routing"):
    name: OneLine


class Claim(Command, service="routing"):
    """Takes a conversation that nobody owns."""

    conversation_id: ConversationId
    agent: AgentId


class HandOver(Command, service="routing"):
    """Gives a conversation to a colleague, with the reason; counted as a handoff."""

    conversation_id: ConversationId
    to: AgentId
    reason: str = Field(min_length=1, max_length=500)


class NextUp(Command, service="routing"):
    """Claims the unowned conversation with the earliest due response clock, then priority, then order received."""

    agent: AgentId


class Explain(Command, service="routing"):
    """The decision records of a conversation, newest first: as many as one answer holds, `left_out` counts the rest."""

    conversation_id: ConversationId | None = None
    number: int | None = Field(None, ge=1, le=2**53)
    agent: AgentId | None = None
    """Whom to answer for: "why me?", "why not Bruno?"."""


class ListAgents(Command, service="routing"):
    """Agents by handle, with availability, capacity and load; and how many conversations wait in each team's queue."""

    after: str = Field("", max_length=64)
    """The last handle of the page before."""
    limit: int = Field(200, ge=1, le=200)


class ListRules(Command, service="routing"):
    """Keyword rules in the order in which they are tried, the disabled ones too."""

    skip: int = Field(0, ge=0, le=1_000_000)
    limit: int = Field(50, ge=1, le=100)
