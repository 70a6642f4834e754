"""What the services are told when `up` runs them: addresses on loopback, secrets of this folder.

What the environment says already comes first.
"""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deskstream.cli.place import host_and_port
from deskstream.cli.up.kept import Kept, keep_ports, open_kept
from deskstream.runtime.embedded.processes import free_port
from deskstream.runtime.embedded.servers import Addresses

INBOX: Final = "support@desk.example"

_LISTEN_HTTP: Final = "DESKSTREAM_GATEWAY_LISTEN"
_LISTEN_SMTP: Final = "DESKSTREAM_EMAIL_LISTEN"
_INBOXES: Final = "DESKSTREAM_EMAIL_INBOXES"
_MAILDIR: Final = "DESKSTREAM_EMAIL_MAILDIR"
_TOKEN: Final = "DESKSTREAM_GATEWAY_TOKEN"
_THREAD_SECRET: Final = "DESKSTREAM_THREAD_SECRET"


@dataclass(frozen=True, slots=True)
class Ports:
    """Ports that somebody asked for; None for those of last time, else the usual ones, else free ones."""

    http: int | None = None
    smtp: int | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """All that is needed to reach what `up` runs."""

    http: str
    """`host:port`."""
    smtp: str
    token: str
    inbox: str
    maildir: str


def prepare(folder: Path, ports: Ports, environment: MutableMapping[str, str]) -> Surroundings:
    """Completes the environment for the services, and says what they will use. Call it while nothing runs here."""
    kept = open_kept(folder)
    defaults = _defaults(folder, kept, ports)
    for name, value in defaults.items():
        if not environment.get(name) and not environment.get(f"{name}_FILE"):
            environment[name] = value
    found = _found(environment)
    keep_ports(folder, kept, http_port=host_and_port(found.http)[1], smtp_port=host_and_port(found.smtp)[1])
    return found


def name_servers(addresses: Addresses, environment: MutableMapping[str, str]) -> None:
    """The embedded servers, for whatever reads the environment."""
    environment["DESKSTREAM_NATS_URL"] = addresses.nats_url
    environment["DESKSTREAM_POSTGRES_URL"] = addresses.postgres_url


def _defaults(folder: Path, kept: Kept, ports: Ports) -> dict[str, str]:
    http_port = ports.http or free_port(kept.http_port)
    smtp_port = ports.smtp or free_port(kept.smtp_port)
    return {
        _LISTEN_HTTP: f"127.0.0.1:{http_port}",
        _LISTEN_SMTP: f"127.0.0.1:{smtp_port}",
        _INBOXES: f"{INBOX}=support",
        _MAILDIR: str(folder / "maildir"),
        _TOKEN: kept.token,
        _THREAD_SECRET: kept.thread_secret,
    }


def _found(environment: Mapping[str, str]) -> Surroundings:
    return Surroundings(
        http=_reachable(environment[_LISTEN_HTTP]),
        smtp=_reachable(environment[_LISTEN_SMTP]),
        token=environment[_TOKEN],
        inbox=environment[_INBOXES].split(",")[0].rpartition("=")[0].strip() or INBOX,
        maildir=environment[_MAILDIR],
    )


def _reachable(listen: str) -> str:
    """Where to reach from here what listens there."""
    host, _, port = listen.rpartition(":")
    return f"127.0.0.1:{port}" if host in ("0.0.0.0", "[::]", "::") else listen
