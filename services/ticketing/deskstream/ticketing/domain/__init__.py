"""Tickets, issues and parts: three kinds of objects that hear of each other, and decide each for itself."""

from deskstream.ticketing.domain import issue, part, ticket
from deskstream.ticketing.domain.wishes import Known, TimeCame, Wish

__all__ = ["Known", "TimeCame", "Wish", "issue", "part", "ticket"]
