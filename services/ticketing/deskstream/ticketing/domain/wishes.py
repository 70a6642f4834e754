"""What reaches an object: a wish with its author, and what had to be looked up for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar
from uuid import UUID

from deskstream.contracts.chain_facts import PartFacts, PartRef
from deskstream.contracts.ids import AgentId, IssueId, PartId, TaskId, TicketId
from deskstream.contracts.linked import IssueRef, Silenced

C = TypeVar("C", covariant=True)


class Addressed(NamedTuple):
    """A ticket that waits for an answer about an issue, and why each of its conversations sends nothing."""

    number: int
    silenced: tuple[Silenced | None, ...]
    internal: bool = False
    still_waits: bool = False
    """For something else than the issue."""


@dataclass(frozen=True, slots=True)
class Known:
    """What was found in other objects; nothing where nothing was looked for."""

    part: PartRef | None = None
    """The one that is named; of what is restored or taken up again, the one to put it on if its own is deleted."""
    issue: IssueRef | None = None
    """The other issue that is named; of a duplicate, the original at the end of the chain."""
    people: tuple[AgentId, ...] = ()
    """Owners, experts and workers of the part, or of the nearest part above that names any."""
    people_there: tuple[AgentId, ...] = ()
    """Those of the part that an issue is put on."""
    blocked_by: frozenset[IssueId] = frozenset()
    """All issues that block the one asked about, by whatever way."""
    parent: PartFacts | None = None
    above: tuple[PartId, ...] = ()
    """The parent, and every part above it."""
    defaults: tuple[PartId, ...] = ()
    """The default part, and whichever else was it or may become it meanwhile."""
    below: tuple[str, ...] = ()
    """What hangs on a part: `3 parts`, `12 tickets`."""
    addressed: Mapping[TicketId, Addressed] = field(default_factory=dict)
    """The tickets whose customers an answer is for."""


@dataclass(frozen=True, slots=True)
class Wish(Generic[C]):
    """A command to one object. `object_id` and `task_id` are what a new one would be called."""

    object_id: UUID
    command: C
    by: AgentId | None = None
    task_id: TaskId | None = None
    known: Known = field(default_factory=Known)


@dataclass(frozen=True, slots=True)
class TimeCame:
    """The moment that `due` named."""
