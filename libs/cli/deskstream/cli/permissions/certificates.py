"""Certificates for NATS off loopback: an authority of one's own, the server's, and one for each user.

Made where nobody runs an authority already. What is there stays until it runs out, or until the server's names change.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from deskstream.runtime.privileges.keys import write_secret

_AUTHORITY_FOR: Final = timedelta(days=3650)
_VALID_FOR: Final = timedelta(days=825)
RENEWED_BEFORE: Final = timedelta(days=30)
"""So long before it runs out a certificate is made anew, when somebody asks for it."""

_SERVER: Final = "nats"


class Authority:
    """Signs certificates. Its key lies in `folder` and is needed nowhere else."""

    def __init__(self, folder: Path) -> None:
        self._key_file, self.certificate_file = folder / "ca.key", folder / "ca.crt"
        self._key = _key_of(self._key_file)
        if not self.certificate_file.exists():
            self.certificate_file.write_bytes(_pem(self._own()))
        self._certificate = x509.load_pem_x509_certificate(self.certificate_file.read_bytes())

    def certify_server(self, certificate: Path, key: Path, hosts: Sequence[str]) -> bool:
        """For the names by which clients reach it; whether a new one was made."""
        names = sorted({"localhost", "127.0.0.1", *hosts})
        return self._certify(certificate, key, _SERVER, names)

    def certify_user(self, certificate: Path, key: Path, user: str) -> bool:
        """For a client, which has a name and no address; whether a new one was made."""
        return self._certify(certificate, key, user, [])

    def _certify(self, certificate: Path, key: Path, name: str, hosts: Sequence[str]) -> bool:
        private = _key_of(key)
        if certificate.exists() and self._still_good(certificate, private, hosts):
            return False
        certificate.write_bytes(_pem(self._sign(private.public_key(), name, hosts)))
        return True

    def _still_good(self, path: Path, private: ec.EllipticCurvePrivateKey, hosts: Sequence[str]) -> bool:
        found = x509.load_pem_x509_certificate(path.read_bytes())
        ours = found.issuer == self._certificate.subject and found.public_key() == private.public_key()
        return ours and _names_in(found) == list(hosts) and found.not_valid_after_utc - _now() > RENEWED_BEFORE

    def _own(self) -> x509.Certificate:
        # A name of its own for each installation: two authorities of one name would be taken for each other.
        name = _name(f"Deskstream {os.urandom(4).hex()}")
        draft = _draft(name, name, self._key.public_key(), _AUTHORITY_FOR)
        return draft.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(
            self._key, hashes.SHA256()
        )

    def _sign(self, public: ec.EllipticCurvePublicKey, name: str, hosts: Sequence[str]) -> x509.Certificate:
        usage = ExtendedKeyUsageOID.SERVER_AUTH if hosts else ExtendedKeyUsageOID.CLIENT_AUTH
        draft = (
            _draft(_name(name), self._certificate.subject, public, _VALID_FOR)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        )
        if hosts:
            draft = draft.add_extension(x509.SubjectAlternativeName(_general_names(hosts)), critical=False)
        return draft.sign(self._key, hashes.SHA256())


def _draft(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, valid_for: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        # Clocks differ: what is made now is good a little earlier, too.
        .not_valid_before(_now() - timedelta(hours=1))
        .not_valid_after(_now() + valid_for)
    )


def _key_of(path: Path) -> ec.EllipticCurvePrivateKey:
    if not path.exists():
        made = ec.generate_private_key(ec.SECP256R1())
        form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        write_secret(path, made.private_bytes(serialization.Encoding.PEM, *form).decode().rstrip())
    found = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(found, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{path} holds a key of another kind")
    return found


def _general_names(hosts: Iterable[str]) -> list[x509.GeneralName]:
    return [x509.IPAddress(ip_address(host)) if _is_address(host) else x509.DNSName(host) for host in hosts]


def _names_in(certificate: x509.Certificate) -> list[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return sorted(str(name.value) for name in found)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _now() -> datetime:
    return datetime.now(UTC)
