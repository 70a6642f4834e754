"""What is decided upon: what a conversation told, with the rules at hand, and what a person asked."""

from dataclasses import dataclass
from typing import Protocol

from deskstream.contracts.conversation import ConversationEvent
from deskstream.contracts.facts import ConversationFacts
from deskstream.contracts.ids import AgentId
from deskstream.contracts.message import Command
from deskstream.contracts.routing import RuleFacts, StepTried


@dataclass(frozen=True, slots=True)
class Seen:
    """What the rules look at."""

    facts: ConversationFacts
    text: str
    """Title and text of the first message."""


@dataclass(frozen=True, slots=True)
class RulesTried:
    """The first rule that matched, and why each of the others did not."""

    version: int
    winner: RuleFacts | None
    steps: tuple[StepTried, ...]


class Rules(Protocol):
    """The keyword rules of one version, ready to be tried. Pure: the same is seen, the same is found."""

    def tried_on(self, seen: Seen) -> RulesTried:
        """Tries every rule, in order."""


@dataclass(frozen=True, slots=True)
class Told:
    """A conversation changed in a way that may concern its owner."""

    said: ConversationEvent
    rules: Rules


@dataclass(frozen=True, slots=True)
class Nothing:
    """A conversation said something that concerns nobody's load."""


NOTHING = Nothing()


@dataclass(frozen=True, slots=True)
class Asked:
    """A command and who asked."""

    command: Command
    actor: AgentId | None = None
    carried: int = 0
    """What an agent carries already whom routing is told of only now."""


@dataclass(frozen=True, slots=True)
class Restaffed:
    """Other people stand behind a part: somebody may be free now for what waits."""


@dataclass(frozen=True, slots=True)
class Woken:
    """A batch left more waiting than it knew, and somebody free."""
