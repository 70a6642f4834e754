"""The product tree: product > capability > feature > enhancement."""

from deskstream.ticketing.domain.part.deciding import decide
from deskstream.ticketing.domain.part.state import Part, PartState, Unmade, evolve

__all__ = ["Part", "PartState", "Unmade", "decide", "evolve"]
