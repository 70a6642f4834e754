"""The broker's configuration: who it lets in, what each may do, and what production asks of it.

Written in JSON for the embedded server, which reads that too, and in the broker's own notation for people.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from deskstream.messaging.permissions import Permissions
from deskstream.runtime.privileges.accounts import Settings, accounts

MAX_PAYLOAD: Final = 128 * 1024
"""A message has at most 64 KiB; this leaves room for envelope and headers."""

_VARIABLE: Final = "KEY_"
_INDENT: Final = "    "
_BARE: Final = re.compile(r"\$?[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Tls:
    """Paths as the server sees them. Clients must show a certificate of the same authority."""

    certificate: str
    key: str
    authority: str


@dataclass(frozen=True, slots=True)
class Production:
    """What differs between installations. Off loopback there is no listening without TLS."""

    store: str = "/var/lib/nats"
    max_file_store: int = 20 * 1024**3
    tls: Tls | None = None


def access(users: Sequence[Permissions], keys: Mapping[str, str]) -> Settings:
    """Who is let in, and what each may do: `keys` says the public key of each user."""
    admitted = {user.user: {"nkey": keys[user.user], "permissions": _permissions(user)} for user in users}
    return {"accounts": accounts(users, admitted)}


def variable_of(user: str) -> str:
    """The name under which a configuration speaks of a user's public key, so that it holds none of its own."""
    return f"{_VARIABLE}{user.upper()}"


def production(users: Sequence[Permissions], given: Production) -> str:
    """A whole configuration; the users' public keys stand in a file `keys.conf` beside it."""
    settings: Settings = {
        "server_name": "deskstream",
        "listen": "0.0.0.0:4222" if given.tls else "127.0.0.1:4222",
        # Figures about everything, without a password.
        "http": "127.0.0.1:8222",
        "max_payload": MAX_PAYLOAD,
        "max_connections": 1000,
        "ping_interval": "20s",
        "write_deadline": "10s",
        "jetstream": _jetstream(given),
        **_tls(given.tls),
        **access(users, {user.user: f"${variable_of(user.user)}" for user in users}),
    }
    return f"{_HEAD}\ninclude keys.conf\n\n{_notation(settings)}"


def _jetstream(given: Production) -> Settings:
    return {
        "store_dir": given.store,
        # Explicit: by default the server takes what is free now, and a full disk stops it without a word.
        "max_file_store": given.max_file_store,
        "max_memory_store": 64 * 1024**2,
        # On a single node the default may lose two minutes at a power cut. A cluster of three may leave it out.
        "sync_interval": "always",
    }


def _tls(tls: Tls | None) -> Settings:
    if tls is None:
        return {}
    files = {"cert_file": tls.certificate, "key_file": tls.key, "ca_file": tls.authority}
    return {"tls": {**files, "verify": True, "timeout": 5}}


def keys_file(keys: Mapping[str, str]) -> str:
    """`keys.conf`: who is who. Public keys are no secret."""
    lines = [f"{variable_of(user)}: {key}" for user, key in sorted(keys.items())]
    return "\n".join(["# Public keys of the users of this installation.", *lines, ""])


_HEAD: Final = """\
# Written by `deskstream provision --permissions` from what the services declare; a change by hand is lost next time.
# The lists say what is allowed; what no list names is denied. After a change: `nats-server --signal reload`.
"""


def _permissions(user: Permissions) -> Settings:
    found: Settings = {"publish": {"allow": list(user.publish)}, "subscribe": {"allow": list(user.subscribe)}}
    return found | {"allow_responses": {"max": 1, "expires": "1m"}} if user.answers else found


def _notation(settings: Settings, depth: int = 0) -> str:
    return "".join(f"{_INDENT * depth}{name}: {_value(value, depth)}\n" for name, value in settings.items())


def _value(value: Any, depth: int) -> str:
    within, end = _INDENT * (depth + 1), _INDENT * depth
    match value:
        case dict():
            return f"{{\n{_notation(value, depth + 1)}{end}}}"
        case list():
            return "[\n" + "".join(f"{within}{_value(one, depth + 1)}\n" for one in value) + f"{end}]"
        case str() if _BARE.fullmatch(value):
            return value
        case _:
            return json.dumps(value)
