"""A broker with the generated permissions, and connections to it as somebody."""

import asyncio
import json
from typing import Any

import nats

from deskstream.messaging.accounts import ABOUT_ONESELF
from deskstream.messaging.permissions import OPERATOR, Apart, inbox_prefix
from deskstream.messaging.topology import completed, provision, topology
from deskstream.runtime.channels import adapters_elsewhere
from deskstream.runtime.embedded.home import Home
from deskstream.runtime.embedded.nats import EmbeddedNats
from deskstream.runtime.privileges.credentials import Credentials
from deskstream.runtime.privileges.guard import Guard
from deskstream.runtime.schemas import installed_services

PAGER = "channel_pager"
USERS = [*installed_services(), PAGER]


class Guarded:
    """A broker that lets in whom the declarations name."""

    def __init__(self, folder, walls):
        services, adapters = list(installed_services().values()), adapters_elsewhere()
        self.apart = frozenset({"channel_email", PAGER} if walls is Apart.ADAPTERS else USERS)
        self.declarations = completed([*services, *adapters])
        self.credentials = Credentials(folder / "credentials")
        self.server = EmbeddedNats(
            Home(folder, user=None), access=Guard(self.credentials.folder, services, adapters, apart=walls).access()
        )
        self.url = self.server.start()
        asyncio.run(self._provision())

    async def _provision(self):
        async with self.client(OPERATOR) as client:
            await provision(client, topology(self.declarations))

    def client(self, user):
        return Connected(self, user)

    def prefix(self, user):
        return "DESK.API" if user in self.apart else "$JS.API"


class Connected:
    """A connection as one user, which remembers what was denied."""

    def __init__(self, broker, user):
        self._broker, self._user = broker, user
        self._client: Any = None
        self.denied: list[str] = []

    async def __aenter__(self):
        async def heard(error):
            # The client gives it in small letters.
            self.denied.append(str(error).split('"')[1])

        seed = str(self._broker.credentials.seed_file(self._user))
        prefix = inbox_prefix(self._user)
        self._client = await nats.connect(
            self._broker.url,
            nkeys_seed=seed,
            inbox_prefix=prefix,
            error_cb=heard,
            # The server takes wildcards for names when somebody publishes; this client would not send them.
            skip_subject_validation=True,
        )
        self._client.denied = self.denied
        return self._client

    async def __aexit__(self, *_):
        await self._client.close()


async def heard_out(client):
    """Whatever the server has to say about what was sent before has been heard. (The client's flush overtakes.)"""
    return json.loads((await client.request(ABOUT_ONESELF, b"", timeout=5)).data)["data"]
