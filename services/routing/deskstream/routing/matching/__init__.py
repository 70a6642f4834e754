"""Trying keyword rules, and finding mistakes in them."""

from deskstream.routing.matching.compiled import RECORDED, CompiledRules
from deskstream.routing.matching.mistakes import mistake_in

__all__ = ["RECORDED", "CompiledRules", "mistake_in"]
