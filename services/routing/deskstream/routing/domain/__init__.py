"""Who owns a conversation, and why: pure. The floor, what is decided on it, and the rule book."""

from deskstream.routing.domain.deciding import Message, decide, due
from deskstream.routing.domain.floor import (
    BY_RANK,
    OURS_TO_ANSWER,
    RANKS,
    WINDOW,
    Agent,
    Assignment,
    Floor,
    Policy,
    Team,
    order,
)
from deskstream.routing.domain.hearing import TEXT_SEEN, concerns, evolve
from deskstream.routing.domain.messages import NOTHING, Asked, Nothing, Restaffed, Rules, RulesTried, Seen, Told, Woken
from deskstream.routing.domain.product import Part, Product

__all__ = [
    "BY_RANK",
    "NOTHING",
    "OURS_TO_ANSWER",
    "RANKS",
    "TEXT_SEEN",
    "WINDOW",
    "Agent",
    "Asked",
    "Assignment",
    "Floor",
    "Message",
    "Nothing",
    "Part",
    "Policy",
    "Product",
    "Restaffed",
    "Rules",
    "RulesTried",
    "Seen",
    "Team",
    "Told",
    "Woken",
    "concerns",
    "decide",
    "due",
    "evolve",
    "order",
]
