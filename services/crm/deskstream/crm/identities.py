"""How addresses are written so that they can be compared: mail addresses, mail domains, phone numbers, channel ids."""

import re
import unicodedata
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files

import idna
import phonenumbers
from email_validator import EmailNotValidError, validate_email
from publicsuffixlist import PublicSuffixList

from deskstream.contracts import Refused
from deskstream.contracts.inbound import Identity
from deskstream.crm.domain import Addresses
from deskstream.crm.domain.names import clean_name

_REMEMBERED = 16_384

# More labels than any company's mail domain has; a hostile one has 120 and would be looked up 119 times.
_DEEPEST = 8

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_ESCAPED = "\x01"

_LABELS = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")


def mail_identity(email: str) -> str:
    """The identity of a mail address that `canonical_email` wrote."""
    return f"mailto:{email}"


def phone_identity(phone: str) -> str:
    """The identity of a phone number that `canonical_phone` wrote."""
    return f"tel:{phone}"


def channel_identity(channel: str, external_id: str) -> str:
    """The identity of whom a channel knows by an id of its own. A channel's name has no `:`, so it is no address."""
    return f"{channel}/{storable(external_id)}"


def storable(text: str) -> str:
    """The same text, escaped if it has what PostgreSQL cannot hold (NUL, lone surrogates).

    Nothing is taken away: two different ids must never become one.
    """
    if text.isprintable() or not (_UNSTORABLE.search(text) or text.startswith(_ESCAPED)):
        return text
    return _ESCAPED + text.encode("unicode_escape").decode()


@lru_cache(_REMEMBERED)
def canonical_email(email: str) -> str:
    """Lower case, the domain as DNS knows it. Takes anything that looks like an address."""
    local, _, domain = email.rpartition("@")
    return f"{storable(unicodedata.normalize('NFC', local)).lower()}@{canonical_domain(domain)}"


def canonical_domain(domain: str) -> str:
    """Lower case, `bücher.de` as `xn--bcher-kva.de`, without the dot of the root."""
    if not domain.isascii():
        try:
            return idna.encode(domain, uts46=True).decode().rstrip(".")
        except idna.IDNAError:
            return storable(unicodedata.normalize("NFC", domain)).lower()
    return storable(domain).lower().rstrip(".")


@lru_cache(_REMEMBERED)
def mail_domains(email: str | None) -> str:
    """The domains that an address may belong to, longest first: `mail.acme.com acme.com`; empty for none."""
    domain = (email or "").rpartition("@")[2]
    if not _LABELS.fullmatch(domain):
        return ""
    labels = domain.split(".")[-_DEEPEST:]
    return " ".join(".".join(labels[first:]) for first in range(len(labels) - 1))


def canonical_phone(phone: str, region: str | None) -> str | None:
    """E.164 (`+491711234567`, with `;ext=12` if it has an extension), or None for what is no number.

    A number without its country code is read as one of `region` (ISO 3166, `DE`).
    """
    try:
        number = phonenumbers.parse(phone, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return f"{written};ext={number.extension}" if number.extension else written


def valid_email(text: str) -> str:
    """A mail address as it is compared. Raises `Refused`; asks no DNS."""
    try:
        found = validate_email(text.strip(), check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError as error:
        raise Refused("invalid_email", f"This is no mail address: {error}", email=text[:320]) from None
    return canonical_email(found.normalized)


def shipped_free_mail_domains() -> frozenset[str]:
    """The domains where anybody can have an address, from the list that comes with this service."""
    return read_free_mail_domains(files("deskstream.crm").joinpath("free_mail_domains.txt").read_text("utf-8"))


def read_free_mail_domains(text: str) -> frozenset[str]:
    """Domains separated by white space; `#` begins a comment."""
    lines = (line.partition("#")[0] for line in text.splitlines())
    return frozenset(canonical_domain(domain) for line in lines for domain in line.split())


@dataclass(frozen=True, slots=True)
class AddressRules:
    """What an operator may decide about addresses.

    `vouching` channels know themselves that the address and number of a sender belong to whom they say. Elsewhere a
    form's visitor could type another's number, and would be that person from then on.
    """

    vouching: frozenset[str] = frozenset()
    phone_region: str | None = None
    free_mail: frozenset[str] = field(default_factory=shipped_free_mail_domains)
    suffixes: PublicSuffixList = field(default_factory=PublicSuffixList)

    def addresses(self, sender: Identity, channel: str) -> Addresses:
        """By what a sender is recognised: what the channel knows best, and what else it vouches for."""
        if sender.external_id is None and sender.phone is None and sender.email is not None:
            return _by_mail(canonical_email(sender.email))
        email = canonical_email(sender.email) if sender.email is not None else None
        phone = self.phone(sender.phone) if sender.phone is not None else None
        identities = _identities(channel, sender, email, phone)
        if channel not in self.vouching:
            identities = identities[:1]
        known_by_mail = email is not None and mail_identity(email) in identities
        return Addresses(tuple(identities), email, phone, mail_domains(email) if known_by_mail else "")

    def phone(self, text: str) -> str:
        """A number as it is compared; what is none (a short code, a sender's name) as it came, in lower case."""
        return canonical_phone(text, self.phone_region) or storable(text.strip()).lower()

    def valid_phone(self, text: str) -> str:
        """A number as it is compared. Raises `Refused`."""
        phone = canonical_phone(text, self.phone_region)
        if phone is None:
            raise Refused(
                "invalid_phone", "This is no phone number: write it with its country code, like +49 171 1234567.",
                phone=text[:32],
            )  # fmt: skip
        return phone

    def company_domain(self, text: str) -> str:
        """A domain that may belong to an account. Raises `Refused`."""
        domain = _readable_domain(text)
        if domain in self.free_mail:
            raise Refused(
                "free_mail_domain",
                f"Anybody can have an address at {domain}, so it tells no company: give the contacts their account.",
                domain=domain,
            )
        if self.suffixes.privatesuffix(domain) is None:
            raise Refused(
                "public_suffix", f"Under {domain} anybody can register: name the company's own domain.", domain=domain
            )
        return domain


def _by_mail(email: str) -> Addresses:
    return Addresses((mail_identity(email),), email=email, domains=mail_domains(email))


def _identities(channel: str, sender: Identity, email: str | None, phone: str | None) -> list[str]:
    identities = []
    if sender.external_id is not None:
        identities.append(channel_identity(channel, sender.external_id))
    if email is not None:
        identities.append(mail_identity(email))
    if phone is not None:
        identities.append(phone_identity(phone))
    return identities


def _readable_domain(text: str) -> str:
    written = text.strip().removeprefix("@").rstrip(".")
    try:
        domain = idna.encode(written, uts46=True, std3_rules=True).decode()
    except idna.IDNAError:
        domain = ""
    if not _LABELS.fullmatch(domain) or domain.rpartition(".")[2].isdigit():
        raise Refused(
            "invalid_domain", f"“{clean_name(written[:100])}” is no mail domain: write only what stands behind the @.",
            domain=written[:253],
        )  # fmt: skip
    return domain
