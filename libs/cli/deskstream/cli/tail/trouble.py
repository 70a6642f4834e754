"""What fails in the services, looked up in their waiting tables: it is no event, and yet part of the story."""

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from deskstream.cli.database import Connection, database
from deskstream.cli.letters.finding import Found, find_all
from deskstream.cli.problem import Problem
from deskstream.cli.tail.seen import Seen
from deskstream.messaging import DATABASE_UNWELL
from deskstream.messaging.dead_letters import Wanted

LOOK_EVERY_S: Final = 1.0
TRY_AGAIN_S: Final = 20.0
MOST: Final = 1000

_UNWELL: Final = (*DATABASE_UNWELL, Problem)


class Trouble:
    """Hands over each message that fails, once when it begins to and once when it is dead."""

    def __init__(self, dsn: str, since: datetime | None, hand_over: Callable[[Seen], None]) -> None:
        self._dsn = dsn
        self._since = since
        self._hand_over = hand_over
        self._told: set[tuple[str, UUID, str]] | None = None

    async def run(self) -> None:
        """Until cancelled. Without a database there is nothing to tell; it is tried again now and then."""
        while True:
            try:
                async with database(self._dsn) as connection:
                    while True:
                        await self._look(connection)
                        await asyncio.sleep(LOOK_EVERY_S)
            except _UNWELL:
                await asyncio.sleep(TRY_AGAIN_S)

    async def _look(self, connection: Connection) -> None:
        told, first = self._told or set(), self._told is None
        for found in await find_all(connection, Wanted(limit=MOST)):
            state = "dead" if found.letter.state == "dead" else "failed"
            identity = (found.service, found.letter.message_id, state)
            if identity not in told and not (first and self._is_old(found)):
                self._hand_over(_seen(found, state))
            told.add(identity)
        self._told = told

    def _is_old(self, found: Found) -> bool:
        """Whether what is there at the first look began to fail before the time that is shown."""
        return self._since is None or found.letter.since < self._since


def _seen(found: Found, state: str) -> Seen:
    data = dict(_data(found))
    about = {"lane": f"waiting.{found.service}", "event": state, "key": found.letter.key, "data": data}
    return Seen(
        at=datetime.now(UTC),
        lane=f"waiting.{found.service}",
        event=state,
        key=found.letter.key,
        actor=None,
        data=data,
        document=json.dumps(about, ensure_ascii=False),
    )


def _data(found: Found) -> Iterator[tuple[str, object]]:
    letter = found.letter
    yield "name", found.name
    yield "event", letter.type.rpartition(".")[2]
    yield "reason", letter.reason
    yield "tries", letter.tries
    yield "since", letter.since.isoformat()
    yield "behind", letter.behind
