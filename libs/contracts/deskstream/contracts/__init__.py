"""The shared language: events, commands, subjects, refusals."""

from deskstream.contracts.message import Answered, Command, Contract, Event, Problem
from deskstream.contracts.refused import Refused

__all__ = ["Answered", "Command", "Contract", "Event", "Problem", "Refused"]
