"""Who stands behind the parts of the product (`events.parts.>`): for whoever gives work to people."""

from deskstream.contracts.chain_facts import PartFacts
from deskstream.contracts.ids import PartId
from deskstream.contracts.message import Event

LANE = "events.parts"


class PartStaffed(Event, lane=LANE, key="part_id"):
    """A part was made, or its place, name, maturity or people are others now; it was deleted, or restored.

    Said beside the part's own event on `events.ticketing`, and not when only its weight or what hangs on it changed.
    """

    part_id: PartId
    after: PartFacts
