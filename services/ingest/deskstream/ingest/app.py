"""Ingest, as it is declared to the topology and built from its settings."""

from importlib.resources import files

from deskstream.contracts import ingest
from deskstream.contracts.subjects import INBOUND
from deskstream.ingest.config import Settings
from deskstream.ingest.handlers import ANSWERS, figures, hears
from deskstream.messaging import Declaration, Service


def build(settings: Settings) -> Service:
    secret = settings.thread_secret.get_secret_value()
    return Service(hears(secret=secret, words=settings.ingest_suspicious_words), ANSWERS, figures=figures)


SERVICE = Declaration(
    name="ingest",
    settings=Settings,
    build=build,
    migrations=files("deskstream.ingest") / "migrations",
    hears=(INBOUND,),
    says=(ingest.LANE, ingest.DELIVERY_LANE),
    exclusive=True,
)
