"""Tickets, issues and parts: three kinds of objects that hear of each other, and decide each for itself."""

from deskstream.ticketing.domain import issue, part, ticket
from deskstream.ticketing.domain.wishes import Addressed, Known, TimeCame, Wish

__all__ = ["Addressed", "Known", "TimeCame", "Wish", "issue", "part", "ticket"]
