"""Handing mails to the desk's SMTP server, several at a time, and counting what became of them."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import aiosmtplib

from deskstream.cli.problem import Problem
from deskstream.cli.send.letters import Envelope, Letter, Unusable, read_letter

ANSWER_WITHIN_S: Final = 90.0

# A server that was restarted closes connections; the mail it had not answered is sent once more.
_TRIES: Final = 2


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be sent, where, and how."""

    files: Sequence[str]
    server: tuple[str, int]
    envelope: Envelope
    at_once: int = 4
    times: int = 1
    any_bytes: bool = False


@dataclass(frozen=True, slots=True)
class Rejection:
    """A file that the desk did not take, or that was not sent. `code` is SMTP's; None where it was not sent."""

    file: str
    reason: str
    code: int | None = None


@dataclass(slots=True)
class Sent:
    """What became of all of them."""

    accepted: int = 0
    seconds: float = 0.0
    rejections: list[Rejection] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return round(self.accepted / self.seconds, 1) if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class _Round:
    """What several connections work off together."""

    job: Job
    queue: deque[str]
    sent: Sent
    done: Callable[[], None]


async def deliver(job: Job, done: Callable[[], None]) -> Sent:
    """Sends every file; `done` is called after each. Raises Problem when the server cannot be reached."""
    work = _Round(job, deque(list(job.files) * job.times), Sent(), done)
    clients = [await _connect(job.server) for _ in range(min(job.at_once, len(work.queue)))]
    started = time.monotonic()
    await asyncio.gather(*(_work_off(work, client) for client in clients))
    work.sent.seconds = time.monotonic() - started
    work.sent.rejections.sort(key=lambda rejection: rejection.file)
    return work.sent


async def _connect(server: tuple[str, int]) -> aiosmtplib.SMTP:
    # Encrypted where the server offers it, as mail servers do among themselves: certificates are nobody's they know.
    client = aiosmtplib.SMTP(hostname=server[0], port=server[1], timeout=ANSWER_WITHIN_S, validate_certs=False)
    try:
        await client.connect(timeout=10)
    except (aiosmtplib.SMTPException, OSError) as error:
        raise Problem(f"No mail server answers at {server[0]}:{server[1]} ({error}). Does the desk run?") from None
    return client


async def _work_off(work: _Round, client: aiosmtplib.SMTP) -> None:
    while work.queue:
        name = work.queue.popleft()
        work.sent.rejections += await _rejections(work, client, name)
        work.done()
    client.close()


async def _rejections(work: _Round, client: aiosmtplib.SMTP, name: str) -> list[Rejection]:
    """Sends one file; why it was not taken, or by whom of several it was not."""
    try:
        refused = await _send(client, read_letter(name, work.job.envelope, any_bytes=work.job.any_bytes))
        work.sent.accepted += 1
        return [Rejection(name, f"{address}: {no.message}", no.code) for address, no in refused.items()]
    except Unusable as no:
        return [Rejection(name, str(no))]
    except aiosmtplib.SMTPRecipientsRefused as no:
        return [Rejection(name, f"{one.recipient}: {one.message}", one.code) for one in no.recipients]
    except aiosmtplib.SMTPResponseException as no:
        return [Rejection(name, no.message, no.code)]
    except (aiosmtplib.SMTPException, OSError, UnicodeError) as no:
        return [Rejection(name, str(no) or type(no).__name__)]


async def _send(client: aiosmtplib.SMTP, letter: Letter) -> dict[str, aiosmtplib.SMTPResponse]:
    """Returns the recipients that were refused while others were not."""
    utf8 = not (letter.sender + "".join(letter.recipients)).isascii()
    options = ["SMTPUTF8"] if utf8 else []
    for attempt in range(_TRIES):
        try:
            if not client.is_connected:
                await client.connect()
            refused, _ = await client.sendmail(letter.sender, letter.recipients, letter.raw, mail_options=options)
            return refused
        except (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPConnectError):
            if attempt == _TRIES - 1:
                raise
            client.close()
    return {}
