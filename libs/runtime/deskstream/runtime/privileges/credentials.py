"""The secrets by which each service proves who it is: a folder with a seed for NATS and a password for PostgreSQL.

A container that runs one service needs only that service's files.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROLE_PREFIX: Final = "deskstream_"


FOLDER: Final = "credentials"
"""Its name where it lies beside the data of embedded servers."""


class CredentialsError(RuntimeError):
    """A file of the folder cannot be used; the text names it, says what to do, and never shows what is in it."""


def role_of(user: str) -> str:
    """The PostgreSQL role of a service, or of `operator`, who owns the tables."""
    return f"{ROLE_PREFIX}{user}"


@dataclass(frozen=True)
class Credentials:
    """A folder of secrets. `user` is a service's name, an adapter's, or `operator`."""

    folder: Path

    def seed_file(self, user: str) -> Path:
        """Proves to NATS who it is."""
        return self.folder / f"{user}.seed"

    def password_file(self, user: str) -> Path:
        """Proves to PostgreSQL who it is."""
        return self.folder / f"{user}.password"

    def certificate_file(self, user: str) -> Path:
        """What the user shows of itself in TLS."""
        return self.folder / f"{user}.crt"

    def key_file(self, user: str) -> Path:
        """The certificate's key."""
        return self.folder / f"{user}.key"

    @property
    def authority_file(self) -> Path:
        """By this certificate users recognise the broker."""
        return self.folder / "ca.crt"
