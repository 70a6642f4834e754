"""A folder as the way out, for where there is no relay: every mail a file, named by what it is."""

import asyncio
import os
from hashlib import sha256
from pathlib import Path

from deskstream.channel_email.compose import Composed
from deskstream.messaging import SendFailed


class Maildir:
    """A maildir (tmp, new, cur) that any mail program opens. The same mail twice is the same file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def carry(self, mail: Composed) -> None:
        """Raises `SendFailed` when the folder cannot be written to."""
        try:
            await asyncio.to_thread(self._write, mail)
        except OSError as error:
            raise SendFailed(f"cannot write to {self._folder}: {error.strerror}", permanent=False) from error

    async def has(self, message_id: str) -> bool:
        return await asyncio.to_thread(self._has, message_id)

    async def close(self) -> None:
        """Holds nothing."""

    def _write(self, mail: Composed) -> None:
        for part in ("tmp", "new", "cur"):
            (self._folder / part).mkdir(parents=True, exist_ok=True)
        if self._has(mail.message_id):
            return
        draft = self._folder / "tmp" / _file_name(mail.message_id)
        with draft.open("wb") as file:
            file.write(_with_envelope(mail))
            file.flush()
            os.fsync(file.fileno())
        draft.rename(self._folder / "new" / draft.name)

    def _has(self, message_id: str) -> bool:
        name = _file_name(message_id)
        # Programs move what was read to cur and add their flags after a colon.
        return (self._folder / "new" / name).exists() or any((self._folder / "cur").glob(f"{name}*"))


def _with_envelope(mail: Composed) -> bytes:
    recipients = ", ".join((mail.to, *mail.copied))
    return f"Return-Path: <{mail.mail_from}>\r\nX-Envelope-To: {recipients}\r\n".encode() + mail.content


def _file_name(message_id: str) -> str:
    return f"{sha256(message_id.encode()).hexdigest()[:40]}.deskstream"
