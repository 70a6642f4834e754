"""Embedded servers on which each service is only itself: seeds and passwords lie in a folder beside their data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deskstream.messaging import Declaration
from deskstream.messaging.accounts import DESK
from deskstream.messaging.permissions import Apart, permissions
from deskstream.runtime.migrations import Connection
from deskstream.runtime.privileges.accounts import Settings
from deskstream.runtime.privileges.broker import access
from deskstream.runtime.privileges.credentials import Credentials
from deskstream.runtime.privileges.grants import grants
from deskstream.runtime.privileges.keys import make_password, make_seed
from deskstream.runtime.privileges.roles import make_roles

VARIABLE: Final = "DESKSTREAM_CREDENTIALS"
_OBSERVER: Final = "observer"


@dataclass(frozen=True)
class Guard:
    """`observed`: whoever shows no seed may do anything. For tests and measurements that look on from outside."""

    folder: Path
    services: Sequence[Declaration]
    adapters: Sequence[Declaration] = ()
    observed: bool = False
    apart: Apart = Apart.ADAPTERS
    reserved: Sequence[str] = ()
    """Accounts that the broker knows already, of whoever is let in later: it has to be restarted for a new one."""

    @property
    def told(self) -> dict[str, str]:
        """What services are told, so that they find their credentials."""
        return {VARIABLE: str(self.folder)}

    def access(self) -> Settings:
        """Whom the broker lets in; makes the seeds that are missing. Raises CredentialsError, OSError."""
        users = permissions(self.services, self.adapters, self.apart)
        credentials = Credentials(self.folder)
        settings = access(users, {user.user: make_seed(credentials, user.user) for user in users})
        settings["accounts"] |= {name: {} for name in self.reserved if name not in settings["accounts"]}
        if self.observed:
            settings["accounts"][DESK]["users"].append({"user": _OBSERVER, "password": "nobody has to know it"})
            settings["no_auth_user"] = _OBSERVER
        return settings

    async def employ(self, connection: Connection) -> None:
        """Makes roles, as a superuser, and says what each may do with the tables that are there now."""
        names = [service.name for service in self.services]
        credentials = Credentials(self.folder)
        await make_roles(connection, {name: make_password(credentials, name) for name in names})
        await grants(connection, names)
