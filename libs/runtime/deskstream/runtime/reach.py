"""How a service, or whoever runs the desk, reaches the broker: where it is, who we are, by what we know each other."""

from __future__ import annotations

import ssl
from pathlib import Path

from deskstream.messaging.connection import Reach
from deskstream.messaging.permissions import OPERATOR
from deskstream.runtime.privileges.credentials import Credentials
from deskstream.runtime.settings import RuntimeSettings, SettingsError


def reach_of(settings: RuntimeSettings, user: str = OPERATOR) -> Reach:
    """For this service. Raises SettingsError where its seed is missing, or a certificate cannot be used."""
    seed = settings.nats_seed_file or _seed_of(settings, user)
    return Reach(settings.nats_servers, seed.read_text().strip() if seed else None, _tls(settings, user))


def _seed_of(settings: RuntimeSettings, user: str) -> Path | None:
    if settings.credentials is None:
        return None
    path = Credentials(settings.credentials).seed_file(user)
    if not path.exists():
        raise SettingsError(
            f"DESKSTREAM_CREDENTIALS: {path} is missing, so NATS cannot know {user}; "
            "`deskstream provision --permissions` makes it"
        )
    return path


def _tls(settings: RuntimeSettings, user: str) -> ssl.SSLContext | None:
    authority, certificate, key = (
        settings.nats_tls_ca_file,
        settings.nats_tls_cert_file,
        settings.nats_tls_key_file,
    )
    if settings.credentials:
        found = Credentials(settings.credentials)
        authority = authority or _existing(found.authority_file)
        certificate = certificate or _existing(found.certificate_file(user))
        key = key or _existing(found.key_file(user))
    if not (authority or certificate):
        return None
    try:
        context = ssl.create_default_context(cafile=authority)
        if certificate:
            context.load_cert_chain(certificate, key)
    except (ssl.SSLError, OSError) as error:
        raise SettingsError(f"the certificates for NATS cannot be used: {error}") from None
    return context


def _existing(path: Path) -> Path | None:
    return path if path.exists() else None
