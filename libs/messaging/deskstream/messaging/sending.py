"""The loop that gives queued sends to the provider and journals what became of each."""

import asyncio
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg
import structlog

from deskstream.contracts import Event
from deskstream.contracts.envelope import Stamp, decode
from deskstream.contracts.ids import effect_id
from deskstream.messaging import journal, sends
from deskstream.messaging.batch import Done
from deskstream.messaging.declare import Outcome, Provider, SendFailed, SendUnknown
from deskstream.messaging.failpoints import FailPoints
from deskstream.messaging.fates import MAX_TRIES, is_transient, next_try_after
from deskstream.messaging.item import Said
from deskstream.messaging.positions import read_now
from deskstream.messaging.publishing import Publisher
from deskstream.messaging.sends import Send
from deskstream.messaging.telling import Telling
from deskstream.messaging.trace_context import valid_context
from deskstream.messaging.wiring import Wiring

AT_ONCE: Final = 10
LOOK_EVERY_S: Final = 1.0
LOOK_UP_AFTER: Final = timedelta(seconds=10)
SEND_WITHIN_S: Final = 60.0
FINISH_WITHIN_S: Final = 20.0

log = structlog.get_logger()


class Sender:
    """Claims, sends, settles; in order per conversation, several conversations at once."""

    def __init__(
        self,
        wiring: Wiring,
        provider: Provider,
        pool: "asyncpg.Pool[asyncpg.Record]",
        publisher: Publisher,
        *,
        points: FailPoints,
        telling: Telling,
    ) -> None:
        self._telling = telling
        self._points = points
        self._wiring = wiring
        self._provider = provider
        self._pool = pool
        self._publisher = publisher
        self._queued = asyncio.Event()
        self._finishing = False
        self._idle = asyncio.Event()
        self._idle.set()

    async def finish(self) -> None:
        """Claims no more, and waits for what is being sent: a send that is cut off may have arrived."""
        self._finishing = True
        try:
            async with asyncio.timeout(FINISH_WITHIN_S):
                await self._idle.wait()
        except TimeoutError:
            log.warning("sends_cut_off", after_s=FINISH_WITHIN_S)

    def batch_done(self, done: Done) -> None:
        """A batch queued something."""
        if done.sends_queued:
            self._queued.set()

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            try:
                if await self.send_due():
                    continue
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("sends_postponed", reason=repr(error)[:300])
            self._queued.clear()
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._queued.wait()
            except TimeoutError:
                continue

    async def send_due(self) -> int:
        """Sends what is due now; returns how many were claimed."""
        if self._finishing:
            return 0
        self._idle.clear()
        try:
            return await self._send_claimed()
        finally:
            self._idle.set()

    async def _send_claimed(self) -> int:
        async with self._pool.acquire() as connection, connection.transaction():
            now = await read_now(connection, timedelta())
            claimed = await sends.claim(connection, now, AT_ONCE)
        if claimed:
            self._points.reach("send_claimed")
        await asyncio.gather(*(self._send(send, now) for send in claimed))
        return len(claimed)

    async def _send(self, send: Send, at: datetime) -> None:
        event = decode(self._wiring.kinds[send.type], send.body)
        message, context = event.data, valid_context(event.traceparent)
        span = self._telling.tracer.send(send, context) if self._telling.tracer else None
        outcome, state = await self._try(send, message, at)
        if state == "unknown" and send.tries >= MAX_TRIES:
            # Looked up and sent again often enough: it stays unknown, until a person decides.
            state = "failed"
        async with self._pool.acquire() as connection, connection.transaction():
            now = await read_now(connection, timedelta())
            pause = next_try_after(min(send.tries, MAX_TRIES - 1)) or timedelta()
            next_at = now + (LOOK_UP_AFTER if state == "unknown" else pause)
            await sends.settle(
                connection, send, state, reason=outcome.reason or "", external_id=outcome.external_id, next_at=next_at
            )
            context = span.context if span else context
            said = self._report(send, message, outcome, now=now, context=context) if state != "queued" else []
            await journal.write(connection, now, said, marks=(), progress=((), ()), heads=((), ()))
        self._points.reach("send_settled")
        await self._publisher.publish(said)
        self._telling.figures.sends[send.lane, state] += 1
        if span is not None:
            span.end(state, tries=send.tries)

    async def _try(self, send: Send, message: Any, at: datetime) -> tuple[Outcome, str]:
        """What became of it, and the state it goes to: `queued` for another try."""
        try:
            async with asyncio.timeout(SEND_WITHIN_S):
                external_id = await self._provider.look_up(message) if send.uncertain else None
                if external_id is None:
                    self._points.reach("before_send")
                    external_id = await self._provider.send(message)
                    self._points.reach("after_send")
            return Outcome("sent", at, external_id=external_id), "sent"
        except SendFailed as no:
            final = no.permanent or send.tries >= MAX_TRIES
            outcome = Outcome("failed", at, reason=no.reason, permanent=final, kept_back=no.kept_back)
            return outcome, "failed" if final else "queued"
        except (SendUnknown, TimeoutError) as doubt:
            return Outcome("unknown", at, reason=str(doubt) or "no answer in time"), "unknown"
        except Exception as error:
            if is_transient(error):
                # A database or a line that broke in the middle of it: nobody knows how far it got.
                return Outcome("unknown", at, reason=f"{type(error).__name__}: {error}"[:500]), "unknown"
            # Our bug in the provider: it concerns this message, and must not end the loop for all others.
            log.exception("send_failed", lane=send.lane, key=send.key)
            reason = f"{type(error).__name__}: {error}"[:500]
            return Outcome("failed", at, reason=reason, permanent=True), "failed"

    def _report(self, send: Send, message: Any, outcome: Outcome, *, now: datetime, context: str | None) -> list[Said]:
        event: Event = self._provider.report(message, outcome)
        cause = send.message_id
        stamp = Stamp(
            id=effect_id(cause, f"{self._wiring.service}/{outcome.state}", send.tries), sequence=0,
            correlation=send.correlation, causation=cause, actor=None, at=now, traceparent=context,
        )  # fmt: skip
        return [journal.row_of(event, stamp)]
