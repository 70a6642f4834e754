"""A provider with its database, as the service attaches it."""

from contextlib import asynccontextmanager

from deskstream.channel_email.provider import MailProvider
from deskstream.channel_email.provider.relay import Address, Relay
from services.channel_email.tests.given import RULES


class Running:
    """A service with nothing but its database."""

    name = "channel_email"

    def __init__(self, pool):
        self.pool = pool

    async def ask(self, message, *, idempotency_key, actor=None):
        raise TimeoutError

    async def call(self, command, *, idempotency_key=None, actor=None):
        raise TimeoutError


@asynccontextmanager
async def providing(pool, way):
    provider = MailProvider(way, RULES, company="Acme")
    async with provider.attached(Running(pool)):
        yield provider


def relay_to(port):
    return Relay(Address("127.0.0.1", port, "none"), hostname="desk.example")
