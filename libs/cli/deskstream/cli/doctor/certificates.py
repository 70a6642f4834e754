"""How long the certificates still are good by which we and NATS know each other."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509

from deskstream.cli.doctor.finding import Finding, fine, warning, wrong
from deskstream.cli.permissions.certificates import RENEWED_BEFORE
from deskstream.runtime.privileges.credentials import Credentials
from deskstream.runtime.settings import RuntimeSettings

CHECK: Final = "certificates"
_RENEW: Final = (
    "`deskstream provision --permissions`, with the same options, makes it anew, and NATS's own with it; give them to "
    "NATS and to whoever they are of."
)
_BEGIN_ANEW: Final = (
    "Every certificate hangs on it: remove ca.key and ca.crt from the folder of `deskstream provision --permissions`, "
    "repeat that, and give everybody his files at once."
)


def examine_certificates(settings: RuntimeSettings | None, now: datetime) -> list[Finding]:
    """Those that lie here; nothing where there are none."""
    found = [(path, _good_until(path)) for path in _files(settings)] if settings else []
    findings = [finding for path, until in found if (finding := _judged(path, until, now))]
    if findings or not found:
        return findings
    first = min(until for _, until in found if until)
    return [fine(CHECK, f"{len(found)} are good until {_day(first)} at least.")]


def _files(settings: RuntimeSettings) -> list[Path]:
    named = [path for path in (settings.nats_tls_ca_file, settings.nats_tls_cert_file) if path]
    return named + (sorted(settings.credentials.glob("*.crt")) if settings.credentials else [])


def _good_until(path: Path) -> datetime | None:
    """None for what cannot be read as a certificate."""
    try:
        return min(one.not_valid_after_utc for one in x509.load_pem_x509_certificates(path.read_bytes()))
    except (OSError, ValueError):
        return None


def _judged(path: Path, until: datetime | None, now: datetime) -> Finding | None:
    mend = _BEGIN_ANEW if path.name == Credentials(path.parent).authority_file.name else _RENEW
    if until is None:
        return wrong(CHECK, f"{path} is no certificate that one could read.", mend)
    if until <= now:
        return wrong(CHECK, f"{path} has run out on {_day(until)}.", mend)
    if until - now <= RENEWED_BEFORE:
        return warning(CHECK, f"{path} runs out on {_day(until)}.", mend)
    return None


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"
