"""PostgreSQL roles: one for each service, which works in its own schema and owns nothing; and the one that owns all.

Roles belong to the whole server, and a superuser makes them. What they may do belongs to the tables: their owner renews
it after every migration, with `grants`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

from deskstream.messaging.permissions import OPERATOR
from deskstream.runtime.migrations import Connection
from deskstream.runtime.privileges.credentials import role_of

ITERATIONS: Final = 4096
"""PostgreSQL's own default; what is made for the embedded server takes 1, as nobody guesses 256 random bits."""

_ATTRIBUTES: Final = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOINHERIT"

# Who may not even connect cannot guess passwords, look around in catalogues, or fill the disk with temporary tables.
_DATABASE: Final = """
DO $$
BEGIN
    EXECUTE format('ALTER DATABASE %I OWNER TO {owner}', current_database());
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO {roles}', current_database());
END
$$;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
"""

_HEAD: Final = """\
-- Written by `deskstream provision --permissions`. A superuser runs it in the database of the desk, and again when a
-- service is added: `psql -v ON_ERROR_STOP=1 -f roles.sql`. It holds no password, only what they are checked with.
-- What each role may do follows from the tables: `deskstream migrate` says it, as {owner}.
"""

_MADE: Final = "SELECT rolname, rolpassword FROM pg_authid WHERE rolname = ANY($1::text[])"

# Shared by all databases of the server, as roles are: no advisory lock is.
_ALONE: Final = "LOCK TABLE pg_authid IN SHARE ROW EXCLUSIVE MODE"


def roles_sql(passwords: Mapping[str, str]) -> str:
    """The file for a superuser of a server of one's own; `passwords` by user, the operator among them."""
    verifiers = {user: verifier(role_of(user), password) for user, password in sorted(passwords.items())}
    owner = role_of(OPERATOR)
    roles = "\n".join(_statement(role_of(user), found) for user, found in verifiers.items())
    database = _DATABASE.format(owner=owner, roles=", ".join(role_of(user) for user in verifiers))
    return f"{_HEAD.format(owner=owner)}\n{roles}\n{database}"


async def make_roles(connection: Connection, passwords: Mapping[str, str]) -> list[str]:
    """Makes the roles that are missing or have another password, as a superuser; returns which. Many may call at once.

    For servers of our own: iterations against guessing are left out.
    """
    wanted = {role_of(user): verifier(role_of(user), secret, iterations=1) for user, secret in passwords.items()}
    if not (missing := await _missing(connection, wanted)):
        return []
    async with connection.transaction():
        await connection.execute(_ALONE)
        missing = await _missing(connection, wanted)
        for role, found in missing.items():
            await connection.execute(_statement(role, found))
    return sorted(missing)


async def _missing(connection: Connection, wanted: Mapping[str, str]) -> dict[str, str]:
    made = {row["rolname"]: row["rolpassword"] for row in await connection.fetch(_MADE, list(wanted))}
    return {role: found for role, found in sorted(wanted.items()) if made.get(role) != found}


def verifier(role: str, password: str, *, iterations: int = ITERATIONS) -> str:
    """What PostgreSQL keeps of a password: SCRAM-SHA-256 (RFC 7677, RFC 5802 §3). The same each time."""
    salt = hashlib.sha256(f"{role}\n{password}".encode()).digest()[:16]
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    stored = hashlib.sha256(_hmac(salted, b"Client Key")).digest()
    return f"SCRAM-SHA-256${iterations}:{_text(salt)}${_text(stored)}:{_text(_hmac(salted, b'Server Key'))}"


def _statement(role: str, found: str) -> str:
    return f"""\
DO $$
BEGIN
    CREATE ROLE {role};
EXCEPTION
    WHEN duplicate_object THEN NULL;
END
$$;
ALTER ROLE {role} {_ATTRIBUTES} PASSWORD '{found}';
"""


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
