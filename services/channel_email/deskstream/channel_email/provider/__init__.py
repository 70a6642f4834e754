"""Mail out: what leaves, by which way, and what is said of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol, TypeAlias

import asyncpg
import structlog

from deskstream.blobs import Blob, Blobs
from deskstream.channel_email import store
from deskstream.channel_email.compose import Composed, NotAnAddress, compose, name_of
from deskstream.channel_email.domain import Refusal, is_auto_reply, refusal
from deskstream.channel_email.parse.names import clean_name
from deskstream.channel_email.rules import Rules
from deskstream.contracts.inbound import DeliveryReported, DeliveryState
from deskstream.contracts.outbound import OutboundMessage
from deskstream.messaging import DATABASE_UNWELL, Outcome, Running, SendFailed

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

log = structlog.get_logger()


class Way(Protocol):
    """How mails leave: a relay, or a folder."""

    async def carry(self, mail: Composed) -> None:
        """Hands it over. Raises `SendFailed` or `SendUnknown`."""

    async def has(self, message_id: str) -> bool:
        """Whether it is known to have got there."""

    async def close(self) -> None:
        """Gives back what it holds."""


class MailProvider:
    """Sends replies as mails. It needs the service's database: `attached` runs beside the service."""

    def __init__(self, way: Way, rules: Rules, *, company: str) -> None:
        self._way = way
        self._rules = rules
        self._company = company
        self._running: Running | None = None
        self._attached = asyncio.Event()

    @asynccontextmanager
    async def attached(self, running: Running) -> AsyncIterator[None]:
        """As a background part of the service."""
        self._running = running
        self._attached.set()
        try:
            yield
        finally:
            await self._way.close()

    async def send(self, message: OutboundMessage) -> str:
        pool = await self._ready()
        if refused := await _refused(pool, message):
            raise SendFailed(refused.reason, permanent=True, kept_back=refused.may_be_a_loop)
        try:
            mail = compose(message, await _files(message, Blobs(pool)), self._rules, company=self._company)
        except NotAnAddress as error:
            raise SendFailed(str(error), permanent=True) from error
        await self._way.carry(mail)
        await _note(pool, message, mail.message_id)
        return mail.message_id

    async def look_up(self, message: OutboundMessage) -> str | None:
        """The id when it was noted as sent, or lies in the folder.

        A relay cannot be asked. Then the mail is handed over once more with the same Message-ID, as SMTP itself
        prescribes after a lost answer (RFC 1047): mailboxes know the double by it.
        """
        pool = await self._ready()
        async with pool.acquire() as connection:
            noted = await store.look_up(connection, message.reply_id)
        if noted:
            return noted
        name = name_of(message, self._rules)
        return name if await self._way.has(name) else None

    def report(self, message: OutboundMessage, outcome: Outcome) -> DeliveryReported:
        return DeliveryReported(
            channel=message.channel,
            inbox=message.inbox,
            at=outcome.at,
            conversation_id=message.conversation_id,
            reply_id=message.reply_id,
            state=DeliveryState(outcome.state),
            reason=outcome.reason[:900] if outcome.reason else None,
            permanent=outcome.permanent,
            kept_back=outcome.kept_back,
            external_id=outcome.external_id,
        )

    async def _ready(self) -> Pool:
        # The loop that sends starts before the background parts do.
        await self._attached.wait()
        assert self._running is not None
        return self._running.pool


async def _refused(pool: Pool, message: OutboundMessage) -> Refusal | None:
    """Why it must not leave. An automatic reply that may is counted before it does."""
    auto_reply = is_auto_reply(message)
    async with pool.acquire() as tx, tx.transaction():
        if auto_reply:
            await store.lock_recipient(tx, message)
        history = await store.history(tx, message)
        refused = refusal(history, automatic=message.automatic, auto_reply=auto_reply)
        if auto_reply and not refused:
            await store.note_auto_reply(tx, message)
    return refused


async def _note(pool: Pool, message: OutboundMessage, external_id: str) -> None:
    """It has left: that nobody could write this down must not make it leave again."""
    try:
        async with pool.acquire() as connection:
            await store.note_sent(connection, message, external_id)
    except DATABASE_UNWELL as error:
        log.warning("sent_mail_not_noted", reply_id=str(message.reply_id), reason=repr(error)[:300])


async def _files(message: OutboundMessage, blobs: Blobs) -> list[tuple[str, Blob]]:
    files = []
    for number, attachment in enumerate(message.attachments, start=1):
        blob = await blobs.get(attachment.sha256 or "")
        if blob is None:
            raise SendFailed(f"the attachment {attachment.name[:100]} is not there any more", permanent=True)
        files.append((clean_name(attachment.name, attachment.media_type, number), blob))
    return files
