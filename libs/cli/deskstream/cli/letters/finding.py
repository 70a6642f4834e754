"""Dead letters of all services under names that people can type: `crm/3f2a91c0`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from deskstream.cli import services
from deskstream.cli.database import Connection, schema, schemas_made
from deskstream.cli.problem import Problem, misused
from deskstream.messaging import dead_letters
from deskstream.messaging.dead_letters import DeadLetter, Wanted

_NAME: Final = re.compile(r"(?:([a-z_0-9]+)/)?([0-9a-f]{4,8}[0-9a-f-]{0,28})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Found:
    """A dead letter of a service. The same event may be one in two services."""

    service: str
    letter: DeadLetter

    @property
    def name(self) -> str:
        """By which people call it."""
        return f"{self.service}/{self.letter.message_id.hex[:8]}"


async def find_all(connection: Connection, wanted: Wanted, *, service: str | None = None) -> list[Found]:
    """Of one service or all, oldest first. Raises Problem for a service that there is not."""
    found = []
    for name in await schemas_made(connection, _chosen(service)):
        async with schema(connection, name) as tx:
            found += [Found(name, letter) for letter in await dead_letters.find(tx, wanted)]
    return sorted(found, key=lambda one: one.letter.since)[: wanted.limit]


def _chosen(service: str | None) -> list[str]:
    known = services.names()
    if service is not None and service not in known:
        raise misused(f"There is no service {service}. There are: {', '.join(known)}.")
    return known if service is None else [service]


async def find_named(connection: Connection, names: Sequence[str]) -> list[Found]:
    """Exactly one for each name. Raises Problem for a name that means none, or several."""
    return [await _one(connection, name) for name in dict.fromkeys(names)]


async def _one(connection: Connection, name: str) -> Found:
    parts = _NAME.fullmatch(name.strip())
    if not parts:
        raise misused(f"{name!r} names no dead letter. They are called like crm/3f2a91c0: see `dead-letters list`.")
    found = await find_all(connection, Wanted(prefix=parts[2], limit=20), service=parts[1])
    if len(found) == 1:
        return found[0]
    if not found:
        raise Problem(
            f"There is no dead letter {name}: it was handled, or dropped. See `deskstream dead-letters list`."
        )
    several = ", ".join(f"{one.service}/{one.letter.message_id}" for one in found)
    raise misused(f"{name} means several: {several}. Write more of it.")
