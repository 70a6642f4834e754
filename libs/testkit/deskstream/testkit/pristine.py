"""A database as it was when it was new: remembered, and restored after a test as far as that can be proved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import asyncpg

from deskstream.testkit.databases import Connection

Texts: TypeAlias = Mapping[str, str]

_MOST_PAGES: Final = 128
"""A table that grew larger is not worth emptying: its dead rows would slow down the tests that come."""

_FILLED: Final = """
SELECT
    oid::regclass::text AS name,
    pg_relation_size(oid) / current_setting('block_size')::int AS pages
FROM pg_class
WHERE oid >= 16384
  AND relkind = 'r'
  AND pg_relation_size(oid) > 0
ORDER BY oid
"""

_NAMES: Final = """
SELECT oid::regclass::text AS name
FROM pg_class
WHERE relkind::text = $1
  AND (relnamespace = 'pg_catalog'::regnamespace) = $2
  AND NOT relisshared
ORDER BY oid
"""

# A row that was changed, or came in another's place, has a later transaction: with as many rows the sum is greater.
_COUNTED: Final = "SELECT count(*), sum(xmin::text::bigint) FROM {name}"
_BUT_FOR: Final = {
    # The first temporary table of a session leaves an empty schema behind.
    "pg_namespace": r" WHERE nspname !~ '^pg_(toast_)?temp_\d+$'",
    # What the server learns about its own tables, whenever it likes.
    "pg_statistic": " WHERE starelid >= 16384",
}

# What is written in place, with no transaction beside it, and what the server keeps about a database.
_BESIDE: Final = """
SELECT concat_ws(
    '/',
    (
        SELECT md5(string_agg(concat_ws(' ', oid, relpages, reltuples, relhasindex), ',' ORDER BY oid))
        FROM pg_class
        WHERE oid >= 16384
    ),
    (SELECT count(*) FROM pg_db_role_setting WHERE setdatabase = d.oid),
    (SELECT count(*) FROM pg_shdescription WHERE objoid = d.oid),
    d.datdba, d.datconnlimit, d.datistemplate, d.dattablespace, d.datacl
)
FROM pg_database d
WHERE datname = current_database()
"""

_POSITIONS: Final = "SELECT '{name}' AS name, concat_ws(' ', last_value, is_called) AS text FROM {name}"
_ROWS: Final = "SELECT '{name}' AS name, json_agg(t ORDER BY t::text)::text AS text FROM {name} t"
_EMPTY: Final = "DELETE FROM {name}"
_FILL: Final = """
INSERT INTO {name} ({columns}) OVERRIDING SYSTEM VALUE
SELECT {columns}
FROM json_populate_recordset(NULL::{name}, $1)
"""
_COLUMNS: Final = """
SELECT string_agg(quote_ident(attname), ', ')
FROM pg_attribute
WHERE attrelid = $1::text::regclass
  AND attnum > 0
  AND attgenerated = ''
  AND NOT attisdropped
"""
_REWIND: Final = """
SELECT setval(name::regclass, split_part(position, ' ', 1)::bigint, split_part(position, ' ', 2)::boolean)
FROM unnest($1::text[], $2::text[]) AS wanted (name, position)
"""


class NotRestored(Exception):
    """The database cannot be shown to be as it was; the text says what differs."""


@dataclass(frozen=True, slots=True)
class Pristine:
    """What a database was like when nobody had used it."""

    counting: str
    """The question that `catalogues` answers."""
    catalogues: Sequence[asyncpg.Record]
    beside: str
    positions: Texts
    """Of each sequence."""
    rows: Texts
    """Of each table that has any, as JSON."""

    async def restore(self, connection: Connection) -> None:
        """Empties what was empty, fills what was not, and rewinds sequences. Nobody else may be connected.

        Raises NotRestored when anything else has changed or a table grew large. A superuser's connection is needed.
        """
        if await connection.fetch(self.counting) != self.catalogues:
            raise NotRestored("The catalogue has changed.")
        if await connection.fetchval(_BESIDE) != self.beside:
            raise NotRestored("The settings of the database or the planner's figures have changed.")
        await connection.execute("SET session_replication_role = replica")
        await self._restore_rows(connection)
        await self._rewind(connection)
        # What is counted towards the next vacuum of a table was not the next test's doing.
        await connection.execute("SELECT pg_stat_reset()")

    async def _restore_rows(self, connection: Connection) -> None:
        filled = await connection.fetch(_FILLED)
        if large := [row["name"] for row in filled if row["pages"] > _MOST_PAGES]:
            raise NotRestored(f"Tables grew large: {', '.join(large)}.")
        found = await _texts(connection, _ROWS, self.rows)
        changed = [name for name in self.rows if found[name] != self.rows[name]]
        emptied = [row["name"] for row in filled if row["name"] not in self.rows] + changed
        # Truncating makes files and writes the catalogue: that costs more than the rows that a test leaves.
        await connection.execute("; ".join(["SELECT", *(_EMPTY.format(name=name) for name in emptied)]))
        for name in changed:
            columns = await connection.fetchval(_COLUMNS, name)
            await connection.execute(_FILL.format(name=name, columns=columns), self.rows[name])
        for name, rows in (await _texts(connection, _ROWS, emptied)).items():
            if rows != self.rows.get(name):
                raise NotRestored(f"{name} cannot be restored.")

    async def _rewind(self, connection: Connection) -> None:
        found = await _texts(connection, _POSITIONS, self.positions)
        moved = [name for name in found if found[name] != self.positions[name]]
        await connection.execute(_REWIND, moved, [self.positions[name] for name in moved])


async def remember(connection: Connection) -> Pristine:
    """What the connection's database is like now."""
    catalogues = [row["name"] for row in await connection.fetch(_NAMES, "r", True)]
    counting = " UNION ALL ".join(_COUNTED.format(name=name) + _BUT_FOR.get(name, "") for name in catalogues)
    sequences = [row["name"] for row in await connection.fetch(_NAMES, "S", False)]
    filled = [row["name"] for row in await connection.fetch(_FILLED)]
    rows = await _texts(connection, _ROWS, filled)
    return Pristine(
        counting=counting,
        catalogues=await connection.fetch(counting),
        beside=await connection.fetchval(_BESIDE),
        positions=await _texts(connection, _POSITIONS, sequences),
        rows={name: text for name, text in rows.items() if text is not None},
    )


async def _texts(connection: Connection, question: str, names: Iterable[str]) -> dict[str, str]:
    questions = [question.format(name=name) for name in names]
    if not questions:
        return {}
    return {row["name"]: row["text"] for row in await connection.fetch(" UNION ALL ".join(questions))}
