"""One floor for all objects of a batch.

The runner keeps a state for each key; routing's objects stand on one floor, and what is decided about one counts for
the next. So a key's state is a `Place`: where it stands, and the board on which the floor of the batch is written.
Nothing survives a batch: a message that fails undoes the transaction, and the board with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deskstream.contracts.message import Event
from deskstream.messaging import Due
from deskstream.routing import domain
from deskstream.routing.domain import NOTHING, Floor, Message, Woken


@dataclass(slots=True, eq=False)
class Board:
    """`loaded` is what the database holds, `floor` what holds by now."""

    loaded: Floor
    floor: Floor


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A key's state: the floor as it was after this key's last message."""

    board: Board
    floor: Floor


def begin(floor: Floor) -> Place:
    """The place of each key of a batch that loaded this floor."""
    return Place(Board(floor, floor), floor)


def decide(place: Place, message: Message | Due, now: datetime) -> Sequence[Event]:
    if message is NOTHING:
        return ()
    return domain.decide(place.board.floor, Woken() if isinstance(message, Due) else message, now)


def evolve(place: Place, event: Any) -> Place:
    floor = domain.evolve(place.board.floor, event)
    if floor is place.board.floor:
        return place
    place.board.floor = floor
    return Place(place.board, floor)


def due(place: Place) -> datetime | None:
    return domain.due(place.floor)
