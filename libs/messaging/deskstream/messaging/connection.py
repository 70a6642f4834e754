"""The FastStream broker of a service, set up so that a dead broker is noticed in seconds and never given up on."""

import os
import re
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final

import structlog
from faststream.nats import NatsBroker, NatsMessage
from faststream.nats.security import NatsNKey, NatsSecurity
from nats.aio.client import Client
from nats.aio.msg import Msg

from deskstream.messaging.permissions import inbox_prefix

# The default of two minutes would see a dead broker only after minutes.
PING_S: Final = 3
PENDING_BYTES: Final = 16 * 1024 * 1024
EXIT_CLOSED: Final = 70
DENIED_TOLD_EVERY_S: Final = 1.0

MEND_DENIED: Final = "run `deskstream provision --permissions`, give NATS the new configuration, reload it"

_DENIED: Final = re.compile(r"permissions violation for (?:publish|subscription) to \"([^\"]*)\"", re.IGNORECASE)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Reach:
    """Where the broker is, and how we prove who we are."""

    servers: list[str]
    seed: str | None = None
    tls: ssl.SSLContext | None = None


@dataclass(slots=True)
class Wish:
    """Whether a closed connection is our own wish."""

    to_stop: bool = False
    complained: Callable[[Exception], None] | None = None
    """Hears what the broker complains of."""


class _Denials:
    """Tells what the broker denies, loudly, but not for each of a thousand messages."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._silent_until = 0.0
        self._untold = 0

    def tell(self, subject: str) -> None:
        """One line a second."""
        if monotonic() < self._silent_until:
            self._untold += 1
            return
        log.error("denied_by_broker", service=self._service, subject=subject, untold=self._untold, mend=MEND_DENIED)
        self._silent_until, self._untold = monotonic() + DENIED_TOLD_EVERY_S, 0


def make_broker(name: str, reach: Reach, reconnected: Callable[[], Awaitable[None]], wish: Wish) -> NatsBroker:
    """A broker that reconnects for ever; if the client gives up all the same, the process ends and is restarted."""

    denials = _Denials(name)

    async def closed() -> None:
        if not wish.to_stop:
            log.error("broker_connection_closed_for_good", service=name)
            os._exit(EXIT_CLOSED)

    async def failed(error: Exception) -> None:
        # A denied publish or subscription shows up only here; the caller sees a mere timeout.
        if denied := denied_subject(error):
            denials.tell(denied)
        else:
            log.error("broker_error", service=name, reason=repr(error))
        if wish.complained is not None:
            wish.complained(error)

    return NatsBroker(
        reach.servers,
        name=name,
        security=_security(reach),
        max_reconnect_attempts=-1,
        reconnect_time_wait=1,
        ping_interval=PING_S,
        max_outstanding_pings=2,
        connect_timeout=5,
        pending_size=PENDING_BYTES,
        inbox_prefix=inbox_prefix(name),
        error_cb=failed,
        closed_cb=closed,
        reconnected_cb=reconnected,
        apply_types=False,
        decoder=_whole,
        logger=None,
        graceful_timeout=5.0,
    )


def denied_subject(error: Exception) -> str:
    """What the broker did not let us publish on or hear; empty where it complains of something else."""
    found = _DENIED.search(str(error))
    return found[1] if found else ""


def _security(reach: Reach) -> NatsSecurity | None:
    if reach.seed:
        return NatsNKey.from_seed(reach.seed, ssl_context=reach.tls)
    return NatsSecurity(ssl_context=reach.tls) if reach.tls else None


async def _whole(message: NatsMessage) -> NatsMessage:
    """Handlers get the message as it is: its body may be anything."""
    return message


def client_of(broker: NatsBroker) -> Client:
    """The connection that the framework opened; our pull loops share it."""
    client: Client = broker.connection
    return client


def read_any_frame(client: Client) -> None:
    """Lets the client live through a subject that is not UTF-8 and headers that are none: the server accepts both.

    The client decodes them strictly in its read loop: one such message would end the loop, come again after the
    reconnect, and end it again. A message whose headers cannot be read is judged as one without any.
    """
    strictly, read_headers = client._build_message, client._process_headers

    def leniently(sid: int, subject: bytes, reply: bytes, data: bytes, headers: dict[str, str] | None) -> Msg | None:
        built: Msg | None = strictly(sid, _decodable(subject), _decodable(reply), data, headers)
        return built

    async def readable(headers: bytes | None) -> dict[str, str] | None:
        try:
            read: dict[str, str] | None = await read_headers(headers)
        except (ValueError, LookupError) as error:
            log.warning("headers_unreadable", reason=repr(error))
            return None
        return read

    client._build_message = leniently  # type: ignore[method-assign]
    client._process_headers = readable  # type: ignore[method-assign]


def _decodable(raw: bytes) -> bytes:
    return raw if raw.isascii() else raw.decode(errors="backslashreplace").encode(errors="backslashreplace")
