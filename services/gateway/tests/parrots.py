"""Services that say what they are told to: the gateway's neighbours, where only their words matter."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from deskstream.contracts import Event
from deskstream.messaging import Aggregate, Answer, Declaration, Query, Service, Tx
from deskstream.testkit.sample.services import MIGRATIONS, NoSettings


@dataclass(frozen=True)
class Say:
    """Asked of a parrot, within the process."""

    event: Event


async def _load(tx: Tx, keys: Sequence[str]) -> dict[str, Any]:
    return {key: key for key in keys}


async def _save(tx: Tx, states: Sequence[Any]) -> None:
    pass


_PARROT = Aggregate(
    name="parrot", load=_load, save=_save, decide=lambda state, say, now: [say.event], evolve=lambda state, event: state
)


def parrot(name: str, *lanes: str, answers: Sequence[Query] = ()) -> Declaration:
    """A service that says these lanes."""
    service = Service(hears=(), answers=(Answer(Say, _PARROT, key=lambda say: say.event.key()), *answers))
    return Declaration(
        name=name, settings=NoSettings, build=lambda settings: service, migrations=MIGRATIONS, says=lanes
    )
