"""What keeps a service from being ready: a write, a publish and the own lag must be fine, and nothing be denied."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from math import inf
from time import monotonic
from typing import Final

import asyncpg
from nats.aio.client import Client
from nats.errors import ConnectionReconnectingError, NoRespondersError
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from deskstream.contracts import subjects
from deskstream.messaging.backlog import lags_of
from deskstream.messaging.declare import Declaration
from deskstream.messaging.fates import DATABASE_UNWELL
from deskstream.messaging.publishing import refusal_of

PROBE_WITHIN_S: Final = 2.0

LAG_SEEN: Final = 1000
LAG_BORNE_S: Final = 30.0
"""A burst puts a reader behind for seconds; the promise is that it is back within this time."""

OWED_BORNE: Final = timedelta(seconds=15)
"""The sweeper publishes what is older than five seconds, every second."""

DENIED_TOLD_S: Final = 60.0

# Takes the way of a real write, through WAL and disk, and leaves nothing behind but the time.
_WRITE: Final = """
WITH probe AS (
    INSERT INTO lanes_heard (lane, since, at)
    VALUES ('probe', 'probe', clock_timestamp())
    ON CONFLICT (lane) DO UPDATE
    SET at = excluded.at
)
SELECT clock_timestamp() - at
FROM unpublished
ORDER BY id
LIMIT 1
"""


class Refuses(Exception):
    """A server answers, and does not do its work."""


class Readiness:
    """Judges one service. Asked often, it also remembers since when the service has been behind."""

    def __init__(
        self, declaration: Declaration, pool: "asyncpg.Pool[asyncpg.Record]", client: Callable[[], Client]
    ) -> None:
        self._declaration = declaration
        self._pool = pool
        self._client = client
        # Who just started has to catch up first.
        self._behind_since = dict.fromkeys(declaration.hears, -LAG_BORNE_S)
        self._denied: tuple[float, str] | None = None

    def heard(self, error: Exception) -> None:
        """The broker complained on the connection: what it denies, the one who asked for sees as a mere timeout."""
        if "permissions violation" in str(error).lower():
            # A subscription that was denied is never made again, whatever the broker allows later.
            at = inf if "subscription" in str(error).lower() else monotonic()
            self._denied = max((at, str(error).removeprefix("nats: ")), self._denied or (0.0, ""))

    async def problem(self) -> str | None:
        """The first thing that is wrong, in a sentence; None when the service can do its work."""
        if self._denied and monotonic() - self._denied[0] < DENIED_TOLD_S:
            return f"permissions: {self._denied[1]}; give NATS what `deskstream provision --permissions` writes"
        probes = ("database", self._write), ("broker", self._publish), ("lag", self._lag)
        for what, probe in probes:
            if problem := await _asked(probe):
                return f"{what}: {problem}"
        return None

    async def _write(self) -> None:
        # The pool takes this time also for releasing: without one it waits half a minute for a server that hangs.
        async with self._pool.acquire(timeout=PROBE_WITHIN_S) as tx:
            owed_for = await tx.fetchval(_WRITE)
        if owed_for is not None and owed_for > OWED_BORNE:
            raise Refuses(f"what was said {owed_for.total_seconds():.0f} s ago is still not published")

    async def _publish(self) -> None:
        """To the broker's disk and back. A store that is full, or a stream without a leader, takes nothing."""
        client = self._client()
        if not client.is_connected:
            raise ConnectionReconnectingError
        try:
            answer = await client.request(subjects.probe(self._declaration.name), b"", timeout=PROBE_WITHIN_S)
        except NoRespondersError:
            raise Refuses("no stream takes probes; run `deskstream provision`") from None
        if refusal := refusal_of(answer):
            raise Refuses(f"it takes nothing more ({refusal})")

    async def _lag(self) -> None:
        try:
            lags = await lags_of(self._client(), self._declaration)
        except NotFoundError:
            raise Refuses("a durable is missing; run `deskstream provision`") from None
        for lane, lag in lags.items():
            if lag <= LAG_SEEN:
                self._behind_since[lane] = 0.0
            elif not self._behind_since[lane]:
                self._behind_since[lane] = monotonic()
        behind = {lane: lag for lane, lag in lags.items() if self._too_long(lane)}
        if behind:
            raise Refuses(", ".join(f"{lag:,} messages behind in {lane}" for lane, lag in behind.items()))

    def _too_long(self, lane: str) -> bool:
        since = self._behind_since[lane]
        return since != 0.0 and monotonic() - since >= LAG_BORNE_S


async def _asked(probe: Callable[[], Awaitable[None]]) -> str | None:
    try:
        async with asyncio.timeout(PROBE_WITHIN_S):
            await probe()
    except Refuses as no:
        return str(no)
    except TimeoutError:
        return f"no answer within {PROBE_WITHIN_S:g} s"
    except (*DATABASE_UNWELL, NatsError) as error:
        return f"{type(error).__name__}: {error}"
    return None
