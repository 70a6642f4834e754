"""A mail server on loopback that keeps what it gets, and refuses on request."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from types import TracebackType

from aiosmtpd.smtp import SMTP, Envelope, Session

from deskstream.testkit.eventually import eventually


@dataclass(frozen=True)
class ReceivedMail:
    """One mail as the sink took it."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        """The mail, parsed by the standard library's modern policy."""
        return message_from_bytes(self.raw, policy=policy.default)


class SmtpSink:
    """Runs on the test's own event loop while it is entered, on a free port."""

    def __init__(self) -> None:
        self.mails: list[ReceivedMail] = []
        self.port = 0
        self._refusals: deque[str] = deque()
        self._server: asyncio.Server | None = None

    @property
    def host(self) -> str:
        """Where it listens."""
        return "127.0.0.1"

    def refuse(self, *answers: str) -> None:
        """Answer the next mails with these instead of taking them: `"451 try later"`, `"550 no such user"`."""
        self._refusals.extend(answers)

    async def received(self, count: int, *, within: float = 5.0) -> list[ReceivedMail]:
        """Wait until at least `count` mails have come; all of them. Raises AssertionError when they do not."""
        await eventually(
            lambda: len(self.mails) >= count, within=within, what=f"{count} mails (there are {len(self.mails)})"
        )
        return list(self.mails)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Called by aiosmtpd, which gives it its name."""
        if self._refusals:
            return self._refusals.popleft()
        content = envelope.original_content or b""
        self.mails.append(ReceivedMail(envelope.mail_from or "", tuple(envelope.rcpt_tos), content))
        return "250 kept"

    async def __aenter__(self) -> SmtpSink:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: SMTP(self, hostname="sink"), self.host, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server:
            self._server.close()
            await self._server.wait_closed()
