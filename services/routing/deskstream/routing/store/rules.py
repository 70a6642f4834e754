"""The rule book in the database: every version is kept, the highest of each rule holds."""

from collections.abc import Sequence
from dataclasses import replace

from deskstream.contracts.routing import RuleFacts
from deskstream.messaging import Tx
from deskstream.routing.domain.rulebook import Entry, Rulebook
from deskstream.routing.store.floors import lock

_VERSION = "SELECT rules_version FROM desk"

# Version and rules in one statement: of one moment.
_CURRENT = """
SELECT d.rules_version, l.rule_id, l.rule
FROM desk d
LEFT JOIN (
    SELECT DISTINCT ON (rule_id) rule_id, removed, rule
    FROM rule_versions
    ORDER BY rule_id, version DESC
) l ON NOT l.removed
"""

_NAMES = """
SELECT 'agent' AS kind, id
FROM agents
UNION ALL
SELECT 'team', id
FROM teams
"""

_SAVE = """
WITH saved AS (
    INSERT INTO rule_versions (rule_id, version, name, removed, rule, at)
    SELECT rule_id, version, name, removed, rule, at
    FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::boolean[], $5::text[], $6::timestamptz[])
        AS new(rule_id, version, name, removed, rule, at)
)
UPDATE desk
SET rules_version = $7
"""


async def version(tx: Tx) -> int:
    """The version of the list as a whole."""
    number: int = await tx.fetchval(_VERSION)
    return number


async def current(tx: Tx) -> Rulebook:
    """The rules that hold, of one moment; whom they may name is left out."""
    rows = await tx.fetch(_CURRENT)
    found = [row for row in rows if row["rule_id"] is not None]
    entries = [Entry(row["rule_id"], RuleFacts.model_validate_json(row["rule"])) for row in found]
    return Rulebook(version=rows[0]["rules_version"], entries={entry.facts.name: entry for entry in entries})


async def load(tx: Tx, keys: Sequence[str]) -> dict[str, Rulebook]:
    """The one rule book, under its lock."""
    await lock(tx)
    names = await tx.fetch(_NAMES)
    book = replace(
        await current(tx),
        agents=frozenset(row["id"] for row in names if row["kind"] == "agent"),
        teams=frozenset(row["id"] for row in names if row["kind"] == "team"),
    )
    return dict.fromkeys(keys, book)


async def save(tx: Tx, books: Sequence[Rulebook]) -> None:
    """Appends the versions that a batch wrote."""
    for book in books:
        rows = [
            (said.rule_id, said.version, said.name, said.removed, said.rule.model_dump_json(), said.at)
            for said in book.written
            if said.rule is not None
        ]
        await tx.execute(_SAVE, *zip(*rows, strict=True), book.version)
