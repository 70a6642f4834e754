"""The tally of each reader and lane, from the records alone: nothing is counted for it while messages are handled.

Sequences have no gaps. So the sum of a writer's last ones is how much it ever said, and the sum of a reader's is how
much it passed; both are read as of one moment.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from typing import Any, Final

from nats.js.errors import NotFoundError

from deskstream.cli.asking import Client
from deskstream.cli.database import Connection
from deskstream.cli.doctor.finding import Finding, warning, wrong
from deskstream.cli.doctor.tally import CHECK, Tally, TallySheet
from deskstream.contracts import subjects
from deskstream.contracts.health import HealthRead
from deskstream.messaging import Declaration
from deskstream.messaging.item import Fate
from deskstream.messaging.topology import stream_of

PATIENCE_S: Final = 5.0
"""What is on its way now has arrived by then, or does not move."""
LOOK_EVERY_S: Final = 0.5

_SAID: Final = """
SELECT lane, sum(seq)::bigint AS said
FROM heads
GROUP BY lane
"""

# What stands in the table and was passed meanwhile is only not yet tidied away.
_READ: Final = """
SELECT lane, sum(passed)::bigint AS passed, sum(waiting)::bigint AS waiting, sum(dead)::bigint AS dead,
       sum(dropped)::bigint AS dropped
FROM (
    SELECT lane, sum(seq) AS passed, 0 AS waiting, 0 AS dead, 0 AS dropped
    FROM progress
    GROUP BY lane
    UNION ALL
    SELECT w.lane, 0, count(DISTINCT (w.key, w.seq)) FILTER (WHERE w.state <> 'dead'),
           count(DISTINCT (w.key, w.seq)) FILTER (WHERE w.state = 'dead'), 0
    FROM waiting w
    LEFT JOIN progress p USING (lane, key)
    WHERE w.seq > coalesce(p.seq, 0)
    GROUP BY w.lane
    UNION ALL
    SELECT lane, 0, 0, 0, count(*)
    FROM dropped
    WHERE seq > 0
    GROUP BY lane
) counted
GROUP BY lane
"""

_TABLES: Final = ("heads", "progress", "waiting", "dropped", "unpublished")

_READABLE: Final = """
SELECT n.nspname AS name
FROM pg_namespace n
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = ANY($1::text[])
WHERE has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
GROUP BY n.nspname
HAVING count(*) = cardinality($1::text[])
"""

_OWED: Final = "SELECT count(*) FROM unpublished"
_SEARCH: Final = "SELECT set_config('search_path', $1, true)"


async def sheet_of_readers(
    client: Client, connection: Connection, declarations: Sequence[Declaration], healths: Mapping[str, HealthRead]
) -> TallySheet:
    """Looks until everything adds up, or what does not moves no more. What cannot be read is told, and not counted."""
    readable = await _readable(connection)
    missing = sorted({declaration.name for declaration in declarations} - readable)
    told = [_not_read(missing)] if missing else []
    deadline = time.monotonic() + PATIENCE_S
    first = now = await _tallies(connection, declarations, readable)
    while any(one.underway for one in now) and time.monotonic() < deadline:
        await asyncio.sleep(LOOK_EVERY_S)
        now = await _tallies(connection, declarations, readable)
    findings = [
        _missing(tally)
        for before, tally in zip(first, now, strict=True)
        if tally.underway
        and replace(tally, received=before.received, underway=before.underway) == before
        and await _nothing_comes(client, connection, tally)
    ]
    return TallySheet([replace(tally, repeated=_repeated(tally, healths)) for tally in now], told + findings)


async def _readable(connection: Connection) -> set[str]:
    """The schemas whose tables are there and may be read by us."""
    return {row["name"] for row in await connection.fetch(_READABLE, list(_TABLES))}


async def _tallies(connection: Connection, declarations: Sequence[Declaration], readable: Set[str]) -> list[Tally]:
    """Of each lane whose writer and reader can both be read."""
    present = [declaration for declaration in declarations if declaration.name in readable]
    said, tallies = dict[str, int](), list[Tally]()
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        for declaration in present:
            said |= {row["lane"]: row["said"] for row in await _rows(connection, declaration.name, _SAID)}
        for declaration in present:
            read = {row["lane"]: row for row in await _rows(connection, declaration.name, _READ)}
            lanes = [one for one in declaration.hears if subjects.owner_of(one) in readable]
            tallies += [_tally(declaration.name, lane, said.get(lane, 0), read.get(lane)) for lane in lanes]
    return tallies


async def _rows(connection: Connection, schema: str, query: str) -> Sequence[Any]:
    await connection.execute(_SEARCH, schema)
    return await connection.fetch(query)


def _tally(reader: str, lane: str, said: int, read: Any) -> Tally:
    passed, waiting, dead, dropped = (read[name] if read else 0 for name in ("passed", "waiting", "dead", "dropped"))
    return Tally(
        reader, lane, received=said, applied=passed - dropped, duplicate=0, rejected=dropped, dead=dead,
        waiting=waiting, underway=said - passed - dead - waiting,
    )  # fmt: skip


async def _nothing_comes(client: Client, connection: Connection, tally: Tally) -> bool:
    """Whether the broker has nothing more for the reader, and the writer owes the broker nothing."""
    try:
        about = await client.jsm().consumer_info(stream_of(tally.source), tally.reader)
    except NotFoundError:
        return False
    if about.num_pending or about.num_ack_pending:
        return False
    async with connection.transaction(readonly=True):
        await connection.execute(_SEARCH, subjects.owner_of(tally.source))
        return not await connection.fetchval(_OWED)


def _not_read(names: Sequence[str]) -> Finding:
    sentence = f"Nothing was counted of what {', '.join(names)} said and read: the tables are not there, or not for us."
    return warning(CHECK, sentence, "`deskstream migrate` makes them; only their owner may look at all of them.")


def _missing(tally: Tally) -> Finding:
    reader, lane, lacking = tally.reader, tally.source, tally.underway
    if lacking < 0:
        sentence = f"{reader} has passed {-lacking:,} more events of {lane} than its writer knows to have said."
        return wrong(CHECK, sentence, "That database is older than its stream: `deskstream reconcile` says how far.")
    sentence = f"{reader} lacks {lacking:,} of {tally.received:,} events of {lane}, and nothing is on its way."
    return wrong(CHECK, sentence, "`deskstream reconcile` lists what the stream lacks; `--apply` publishes it again.")


def _repeated(tally: Tally, healths: Mapping[str, HealthRead]) -> int | None:
    health = healths.get(tally.reader)
    return health.handled.get(tally.source, {}).get(Fate.DUPLICATE, 0) if health else None
