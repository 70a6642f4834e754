"""The turn of what has no sequence: what adapters say is ordered by publishing alone.

After a start, and after a connection broke, something earlier may still be owed to the broker. Until the sweeper has
published it, what is said later is left to the sweeper too, which goes by the journal's order.
"""

from dataclasses import dataclass

from nats.aio.client import Client


@dataclass(frozen=True, slots=True)
class Moment:
    """How many rows were left to the sweeper, on which connection."""

    left: int
    reconnects: int


class Turn:
    """Whether an unnumbered row may be published at once. `needed` is false where nobody orders by them."""

    def __init__(self, *, needed: bool = False) -> None:
        self._needed = needed
        self._caught_up = not needed
        self._left = 0
        self._reconnects = 0

    def has_come(self, client: Client) -> bool:
        """Asked for each such row; one whose turn has not come is counted as left to the sweeper."""
        if not self.waits(client):
            return True
        self._left += 1
        return False

    def waits(self, client: Client) -> bool:
        """Whether something earlier may still be owed."""
        if self._needed and client.stats["reconnects"] != self._reconnects:
            self._caught_up = False
        return not self._caught_up

    def lost(self) -> None:
        """Something was not sent, or not taken."""
        self._caught_up = not self._needed
        self._left += 1

    def moment(self, client: Client) -> Moment:
        """To be taken before the database is asked what is owed."""
        return Moment(self._left, client.stats["reconnects"])

    def nothing_was_owed(self, since: Moment, client: Client) -> None:
        """Unless anything was left to the sweeper meanwhile, or the connection broke, everybody may go on."""
        if since == self.moment(client):
            self._caught_up, self._reconnects = True, since.reconnects
