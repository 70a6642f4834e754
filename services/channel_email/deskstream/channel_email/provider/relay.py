"""A mail server as the way out: `smtp://`, `smtp+starttls://` or `smtps://user:password@host:port`."""

import ssl
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias
from urllib.parse import unquote, urlsplit

from aiosmtplib import (
    SMTP,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
)

from deskstream.channel_email.compose import Composed
from deskstream.messaging import SendFailed, SendUnknown

Security: TypeAlias = Literal["none", "starttls", "tls"]

ANSWER_WITHIN_S: Final = 20.0
IDLE_KEPT: Final = 4

_SCHEMES: Final[dict[str, tuple[Security, int]]] = {
    "smtp": ("none", 25),
    "smtp+starttls": ("starttls", 587),
    "smtps": ("tls", 465),
}


@dataclass(frozen=True, slots=True)
class Address:
    """Where the relay is, and who we are to it."""

    host: str
    port: int
    security: Security
    user: str | None = None
    password: str | None = field(default=None, repr=False)


def read_url(url: str) -> Address:
    """Raises `ValueError` for a URL of another form, without repeating it: it may hold a password."""
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise ValueError("must look like smtp://relay:25, smtp+starttls://user:password@relay:587 or smtps://…:465")
    security, port = _SCHEMES[parts.scheme]
    user, password = (unquote(part) if part else None for part in (parts.username, parts.password))
    return Address(parts.hostname, parts.port or port, security, user, password)


class Relay:
    """Keeps connections open between mails; one that misbehaved is not used again."""

    def __init__(self, address: Address, *, hostname: str, tls: ssl.SSLContext | None = None) -> None:
        self._address = address
        self._hostname = hostname
        self._tls = tls
        self._idle: list[SMTP] = []

    async def carry(self, mail: Composed) -> None:
        client = await self._client()
        sent = False
        try:
            await _envelope(client, mail)
            await _content(client, mail)
            sent = True
        finally:
            if sent and len(self._idle) < IDLE_KEPT:
                self._idle.append(client)
            else:
                client.close()

    async def has(self, message_id: str) -> bool:
        """SMTP has no such question."""
        return False

    async def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    async def _client(self) -> SMTP:
        while self._idle:
            client = self._idle.pop()
            if await _still_there(client):
                return client
        return await self._connect()

    async def _connect(self) -> SMTP:
        address = self._address
        client = SMTP(
            hostname=address.host,
            port=address.port,
            local_hostname=self._hostname,
            timeout=ANSWER_WITHIN_S,
            use_tls=address.security == "tls",
            start_tls=address.security == "starttls",
            tls_context=self._tls,
            username=address.user,
            password=address.password,
        )
        try:
            await client.connect()
        except (SMTPException, OSError) as error:
            client.close()
            # A wrong password is mended by the operator, and then the mails should leave.
            raise SendFailed(
                f"the relay {address.host}:{address.port} cannot be used: {error}", permanent=False
            ) from error
        return client


async def _still_there(client: SMTP) -> bool:
    try:
        await client.rset()
    except (SMTPException, OSError):
        client.close()
        return False
    return True


async def _envelope(client: SMTP, mail: Composed) -> None:
    """Sender and recipients; a copied one that is refused does not keep the mail from the others."""
    try:
        await client.mail(
            mail.mail_from, options=[f"SIZE={len(mail.content)}"] if client.supports_extension("size") else []
        )
        await client.rcpt(mail.to)
        for copied in mail.copied:
            await _copy(client, copied)
    except SMTPResponseException as error:
        raise _refused(error) from error
    except (SMTPException, OSError) as error:
        raise SendFailed(f"the relay went away: {error}", permanent=False) from error


async def _copy(client: SMTP, copied: str) -> None:
    try:
        await client.rcpt(copied)
    except SMTPRecipientRefused:
        return


async def _content(client: SMTP, mail: Composed) -> None:
    try:
        await client.data(mail.content)
    except SMTPResponseException as error:
        if error.code < 400:
            raise SendUnknown(f"the relay gave no answer that can be read: {error.message}"[:900]) from error
        raise _refused(error) from error
    except (SMTPException, OSError) as error:
        # From here on the relay may have it.
        raise SendUnknown(f"the connection to the relay was lost before it answered: {error}") from error


def _refused(error: SMTPResponseException) -> SendFailed:
    return SendFailed(f"{error.code} {error.message}"[:900], permanent=500 <= error.code < 600)
