"""A part and the tickets that weigh on it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from deskstream.contracts import Event
from deskstream.contracts.chain_facts import PartFacts
from deskstream.contracts.ids import PartId, TicketId
from deskstream.contracts.links import PartTicketJoined, PartTicketLeft
from deskstream.contracts.ticketing import PartEvent


@dataclass(frozen=True, slots=True)
class Unmade:
    """A part that does not exist; `number` is the one it gets."""

    id: PartId
    number: int


@dataclass(frozen=True, slots=True)
class Part:
    facts: PartFacts
    customers: Mapping[TicketId, str] = field(default_factory=dict)
    """Ticket -> customer, of an enhancement."""
    moved: Mapping[TicketId, str | None] = field(default_factory=dict)
    """What of it is not stored yet; None: gone."""

    @property
    def id(self) -> PartId:
        return self.facts.id


PartState: TypeAlias = Unmade | Part


def evolve(state: PartState, event: Event) -> PartState:
    """The state after an event; the same state for events that do not concern it."""
    if isinstance(event, PartEvent):
        return Part(event.after) if isinstance(state, Unmade) else replace(state, facts=event.after)
    if isinstance(state, Unmade):
        return state
    match event:
        case PartTicketJoined():
            return weighed(state, event.ticket_id, event.customer)
        case PartTicketLeft():
            return weighed(state, event.ticket_id, None)
        case _:
            return state


def weighed(state: Part, ticket: TicketId, customer: str | None) -> Part:
    """With a ticket more, or less."""
    others = {known: who for known, who in state.customers.items() if known != ticket}
    customers = others if customer is None else {**others, ticket: customer}
    return replace(state, customers=customers, moved={**state.moved, ticket: customer})
