"""The folder of `provision --permissions`: configuration for both servers, and a secret for everybody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from deskstream.cli.permissions.certificates import Authority
from deskstream.messaging import Declaration
from deskstream.messaging.permissions import OPERATOR, Apart, Permissions, permissions
from deskstream.runtime.privileges.broker import Production, Tls, keys_file, production
from deskstream.runtime.privileges.credentials import Credentials
from deskstream.runtime.privileges.keys import make_password, make_seed, public_key
from deskstream.runtime.privileges.roles import roles_sql

CREDENTIALS: Final = "credentials"
NATS: Final = "nats"
POSTGRES: Final = "postgres"

_SECRETS: Final = (".seed", ".password", ".key")


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things go."""

    folder: Path
    seen_at: str
    """Where the broker sees the folder `nats` of it: elsewhere than here in a container."""
    store: str
    """Where the broker keeps the streams."""
    hosts: tuple[str, ...] = ()
    """By which names clients reach the broker; without any it listens on loopback only, in plain text."""
    apart: Apart = Apart.EVERYBODY
    """Who has an account of his own."""

    @property
    def credentials(self) -> Credentials:
        """The secrets."""
        return Credentials(self.folder / CREDENTIALS)


@dataclass(slots=True)
class Report:
    """What was done. It holds paths, and nothing secret."""

    users: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    """Secrets that were not there."""
    written: list[str] = field(default_factory=list)
    """Files whose content is another one now."""
    unused: list[str] = field(default_factory=list)
    """Secrets of somebody who is not declared any more."""


def write(layout: Layout, services: Sequence[Declaration], adapters: Sequence[Declaration]) -> Report:
    """Writes everything; existing secrets stay. Raises CredentialsError, OSError."""
    users = permissions(services, adapters, layout.apart)
    known, report = _secrets_of(layout), Report([user.user for user in users])
    for folder, mode in ((NATS, 0o755), (POSTGRES, 0o755), (CREDENTIALS, 0o700)):
        (layout.folder / folder).mkdir(mode=mode, parents=True, exist_ok=True)
    with_a_role = [*(service.name for service in services), OPERATOR]
    for path, content in _files(layout, users, with_a_role):
        if not path.exists() or path.read_text() != content:
            path.write_text(content)
            report.written.append(_named(layout, path))
    if layout.hosts:
        report.written += [_named(layout, path) for path in _certify(layout, report.users)]
    report.made = sorted(_secrets_of(layout) - known)
    report.unused = sorted(name for name in known if _user_of(name) not in {*report.users, "ca"})
    return report


def differing(layout: Layout, services: Sequence[Declaration], adapters: Sequence[Declaration]) -> list[str]:
    """What `write` would write where the secrets are made already. Raises CredentialsError, OSError."""
    users = permissions(services, adapters, layout.apart)
    missing = [
        path
        for user in users
        for path in (layout.credentials.seed_file(user.user), layout.folder / NATS / "keys.conf")
        if not path.exists()
    ]
    if missing:
        return sorted({_named(layout, path) for path in missing})
    keys = {user.user: public_key(layout.credentials.seed_file(user.user)) for user in users}
    wanted = (_configuration(layout, users), (layout.folder / NATS / "keys.conf", keys_file(keys)))
    return [_named(layout, path) for path, content in wanted if not path.exists() or path.read_text() != content]


def _files(layout: Layout, users: Sequence[Permissions], with_a_role: Sequence[str]) -> Iterator[tuple[Path, str]]:
    credentials = layout.credentials
    yield layout.folder / ".gitignore", "*\n"
    yield _configuration(layout, users)
    yield (
        layout.folder / NATS / "keys.conf",
        keys_file({user.user: make_seed(credentials, user.user) for user in users}),
    )
    passwords = {user: make_password(credentials, user) for user in with_a_role}
    yield layout.folder / POSTGRES / "roles.sql", roles_sql(passwords)


def _configuration(layout: Layout, users: Sequence[Permissions]) -> tuple[Path, str]:
    seen = layout.seen_at.rstrip("/")
    tls = Tls(f"{seen}/server.crt", f"{seen}/server.key", f"{seen}/ca.crt") if layout.hosts else None
    return layout.folder / NATS / "nats.conf", production(users, Production(store=layout.store, tls=tls))


def _certify(layout: Layout, users: Sequence[str]) -> Iterator[Path]:
    authority, nats, credentials = Authority(layout.folder), layout.folder / NATS, layout.credentials
    trusted = authority.certificate_file.read_text()
    for copy in (nats / "ca.crt", credentials.authority_file):
        if not copy.exists() or copy.read_text() != trusted:
            copy.write_text(trusted)
            yield copy
    if authority.certify_server(nats / "server.crt", nats / "server.key", layout.hosts):
        yield nats / "server.crt"
    for user in users:
        if authority.certify_user(credentials.certificate_file(user), credentials.key_file(user), user):
            yield credentials.certificate_file(user)


def _secrets_of(layout: Layout) -> set[str]:
    folder = layout.folder / CREDENTIALS
    return {_named(layout, path) for path in folder.glob("*") if path.suffix in _SECRETS}


def _user_of(name: str) -> str:
    return Path(name).stem


def _named(layout: Layout, path: Path) -> str:
    return path.relative_to(layout.folder).as_posix()
