"""PostgreSQL: whether it answers, whether it is up to date, whether anything waits that should have gone on."""

import time
from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg

from deskstream.cli.database import Connection, schema, schemas_made
from deskstream.cli.doctor.finding import Finding, fine, warning, wrong
from deskstream.cli.doctor.privileges import database_privileges
from deskstream.cli.doctor.probing import Clock, skew_found
from deskstream.messaging import Declaration, dead_letters
from deskstream.runtime.migrations import MigrationError, missing_migrations
from deskstream.runtime.schemas import schemas

GAP_OLD: Final = timedelta(seconds=60)
CONNECTIONS_FULL: Final = 0.9

_ABOUT = """
SELECT current_setting('server_version') AS version, clock_timestamp() AS now,
       current_setting('max_connections')::integer AS most,
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS used,
       pg_is_in_recovery() AS copy
"""

_STANDING = """
SELECT count(*) AS owed, min(at) AS oldest
FROM unpublished
WHERE at < clock_timestamp() - interval '15 seconds'
"""

_SENDS = """
SELECT count(*) FILTER (WHERE state = 'unknown') AS unknown,
       count(*) FILTER (WHERE state = 'queued' AND at < clock_timestamp() - interval '5 minutes') AS late
FROM sends
"""


async def examine_store(connection: Connection, declarations: Sequence[Declaration], clock: Clock) -> list[Finding]:
    """Everything about the database."""
    findings = await _server(connection, clock)
    findings.append(await _allowed("migrations", _migrations(connection, declarations)))
    findings += await database_privileges(connection, declarations)
    for name in await schemas_made(connection, [declaration.name for declaration in declarations]):
        findings += await _looked_at(connection, name)
    return [finding for finding in findings if finding]


async def _looked_at(connection: Connection, name: str) -> list[Finding]:
    try:
        async with schema(connection, name) as tx:
            # A name in a schema that we may not enter is not refused, but not found.
            if not await tx.fetchval("SELECT has_schema_privilege($1, 'USAGE')", name):
                return [_denied(f"schema {name}", "permission denied")]
            if await tx.fetchval("SELECT to_regclass('waiting')") is None:
                return []
            return await _service(tx, name)
    except asyncpg.InsufficientPrivilegeError as error:
        return [_denied(f"schema {name}", error)]


async def _allowed(what: str, asked: Awaitable[Finding]) -> Finding:
    try:
        return await asked
    except asyncpg.InsufficientPrivilegeError as error:
        return _denied(what, error)


def _denied(what: str, error: object) -> Finding:
    return wrong(
        "PostgreSQL permissions",
        f"We may not look at {what}: {error}.",
        "Ask as the owner of the tables: name its user in DESKSTREAM_POSTGRES_URL.",
    )


async def _server(connection: Connection, clock: Clock) -> list[Finding]:
    asked, started = clock(), time.perf_counter()
    row = await connection.fetchrow(_ABOUT)
    assert row is not None
    took = timedelta(seconds=time.perf_counter() - started)
    answers = fine("PostgreSQL", f"Version {row['version']} answers in {took.total_seconds() * 1000:.1f} ms.")
    if row["copy"]:
        answers = wrong(
            "PostgreSQL", "This is a read-only copy.", "Name the primary in DESKSTREAM_POSTGRES_URL."
        )  # fmt: skip
    return [answers, _connections(row["used"], row["most"]), skew_found(row["now"] - (asked + took / 2))]


def _connections(used: int, most: int) -> Finding:
    sentence = f"{used} of {most} connections are in use."
    if used <= CONNECTIONS_FULL * most:
        return fine("connections", sentence)
    return warning("connections", sentence, "Raise max_connections, or lower DESKSTREAM_POOL_SIZE.")


async def _migrations(connection: Connection, declarations: Sequence[Declaration]) -> Finding:
    missing: list[str] = []
    try:
        for name, sources in schemas(declarations).items():
            missing += [f"{name}: {migration}" for migration in await missing_migrations(connection, name, sources)]
    except MigrationError as error:
        return wrong("migrations", str(error), "Put the file back as it was applied.")
    if not missing:
        return fine("migrations", "The database is up to date.")
    shown = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
    return wrong("migrations", f"Not applied yet: {shown}.", "`deskstream migrate` applies them.")


async def _service(tx: Connection, name: str) -> list[Finding]:
    counts, now = await dead_letters.count(tx), await tx.fetchval("SELECT clock_timestamp()")
    owed, sends = await tx.fetchrow(_STANDING), await tx.fetchrow(_SENDS)
    found = [_letters(name, counts), _gap(name, counts, now), _owed(name, owed), _sends(name, sends)]
    return [finding for finding in found if finding]


def _letters(name: str, counts: dead_letters.Counts) -> Finding | None:
    if not (counts.dead or counts.failing):
        return None
    sentence = (
        f"{name}: {counts.dead} dead and {counts.failing} failing messages block {counts.blocked_keys} objects; "
        f"{counts.waiting} messages wait."
    )
    mend = f"`deskstream dead-letters list --service {name}` says why; after a fix `retry --all`."
    return wrong("dead letters", sentence, mend) if counts.dead else warning("dead letters", sentence, mend)


def _gap(name: str, counts: dead_letters.Counts, now: datetime) -> Finding | None:
    if counts.oldest_gap is None or now - counts.oldest_gap < GAP_OLD:
        return None
    since = int((now - counts.oldest_gap).total_seconds())
    return wrong(
        "gap",
        f"{name} has waited {since} s for an event that never came.",
        "It is read from the service that said it: that one must run and answer.",
    )


def _owed(name: str, row: Any) -> Finding | None:
    if not row["owed"]:
        return None
    return wrong(
        "publishing",
        f"{name}: {row['owed']} events are said, but not published, the oldest since {row['oldest']:%H:%M:%S} UTC.",
        f"Its sweeper publishes them while {name} runs and NATS takes them: look at both logs.",
    )


def _sends(name: str, row: Any) -> Finding | None:
    if row["unknown"]:
        sentence = f"{name}: of {row['unknown']} messages nobody knows whether they left."
        return warning("sending", sentence, "They are looked up before they are sent again; look at the channel.")
    if row["late"]:
        sentence = f"{name}: {row['late']} messages have waited to leave for over five minutes."
        return warning("sending", sentence, f"Look at the log of {name}: does the channel take them?")
    return None
