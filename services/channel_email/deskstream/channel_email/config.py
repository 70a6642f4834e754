"""What the mail channel is told by the environment."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from deskstream.channel_email.provider.relay import read_url
from deskstream.channel_email.rules import Rules, lower
from deskstream.runtime.settings import ReadableFile

SHORTEST_SECRET = 16
# With `+` and 40 characters of token the part before the @ stays within the 64 that SMTP allows.
LONGEST_LOCAL_PART = 23


def _listed(value: str | tuple[str, ...]) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    return tuple(part.strip() for part in parts if part.strip())


def _address(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ValueError("must look like 0.0.0.0:2525")
    return value


class Settings(BaseSettings):
    """`DESKSTREAM_EMAIL_<NAME>`, and the secret that all services share. Lists are separated by commas."""

    model_config = SettingsConfigDict(env_prefix="DESKSTREAM_", env_ignore_empty=True, frozen=True)

    thread_secret_file: ReadableFile | None = None
    thread_secret: Annotated[SecretStr, Field(validate_default=True)] = SecretStr("")
    """What reply tokens are signed with, the same for every service; itself, or in a file."""
    email_listen: Annotated[str, AfterValidator(_address)] = "0.0.0.0:2525"
    email_hostname: str = "mail.example.org"
    """What we call ourselves to other mail servers."""
    email_inboxes: Annotated[dict[str, str], NoDecode] = {"support@example.org": "support"}
    """`support@example.org=support,feedback@example.org=feedback`: whose mail goes to which inbox."""
    email_catch_all: str | None = Field(None, pattern=r"^[A-Za-z0-9_-]{1,64}$")
    """Inbox of every other address of our domains; without one they are refused."""
    email_company: str = Field("Support", min_length=1, max_length=60)
    """Stands after the agent's name in mails; nobody else's name may look like it."""
    email_agents: Annotated[tuple[str, ...], NoDecode] = ()
    """Addresses of colleagues, or `@domain` for everybody there: their mails are never a customer's."""
    email_lists: Annotated[tuple[str, ...], NoDecode] = ()
    """List-Ids of mailing lists that only lead to us."""
    email_authserv: str | None = None
    """The name by which our own mail server signs Authentication-Results."""
    email_relay: SecretStr | None = None
    """`smtp://relay:25`, `smtp+starttls://user:password@relay:587`, `smtps://…`; without one mails go to a folder."""
    email_relay_file: ReadableFile | None = None
    """A file that holds the same."""
    email_maildir: Path = Path(".deskstream/maildir")
    """Where mails go without a relay."""
    email_readers: int = Field(2, ge=1, le=32)
    """Child processes that read mails."""
    email_connections: int = Field(100, ge=1, le=10_000)
    email_at_once: int = Field(8, ge=1, le=100)
    """Mails taken in at the same time; each may need 25 MiB several times over."""
    email_tls_certificate: ReadableFile | None = None
    """With a key, STARTTLS is offered."""
    email_tls_key: Annotated[ReadableFile | None, Field(validate_default=True)] = None

    @field_validator("thread_secret")
    @classmethod
    def _secret_from_file(cls, secret: SecretStr, info: ValidationInfo) -> SecretStr:
        path = info.data.get("thread_secret_file")
        text = secret.get_secret_value() or (path.read_text().strip() if path else "")
        if len(text) < SHORTEST_SECRET:
            raise ValueError(
                f"needs at least {SHORTEST_SECRET} random characters, the same for every service "
                "(`openssl rand -hex 32`); DESKSTREAM_THREAD_SECRET_FILE may name a file that holds them"
            )
        return SecretStr(text)

    @field_validator("email_inboxes", mode="before")
    @classmethod
    def _inboxes(cls, value: str | dict[str, str]) -> dict[str, str]:
        pairs = dict(pair.rpartition("=")[::2] for pair in _listed(value)) if isinstance(value, str) else value
        inboxes = {address.strip().lower(): inbox.strip() for address, inbox in pairs.items()}
        for address, inbox in inboxes.items():
            local, at, domain = address.rpartition("@")
            if not (at and domain and inbox) or "+" in local or not 0 < len(local) <= LONGEST_LOCAL_PART:
                raise ValueError(
                    "must look like support@example.org=support,feedback@example.org=feedback, "
                    f"with at most {LONGEST_LOCAL_PART} characters and no + before the @"
                )
        if not inboxes:
            raise ValueError("needs at least one address")
        return inboxes

    @field_validator("email_agents", "email_lists", mode="before")
    @classmethod
    def _lists(cls, value: str | tuple[str, ...]) -> tuple[str, ...]:
        return _listed(value)

    @field_validator("email_relay")
    @classmethod
    def _relay_url(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            read_url(url.get_secret_value())
        return url

    @field_validator("email_relay_file")
    @classmethod
    def _relay_url_of_file(cls, path: Path | None) -> Path | None:
        if path is not None:
            read_url(path.read_text().strip())
        return path

    @field_validator("email_tls_key")
    @classmethod
    def _both_or_none(cls, key: Path | None, info: ValidationInfo) -> Path | None:
        if (key is None) != (info.data.get("email_tls_certificate") is None):
            raise ValueError("certificate and key must be given together")
        return key

    @property
    def relay_url(self) -> str | None:
        """The relay's URL, from wherever it was given. Not for logs."""
        if self.email_relay is not None:
            return self.email_relay.get_secret_value()
        return self.email_relay_file.read_text().strip() if self.email_relay_file else None

    @property
    def rules(self) -> Rules:
        """What concerns the meaning of mails."""
        return Rules(
            inboxes=self.email_inboxes,
            secret=self.thread_secret.get_secret_value(),
            catch_all=self.email_catch_all,
            agents=lower(self.email_agents),
            lists=lower(self.email_lists),
            authserv=self.email_authserv.lower() if self.email_authserv else None,
            # "Support", the default, is everybody's name.
            names=(self.email_company.lower(),) if "email_company" in self.model_fields_set else (),
        )
