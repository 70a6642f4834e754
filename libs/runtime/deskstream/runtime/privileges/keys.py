"""Making seeds and passwords: what is there stays, and nothing secret is ever shown. Seeds: NATS nkeys (Ed25519)."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from pathlib import Path
from typing import Final

import nkeys

from deskstream.runtime.privileges.credentials import Credentials, CredentialsError

_SEED_BYTES: Final = 32


def make_seed(credentials: Credentials, user: str) -> str:
    """The public key of this user's seed, which is made unless there is one. Raises CredentialsError, OSError."""
    path = credentials.seed_file(user)
    if not path.exists():
        write_secret(path, nkeys.encode_seed(os.urandom(_SEED_BYTES), nkeys.PREFIX_BYTE_USER).decode())
    return public_key(path)


def make_password(credentials: Credentials, user: str) -> str:
    """This user's password, which is made unless there is one. Raises CredentialsError, OSError."""
    path = credentials.password_file(user)
    if not path.exists():
        write_secret(path, secrets.token_urlsafe(32))
    if password := path.read_text().strip():
        return password
    raise CredentialsError(f"{path} is empty: put the password back, or remove the file to get a new one.")


def public_key(seed_file: Path) -> str:
    """What the broker knows a user by. Raises CredentialsError for a seed that is none, OSError without one."""
    seed = seed_file.read_bytes().strip()
    try:
        _check(seed)
        public: bytes = nkeys.from_seed(bytearray(seed)).public_key
    except (nkeys.NkeysError, ValueError, IndexError) as error:
        raise CredentialsError(
            f"{seed_file} holds no seed of a NATS user ({type(error).__name__}): put it back, or remove the file to "
            "get a new one."
        ) from None
    return public.decode()


def _check(seed: bytes) -> None:
    """A seed ends with a CRC-16 of itself, which the library does not look at: a mistyped one would be another key."""
    decoded = base64.b32decode(seed + b"=" * (-len(seed) % 8))
    if len(decoded) != _SEED_BYTES + 4 or int.from_bytes(decoded[-2:], "little") != binascii.crc_hqx(decoded[:-2], 0):
        raise ValueError


def write_secret(path: Path, secret: str) -> None:
    """A new file that only its owner can read. Raises FileExistsError rather than write over a secret."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{secret}\n")
