"""The mail channel, as it is declared to the topology and built from its settings."""

import ssl
from importlib.resources import files

from deskstream.channel_email.config import Settings
from deskstream.channel_email.handlers import ANSWERS, CHANNEL, HEARS
from deskstream.channel_email.provider import MailProvider, Way
from deskstream.channel_email.provider.maildir import Maildir
from deskstream.channel_email.provider.relay import Relay, read_url
from deskstream.channel_email.smtp.server import Doors, MailServer
from deskstream.contracts import subjects
from deskstream.messaging import Declaration, Service


def build(settings: Settings) -> Service:
    provider = MailProvider(_way(settings), settings.rules, company=settings.email_company)
    server = MailServer(_doors(settings), settings.rules)
    return Service(HEARS, ANSWERS, provider, background=(provider.attached, server.serving))


def _way(settings: Settings) -> Way:
    url = settings.relay_url
    return Relay(read_url(url), hostname=settings.email_hostname) if url else Maildir(settings.email_maildir)


def _doors(settings: Settings) -> Doors:
    host, _, port = settings.email_listen.rpartition(":")
    return Doors(
        host=host.strip("[]"),
        port=int(port),
        hostname=settings.email_hostname,
        connections=settings.email_connections,
        at_once=settings.email_at_once,
        readers=settings.email_readers,
        tls=_tls(settings),
    )


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.email_tls_certificate is None or settings.email_tls_key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings.email_tls_certificate, settings.email_tls_key)
    return context


SERVICE = Declaration(
    name="channel_email",
    settings=Settings,
    build=build,
    migrations=files("deskstream.channel_email") / "migrations",
    hears=(subjects.outbound_lane(CHANNEL),),
    says=(f"{subjects.INBOUND}.{CHANNEL}",),
)
