"""Response clocks: policies, and what follows from a conversation's events under them."""

from deskstream.sla.domain.clocks import Clock, Clocks, due
from deskstream.sla.domain.decide import Message, Woken, decide, evolve
from deskstream.sla.domain.fold import KEPT_CLOCKS, KEPT_ENDINGS, advance, clocks_of
from deskstream.sla.domain.policy import Policy, Rules
from deskstream.sla.domain.segments import explained

__all__ = [
    "KEPT_CLOCKS",
    "KEPT_ENDINGS",
    "Clock",
    "Clocks",
    "Message",
    "Policy",
    "Rules",
    "Woken",
    "advance",
    "clocks_of",
    "decide",
    "due",
    "evolve",
    "explained",
]
