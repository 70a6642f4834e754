"""What becomes of a mail at the door: read, translated, kept and committed; or refused with a sentence."""

import hashlib
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session

from deskstream.blobs import Blobs
from deskstream.channel_email import store
from deskstream.channel_email.domain import AcceptMail
from deskstream.channel_email.parse.parsed import Unreadable
from deskstream.channel_email.parse.pool import Readers, ReadersBusy
from deskstream.channel_email.rules import Rules
from deskstream.channel_email.store import Rejected
from deskstream.channel_email.translate import Arrived, translate
from deskstream.messaging import DATABASE_UNWELL, Running

MAX_RECIPIENTS: Final = 100

KEPT: Final = "250 2.6.0 Kept"
NOT_NOW: Final = "451 4.3.0 It cannot be kept just now; please try again later"
NOBODY: Final = "550 5.1.1 Nobody here has this address"

_REFUSALS: Final = {
    "too_big": "552 5.3.4",
    "file_too_big": "552 5.3.4",
    # Refusing our own mail would make somebody send us a bounce of it.
    "own_echo": "250 2.6.0",
}
_REFUSED: Final = "554 5.6.0"

log = structlog.get_logger()


class _NotKept(Exception):
    """The service could not run the mail through its batch."""


_TRANSIENT: Final = (
    *DATABASE_UNWELL,
    _NotKept,
    ReadersBusy,
)


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail with its envelope."""

    raw: bytes
    mail_from: str
    recipients: tuple[str, ...]


class Reception:
    """aiosmtpd's handler: it calls these by their names."""

    def __init__(self, running: Running, readers: Readers, rules: Rules) -> None:
        self._running = running
        self._readers = readers
        self._rules = rules
        self._blobs = Blobs(running.pool)

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._rules.inbox_of(address) is None:
            return NOBODY
        if len(envelope.rcpt_tos) >= MAX_RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        letter = Letter(bytes(envelope.original_content or b""), envelope.mail_from or "", tuple(envelope.rcpt_tos))
        began = monotonic()
        try:
            try:
                outcome, answer = "kept", await self._take(letter)
            except Unreadable as no:
                outcome, answer = no.code, await self._refuse(letter, no)
        except _TRANSIENT as error:
            log.warning("mail_postponed", service=self._running.name, reason=repr(error)[:300])
            return NOT_NOW
        took = round((monotonic() - began) * 1000, 1)
        log.info("mail", service=self._running.name, outcome=outcome, size=len(letter.raw), ms=took)
        return answer

    async def handle_exception(self, error: Exception) -> str:
        """Whatever fails here is no fault of the mail's: its sender keeps it and tries again."""
        log.error("mail_failed", service=self._running.name, reason=repr(error)[:300], exc_info=error)
        return NOT_NOW

    async def too_big(self, envelope: Envelope | None, at_least: int) -> None:
        """Notes a mail that was not even taken in."""
        recipients = tuple(envelope.rcpt_tos) if envelope else ()
        mail_from = (envelope.mail_from if envelope else "") or ""
        rejected = Rejected("too_big", "It is over the limit of the server.", None, at_least, mail_from, recipients)
        try:
            await self._note(rejected)
        except _TRANSIENT as error:
            log.warning("rejection_not_noted", service=self._running.name, reason=repr(error)[:300])

    async def _take(self, letter: Letter) -> str:
        mail, contents = await self._readers.read(letter.raw)
        raw_sha256 = hashlib.sha256(letter.raw).hexdigest()
        arrived = Arrived(mail, letter.mail_from, letter.recipients, raw_sha256, contents)
        translated = translate(arrived, self._rules)
        await self._blobs.put_many([(letter.raw, "message/rfc822"), *translated.blobs])
        answered = await self._running.ask(translated.asked, idempotency_key=_key(translated.asked))
        if not answered.ok:
            raise _NotKept(answered.error.code if answered.error else "no reason given")
        return KEPT if answered.result.get("new", True) else f"{KEPT}; it was here already"

    async def _refuse(self, letter: Letter, no: Unreadable) -> str:
        sha256 = await self._blobs.put(letter.raw, "message/rfc822")
        await self._note(Rejected(no.code, no.sentence, sha256, len(letter.raw), letter.mail_from, letter.recipients))
        return f"{_REFUSALS.get(no.code, _REFUSED)} {no.sentence} ({no.code})"

    async def _note(self, rejected: Rejected) -> None:
        async with self._running.pool.acquire() as connection:
            await store.reject(connection, rejected)


def _key(asked: AcceptMail) -> str:
    """The same for a mail that is handed over once more because our answer was lost."""
    said: dict[str, Any] = {"message": asked.message.model_dump_json(), "bounce": repr(asked.bounce)}
    return f"mail/{hashlib.sha256(repr(said).encode()).hexdigest()}"
