"""Whether both servers let everybody do what the declarations say, and nothing else."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from nats.errors import Error as NatsError

from deskstream.cli.asking import Client, connected
from deskstream.cli.database import Connection
from deskstream.cli.doctor.finding import Finding, fine, warning, wrong
from deskstream.cli.problem import Problem
from deskstream.messaging import Declaration
from deskstream.messaging.accounts import ABOUT_ONESELF
from deskstream.messaging.permissions import OPERATOR, Apart, Permissions, inbox_prefix, permissions
from deskstream.runtime.channels import adapters_elsewhere
from deskstream.runtime.privileges.credentials import Credentials, role_of
from deskstream.runtime.privileges.grants import differences
from deskstream.runtime.reach import reach_of
from deskstream.runtime.settings import RuntimeSettings

BROKER: Final = "NATS permissions"
DATABASE: Final = "PostgreSQL permissions"
WITHIN_S: Final = 3.0

_ROLES: Final = "SELECT rolname FROM pg_roles WHERE rolname = ANY($1::text[])"
_RENEW: Final = (
    "`deskstream provision --permissions` writes the configuration again; give it to NATS and reload it "
    "(`nats-server --signal reload`)."
)
_OPEN: Final = "`deskstream provision --permissions` writes a configuration that lets each service in as itself."
_MIGRATE: Final = "`deskstream migrate`, as the owner of the tables, puts it right."
_NO_ROLES: Final = "`deskstream provision --permissions` writes `roles.sql`, which makes a role for each."
_SHOWN: Final = 3


async def broker_privileges(
    client: Client, settings: RuntimeSettings, declarations: Sequence[Declaration]
) -> list[Finding]:
    """Asks the broker, as everybody whose seed is here, what it lets him do. Changes nothing."""
    if (await _told(client)).allowed is None:
        return [warning(BROKER, "NATS lets us do anything, and so perhaps everybody.", _OPEN)]
    users = permissions(declarations, adapters_elsewhere())
    walled = {user.user: user for user in permissions(declarations, adapters_elsewhere(), Apart.EVERYBODY)}
    if settings.credentials is None:
        return []
    known = [user for user in users if Credentials(settings.credentials).seed_file(user.user).exists()]
    found = await asyncio.gather(*(_as(user, walled[user.user], settings) for user in known))
    findings = [finding for finding in found if finding]
    without = [user.user for user in users if user not in known]
    if [user.user for user in known] == [OPERATOR]:
        # As in a container, where nobody has another's secrets.
        return findings or [fine(BROKER, f"{OPERATOR} may do what it should; the seeds of the others are not here.")]
    if without and known:
        findings.append(wrong(BROKER, f"There is no seed for {', '.join(without)}.", _RENEW))
    return findings or [fine(BROKER, f"{len(known)} users may do what they declare, and nothing else.")]


async def _as(user: Permissions, walled: Permissions, settings: RuntimeSettings) -> Finding | None:
    """`walled` is the same user in an account of its own, which a service may have or not."""
    try:
        reach, inbox = reach_of(settings, user.user), inbox_prefix(user.user)
        async with connected(reach, denied=[], inbox=inbox) as client:
            told = await _told(client)
    except (Problem, NatsError, TimeoutError):
        return wrong(BROKER, f"NATS does not let {user.user} in, or tells it nothing.", _RENEW)
    if told.allowed is None:
        return wrong(BROKER, f"{user.user} may do anything at NATS.", _RENEW)
    if user.apart and told.account != user.user:
        return wrong(
            BROKER, f"{user.user} has no account of its own at NATS, and takes in what strangers write.", _RENEW
        )
    return compared(walled if told.account == user.user else user, told.allowed)


class _Told(NamedTuple):
    account: str
    allowed: dict[str, Any] | None
    """What the server lets this connection do; None for anything."""


async def _told(client: Client) -> _Told:
    about = json.loads((await client.request(ABOUT_ONESELF, b"", timeout=WITHIN_S)).data)["data"]
    return _Told(about.get("account", ""), about.get("permissions"))


def compared(user: Permissions, allowed: dict[str, Any]) -> Finding | None:
    """What the broker says that a user may, against what the user declares."""
    parts = [
        *_difference("publish", user.publish, _listed(allowed, "publish")),
        *_difference("hear", user.subscribe, _listed(allowed, "subscribe")),
    ]
    if user.answers and not allowed.get("responses"):
        parts.append("may not answer what it is asked")
    return wrong(BROKER, f"{user.user} {'; it '.join(parts)}.", _RENEW) if parts else None


def _listed(allowed: dict[str, Any], kind: str) -> set[str]:
    return set((allowed.get(kind) or {}).get("allow") or ())


def _difference(verb: str, wanted: Sequence[str], has: set[str]) -> list[str]:
    lacks, excess = sorted(set(wanted) - has), sorted(has - set(wanted))
    return [
        *([f"may not {verb} {_some(lacks)}"] if lacks else []),
        *([f"may {verb} {_some(excess)}, which it does not declare"] if excess else []),
    ]


async def database_privileges(connection: Connection, declarations: Sequence[Declaration]) -> list[Finding]:
    """Whether each service has a role, and each role what it needs."""
    names = [declaration.name for declaration in declarations]
    roles = {row["rolname"] for row in await connection.fetch(_ROLES, [role_of(name) for name in names])}
    without = [name for name in names if role_of(name) not in roles]
    if without:
        who = "No service" if len(without) == len(names) else f"Not every service ({_some(without)})"
        return [warning(DATABASE, f"{who} has a role of its own in PostgreSQL.", _NO_ROLES)]
    found = await differences(connection, names)
    if found:
        return [wrong(DATABASE, f"{_some([str(one) for one in found])}.", _MIGRATE)]
    return [fine(DATABASE, f"{len(names)} roles may work in their own schemas, and nowhere else.")]


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"
