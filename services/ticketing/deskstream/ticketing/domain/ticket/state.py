"""What is remembered of a ticket: its public facts and little beside."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from deskstream.contracts.chain_facts import TicketFacts
from deskstream.contracts.ids import ConversationId, IssueId, TicketId

CONVERSATIONS_LIMIT: Final = 100
ISSUES_LIMIT: Final = 50
WAITS_LIMIT: Final = 20


@dataclass(frozen=True, slots=True)
class Unopened:
    """A ticket that does not exist; `number` is the one it gets when it is opened."""

    id: TicketId
    number: int


@dataclass(frozen=True, slots=True)
class Silence:
    """How long the customer of a pending ticket is silent: `counted` open time up to `since`, and what came after."""

    since: datetime
    counted: timedelta = timedelta()
    asked_in: ConversationId | None = None
    """Where the question stands; None: wherever it was linked last."""
    engineer_asked_at: datetime | None = None
    stopped: bool = False
    """Whether its owner was told that open tasks keep it from being solved."""


@dataclass(frozen=True, slots=True)
class Ticket:
    facts: TicketFacts
    text: str = ""
    silence: Silence | None = None
    """While it is pending."""
    told_of: tuple[IssueId, ...] = ()
    """Issues about which the approved answer went out."""
    relinked: bool = False
    """Whether its conversations changed since it was loaded."""

    @property
    def id(self) -> TicketId:
        return self.facts.id


TicketState: TypeAlias = Unopened | Ticket
