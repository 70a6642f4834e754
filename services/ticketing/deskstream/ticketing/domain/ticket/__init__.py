"""Tickets: commitments that a concern will be addressed, in the customer's language."""

from deskstream.ticketing.domain.ticket.deciding import Message, decide
from deskstream.ticketing.domain.ticket.evolving import evolve
from deskstream.ticketing.domain.ticket.state import Ticket, TicketState, Unopened
from deskstream.ticketing.domain.ticket.waking import Promise, due

__all__ = ["Message", "Promise", "Ticket", "TicketState", "Unopened", "decide", "due", "evolve"]
