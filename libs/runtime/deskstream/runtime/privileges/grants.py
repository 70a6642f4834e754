"""What each service's role may do with each table: said by the owner, compared with what the database says.

A service works in its own schema, but cannot change the journal that it wrote; of the blobs it may add some, and read
those that it can name. Nobody has anything in another's schema.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg

from deskstream import blobs
from deskstream.runtime.migrations import Connection
from deskstream.runtime.privileges.credentials import ROLE_PREFIX, role_of

_NOTHING: Final = frozenset[str]()
_LOOK: Final = frozenset({"SELECT"})
_ADD: Final = frozenset({"SELECT", "INSERT"})
_WORK: Final = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})
_COUNT: Final = frozenset({"USAGE"})

_SPECIAL: Final = {
    # What was said, and what was given up, stays as it was written.
    "journal": _ADD,
    "dropped": _ADD,
    "migrations": _LOOK,
}

_SCHEMAS: Final = """
SELECT n.nspname AS schema, r.rolname AS role, a.privilege_type AS privilege
FROM pg_namespace n
LEFT JOIN LATERAL aclexplode(n.nspacl) a ON a.grantee <> n.nspowner
LEFT JOIN pg_roles r ON r.oid = a.grantee
WHERE n.nspname = ANY($1::text[])
"""

_RELATIONS: Final = """
SELECT n.nspname AS schema, c.relname AS relation, c.relkind::text AS kind, c.relispartition AS part,
       r.rolname AS role, a.privilege_type AS privilege
FROM pg_namespace n
JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
LEFT JOIN LATERAL aclexplode(c.relacl) a ON a.grantee <> c.relowner
LEFT JOIN pg_roles r ON r.oid = a.grantee
WHERE n.nspname = ANY($1::text[])
"""

_ROLES: Final = r"""
SELECT rolname
FROM pg_roles
WHERE rolname LIKE 'deskstream\_%'
"""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing on which a role has more or less than it should."""

    role: str
    """Empty for everybody (PUBLIC)."""
    thing: str
    """As SQL names it: `TABLE "crm"."journal"`."""
    missing: tuple[str, ...]
    excess: tuple[str, ...]

    def __str__(self) -> str:
        who = self.role or "everybody"
        lacks = f"lacks {', '.join(self.missing)}" if self.missing else ""
        has = f"has {', '.join(self.excess)}" if self.excess else ""
        return f"{who} {' and '.join(filter(None, (lacks, has)))} on {self.thing}"


async def grants(connection: Connection, services: Iterable[str]) -> list[Difference]:
    """Gives the roles of these services what they need, and takes what is too much; returns what was changed.

    For the owner of the tables. A service without a role is left out: it works as the owner.
    """
    found = await differences(connection, services)
    if found:
        await connection.execute("\n".join(statement for one in found for statement in _statements(one)))
    return found


async def differences(connection: Connection, services: Iterable[str]) -> list[Difference]:
    """Where the roles of these services have more or less than they should, in any schema of the desk."""
    schemas = {*services, blobs.SCHEMA}
    roles = {row["rolname"] for row in await connection.fetch(_ROLES)}
    owners = {role_of(name): name for name in schemas if role_of(name) in roles}
    found = _Held(owners)
    for row in await connection.fetch(_SCHEMAS, list(schemas)):
        found.take(f'SCHEMA "{row["schema"]}"', row, _of_schema(row["schema"], owners))
    for row in await connection.fetch(_RELATIONS, list(schemas)):
        kind = "SEQUENCE" if row["kind"] == "S" else "TABLE"
        found.take(f'{kind} "{row["schema"]}"."{row["relation"]}"', row, _of_relation(row, owners))
    return found.differences()


class _Held:
    """Who has what, and who should have."""

    def __init__(self, owners: Mapping[str, str]) -> None:
        self._owners = owners
        self._held = defaultdict[tuple[str, str], set[str]](set)
        self._wanted: dict[tuple[str, str], frozenset[str]] = {}

    def take(self, thing: str, row: asyncpg.Record, wanted: Mapping[str, frozenset[str]]) -> None:
        """One privilege that somebody has on a thing, or none."""
        self._wanted |= {(thing, role): privileges for role, privileges in wanted.items()}
        role = row["role"] or ""
        if row["privilege"] and (not role or role.startswith(ROLE_PREFIX)):
            self._held[thing, role].add(row["privilege"])

    def differences(self) -> list[Difference]:
        """Sorted, so that it reads the same each time."""
        found = []
        for thing, role in sorted({*self._held, *self._wanted}):
            held, wanted = self._held.get((thing, role), set()), self._wanted.get((thing, role), _NOTHING)
            if held != wanted and (role in self._owners or not wanted):
                found.append(Difference(role, thing, tuple(sorted(wanted - held)), tuple(sorted(held - wanted))))
        return found


def _of_schema(schema: str, owners: Mapping[str, str]) -> dict[str, frozenset[str]]:
    return {role: _COUNT for role, own in owners.items() if schema in (own, blobs.SCHEMA)}


def _of_relation(row: asyncpg.Record, owners: Mapping[str, str]) -> dict[str, frozenset[str]]:
    schema, relation = row["schema"], row["relation"]
    if schema == blobs.SCHEMA:
        return {role: frozenset({"INSERT"}) if relation == "blobs" else _NOTHING for role in owners}
    return {role: _own(row) for role, own in owners.items() if own == schema}


def _own(row: asyncpg.Record) -> frozenset[str]:
    if row["part"]:
        # Months of the journal are reached through the journal, and so by its rules.
        return _NOTHING
    match row["kind"]:
        case "S":
            return _COUNT
        case "v" | "m":
            return _LOOK
        case _:
            return _SPECIAL.get(row["relation"], _WORK)


def _statements(one: Difference) -> Sequence[str]:
    role = one.role or "PUBLIC"
    taken = [f"REVOKE {', '.join(one.excess)} ON {one.thing} FROM {role};"] if one.excess else []
    given = [f"GRANT {', '.join(one.missing)} ON {one.thing} TO {role};"] if one.missing else []
    return taken + given
