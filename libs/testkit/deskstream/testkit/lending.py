"""The databases of one test process: lent to one test after the other, each time as if new."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Final

import asyncpg

from deskstream.testkit.databases import Connection, Template, database_url, drop, new_name
from deskstream.testkit.pristine import NotRestored, Pristine, remember

_PATIENCE_S: Final = 5.0
_PAUSE_S: Final = 0.005
_END_SESSIONS: Final = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1"


@dataclass(slots=True)
class _Spare:
    name: str
    pristine: Pristine


@dataclass
class Databases:
    """Clones of a template. One that could be restored after a test is lent again, any other is dropped."""

    template: Template
    _spare: list[_Spare] = field(default_factory=list)

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[str]:
        """The URL of a database that is new to whoever asks, under a name of its own."""
        admin = await asyncpg.connect(self.template.server_url)
        try:
            lent = self._spare.pop() if self._spare else await self._clone(admin)
            try:
                yield database_url(self.template.server_url, lent.name)
            finally:
                await self._take_back(admin, lent)
        finally:
            await admin.close()

    async def drop_all(self) -> None:
        """Nothing is lent any more."""
        admin = await asyncpg.connect(self.template.server_url)
        try:
            while self._spare:
                await drop(admin, self._spare.pop().name)
        finally:
            await admin.close()

    async def _clone(self, admin: Connection) -> _Spare:
        name = new_name()
        await self.template.copy(admin, name)
        connection = await self._connect(name)
        try:
            return _Spare(name, await remember(connection))
        finally:
            await connection.close()

    async def _take_back(self, admin: Connection, lent: _Spare) -> None:
        # Whoever the test left behind knows a name that is no more.
        renamed = _Spare(new_name(), lent.pristine)
        try:
            await _end_sessions(admin, lent.name)
            await admin.execute(f"ALTER DATABASE {lent.name} RENAME TO {renamed.name}")
            await self._restore(renamed)
        except (NotRestored, TimeoutError, asyncpg.PostgresError):
            await drop(admin, lent.name)
            await drop(admin, renamed.name)
        else:
            self._spare.append(renamed)

    async def _restore(self, spare: _Spare) -> None:
        connection = await self._connect(spare.name)
        try:
            await spare.pristine.restore(connection)
        finally:
            await connection.close()

    async def _connect(self, name: str) -> Connection:
        return await asyncpg.connect(database_url(self.template.server_url, name))


@contextmanager
def lending(template: Template) -> Iterator[Databases]:
    """Databases to be lent by whatever event loops there are; dropped at the end."""
    databases = Databases(template)
    yield databases
    asyncio.run(databases.drop_all())


async def _end_sessions(admin: Connection, name: str) -> None:
    # The server, which would wait by itself, looks again after a tenth of a second only.
    async with asyncio.timeout(_PATIENCE_S):
        while await admin.fetchval(_END_SESSIONS, name):  # noqa: ASYNC110 - nobody says when they are gone
            await asyncio.sleep(_PAUSE_S)
