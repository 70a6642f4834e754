"""Asking the services: a connection to the broker, and commands over it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from nats.aio.client import Client
from nats.errors import Error as NatsError

from deskstream.cli.output import errors
from deskstream.cli.place import Place, without_password
from deskstream.cli.problem import NoAnswer, Problem
from deskstream.contracts import Answered, Command, subjects
from deskstream.contracts.journal import ReadHeads
from deskstream.messaging import commands
from deskstream.messaging.connection import Reach
from deskstream.runtime.launch import reach_of

__all__ = ["Client", "answered", "ask", "connected", "insist_on", "services_of"]

CONNECT_WITHIN_S: Final = 4
PRESENT_WITHIN_S: Final = 3.0


async def insist_on(client: Client, service: str) -> None:
    """Returns when the service answers at all. Raises Problem when it does not: better known before a long work."""
    asked = ReadHeads(lane=subjects.events_lane(service), limit=1)
    try:
        await commands.call(client, asked, service=service, within=PRESENT_WITHIN_S)
    except TimeoutError:
        raise _absent(service) from None


_UNKNOWN: Final = (
    "NATS at {} does not know us: name the folder with the operator's seed in DESKSTREAM_CREDENTIALS, or the seed in "
    "DESKSTREAM_NATS_SEED_FILE."
)


class _Ears:
    """Hears the client's errors: while it connects, the first round of them ends it; later it goes on."""

    def __init__(self, servers: int, denied: list[str] | None) -> None:
        self._left: int | None = servers
        self._denied = denied

    def connected(self) -> None:
        self._left = None

    async def heard(self, error: Exception) -> None:
        if "permissions violation" in str(error).lower():
            # Whoever asked sees a mere timeout.
            if self._denied is not None:
                self._denied.append(str(error).removeprefix("nats: "))
                return
            errors().print(f"NATS: {error}", style="yellow", markup=False)
        elif self._left is not None:
            self._left -= 1
            if self._left <= 0:
                raise error


@asynccontextmanager
async def connected(
    reach: Reach, *, patient: bool = False, denied: list[str] | None = None, inbox: str = "_INBOX"
) -> AsyncIterator[Client]:
    """A connection to the broker; a `patient` one is made again for as long as it takes. Raises NoAnswer.

    What the broker denies us goes into `denied`, or, without it, to stderr. `inbox` begins the subjects of answers.
    """
    client, ears = Client(), _Ears(len(reach.servers), denied)
    connecting = client.connect(
        reach.servers,
        name="deskstream",
        nkeys_seed_str=reach.seed,
        tls=reach.tls,
        inbox_prefix=inbox,
        connect_timeout=CONNECT_WITHIN_S,
        allow_reconnect=patient,
        max_reconnect_attempts=-1,
        reconnect_time_wait=1,
        ping_interval=3,
        max_outstanding_pings=2,
        error_cb=ears.heard,
    )
    try:
        await asyncio.wait_for(connecting, CONNECT_WITHIN_S + 1)
        ears.connected()
    except (NatsError, OSError, TimeoutError) as error:
        servers = ", ".join(map(without_password, reach.servers))
        if "authorization violation" in str(error).lower():
            raise NoAnswer(_UNKNOWN.format(servers)) from None
        raise NoAnswer(f"NATS does not answer at {servers} ({_why(error)}). Does it run?") from None
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def services_of(place: Place) -> AsyncIterator[Client]:
    """A connection on which a desk's services can be asked."""
    async with connected(reach_of(place.servers)) as client:
        yield client


async def ask(client: Client, command: Command, *, actor: str | None = None, key: str | None = None) -> dict[str, Any]:
    """What a service answers; its refusal is a Problem."""
    answer = await answered(client, command, actor=actor, key=key)
    if answer.ok:
        return answer.result
    raise Problem(answer.error.sentence if answer.error else f"{command.NAME} was refused without a reason.")


async def answered(
    client: Client, command: Command, *, actor: str | None = None, key: str | None = None, within: float = 5.0
) -> Answered:
    """The answer as it is. Raises Problem when nobody answers."""
    try:
        return await commands.call(client, command, actor=actor, idempotency_key=key, within=within)
    except TimeoutError:
        raise _absent(command.SERVICE) from None


def _absent(service: str) -> Problem:
    return Problem(f"The service {service} does not answer. Does it run? `deskstream doctor` tells.")


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
