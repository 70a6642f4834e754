"""Builds the CRM."""

from importlib.resources import files
from pathlib import Path

from deskstream.contracts import crm, ingest
from deskstream.crm import handlers
from deskstream.crm.config import Settings
from deskstream.crm.identities import AddressRules, read_free_mail_domains, shipped_free_mail_domains
from deskstream.messaging import Declaration, Service


def build(settings: Settings) -> Service:
    rules = address_rules(settings)
    return Service(hears=handlers.hears(rules), answers=handlers.answers(rules))


def address_rules(settings: Settings) -> AddressRules:
    """How this deployment reads addresses; for the import of files too, so that both refuse the same."""
    return AddressRules(
        vouching=settings.vouching_channels,
        phone_region=settings.phone_region,
        free_mail=shipped_free_mail_domains() | _more(settings.free_mail_file),
    )


def _more(file: Path | None) -> frozenset[str]:
    return read_free_mail_domains(file.read_text("utf-8")) if file else frozenset()


SERVICE = Declaration(
    name="crm",
    settings=Settings,
    build=build,
    migrations=files("deskstream.crm") / "migrations",
    hears=(ingest.LANE,),
    says=(crm.LANE,),
)
